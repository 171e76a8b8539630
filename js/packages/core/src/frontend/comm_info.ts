/**
 * Read a `comm_info_reply` of any kernel; the twin of `src/tsushin/frontend/comm_info.py`.
 *
 * Spec: Jupyter messaging, "Comm info". Deviations met: IRkernel nests the reply once too deep and writes
 * `{}` as `[]`; JJava and tslab leave out `status`.
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { JsonObject } from "../protocol/messages.js";
import { isJsonObject } from "../protocol/messages.js";
import type { CommInfo } from "./types.js";

/**
 * Return comm id -> target of what is open. Throws `RemoteProtocolError`: the reply is an error, or not
 * of a shape met so far.
 */
export function openComms(content: JsonObject): CommInfo {
  const { status = "ok", ename, evalue } = content;
  if (status !== "ok") {
    throw new RemoteProtocolError(`comm_info_reply: ${quote(ename)}: ${quote(evalue)}`);
  }
  const comms = isNested(content.comms) ? content.comms.comms : content.comms;
  if (isEmptyList(comms)) return {};
  if (!isJsonObject(comms)) {
    const got = quote(comms);
    throw new RemoteProtocolError(`comm_info_reply content.comms: expected object, got ${got}`);
  }
  const entries = Object.entries(comms);
  return Object.fromEntries(entries.map(([id, about]) => [id, { target_name: target(id, about) }]));
}

/** A comm whose id is "comms" has a target name; a nested reply has comms. */
function isNested(comms: unknown): comms is JsonObject {
  const inner = isJsonObject(comms) ? comms.comms : undefined;
  return isEmptyList(inner) || (isJsonObject(inner) && typeof inner.target_name !== "string");
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function target(comm_id: string, about: unknown): string {
  if (isJsonObject(about) && typeof about.target_name === "string") return about.target_name;
  const where = `comm_info_reply ${quote(comm_id)}`;
  throw new RemoteProtocolError(`${where}: expected target_name, got ${quote(about)}`);
}
