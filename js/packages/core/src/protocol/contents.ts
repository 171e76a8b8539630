/**
 * The contents of comm messages: what a peer sent is checked, what we answer is built.
 *
 * Spec: Jupyter messaging, "Custom Messages" and "Comm info".
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { JsonObject, Message } from "./messages.js";
import { isJsonObject, msgType } from "./messages.js";

/**
 * Check the content of a comm message and return it with `data` present.
 *
 * A missing `data` and an empty list count as `{}`: the specification asks for an object, but a
 * `comm_close` often comes without, and IRkernel writes `{}` as `[]`.
 *
 * Throws `RemoteProtocolError`: a field is missing or has another type than the specification gives.
 *
 * Spec: Jupyter messaging, "Custom Messages".
 */
export function commContent(message: Message): JsonObject {
  const kind = msgType(message);
  const { content } = message;
  demand(kind, content, "comm_id", "string");
  if (kind === "comm_open") {
    demand(kind, content, "target_name", "string");
    if (content.target_module != null) demand(kind, content, "target_module", "string");
  }
  const { data } = content;
  if (data == null || (Array.isArray(data) && data.length === 0)) return { ...content, data: {} };
  demand(kind, content, "data", "object");
  return content;
}

/** Build the content of `comm_info_reply` from comm id -> target name; "" or null means all targets. */
export function commInfoContent(
  targets: ReadonlyMap<string, string>,
  target_name: unknown = null,
): JsonObject {
  const wanted = [...targets].filter(
    ([, name]) => target_name == null || target_name === "" || name === target_name,
  );
  return {
    status: "ok",
    comms: Object.fromEntries(wanted.map(([id, name]) => [id, { target_name: name }])),
  };
}

function demand(kind: string, content: JsonObject, key: string, wanted: "string" | "object"): void {
  const value = content[key];
  if (wanted === "string" ? typeof value === "string" : isJsonObject(value)) return;
  const got = key in content ? `got ${quote(value)}` : "it is missing";
  throw new RemoteProtocolError(`${kind} content.${key}: expected ${wanted}, ${got}`);
}
