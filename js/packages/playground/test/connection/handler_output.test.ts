import type { JsonObject, Message } from "tsushin";
import { expect, test } from "vitest";
import { outputOf } from "../../src/connection/handler_output.js";

function message(msg_type: string, content: JsonObject, parent: JsonObject): Message {
  const header = { msg_id: "1", msg_type, session: "k", username: "", date: "", version: "5.4" };
  const rest = { metadata: {}, buffers: [], identities: [] };
  return { channel: "iopub", header, parent_header: parent, content, ...rest };
}
const OURS = { session: "me", msg_type: "comm_msg" };

test("what a handler of ours prints is an output", () => {
  const printed = message("stream", { name: "stdout", text: "hi\n" }, OURS);
  expect(outputOf(printed, "me")).toEqual({ output_type: "stream", name: "stdout", text: "hi\n" });
});

test.each([
  ["another client's", message("stream", { text: "hi" }, { session: "other" }), "me"],
  ["nobody's", message("stream", { text: "hi" }, {}), "me"],
  ["not an output", message("status", { execution_state: "idle" }, OURS), "me"],
  ["before there is a session", message("stream", { text: "hi" }, {}), undefined],
])("%s message is none", (_name, other, session) => {
  expect(outputOf(other, session)).toBeNull();
});

test("fields that a kernel left out are empty", () => {
  expect(outputOf(message("error", {}, OURS), "me")).toEqual({
    output_type: "error",
    ename: "",
    evalue: "",
    traceback: [],
  });
});
