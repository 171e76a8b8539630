/** Comm messages that no end may accept, as `spec/vectors` has them: for ends behind a real transport. */
import type { JsonObject } from "../../src/protocol/messages.js";
import { bytes } from "../hex.js";
import { readSpec, vectorPaths } from "../spec.js";

/** The id of the open comm in the vectors. */
export const GOOD = "c1";

export interface Malformed {
  /** Of its vector. */
  name: string;
  msg_type: string;
  content: JsonObject;
  metadata?: JsonObject;
  buffers?: Uint8Array[];
}

interface Vector {
  steps: { receive: { msg_type: string; content: JsonObject } }[];
  sent?: { data: JsonObject; metadata: JsonObject; buffers: string[] };
}

/** Each field missing and mistyped, each malformed entry for binary; opens of these are for target "t". */
export function malformed(): Malformed[] {
  return [...contents(), ...binaries("comm_open"), ...binaries("comm_msg")];
}

function contents(): Malformed[] {
  const paths = vectorPaths("comm", "invalid").filter((path) =>
    /\/comm-(open|msg|close)-/.test(path),
  );
  return paths.flatMap((name) => {
    const { steps } = readSpec(name) as Vector;
    return steps.slice(1, 2).map(({ receive }) => ({ name, ...receive }));
  });
}

/** The malformed entries for binary, in messages of this type. */
export function binaries(msg_type: string): Malformed[] {
  return vectorPaths("buffers", "invalid").flatMap((name, i) => {
    const { sent } = readSpec(name) as Vector;
    if (sent === undefined) return [];
    const opened = msg_type === "comm_open" ? { comm_id: `open ${i}`, target_name: "t" } : {};
    const content = { comm_id: GOOD, data: sent.data, ...opened };
    const buffers = sent.buffers.map((one) => bytes(one));
    return [{ name, msg_type, content, metadata: sent.metadata, buffers }];
  });
}
