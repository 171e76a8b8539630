import { expect, it } from "vitest";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage, sessionOf, toClassic } from "../../src/protocol/messages.js";

function message(msg_type: string, content: JsonObject): Message {
  const header = newHeader(msg_type, { msg_id: "m1", session: "s1", now_ms: 0 });
  return newMessage("shell", header, { content });
}

it("hands a message to handlers without copying", () => {
  const original = message("comm_msg", { comm_id: "c", data: {} });
  const classic = toClassic(original);
  expect(classic.content).toBe(original.content);
  expect(classic).toMatchObject({ msg_id: "m1", msg_type: "comm_msg" });
});

it("reads a header that lacks keys as empty strings", () => {
  const bare = { ...message("comm_msg", {}), header: {} as Message["header"] };
  expect(sessionOf(bare)).toBe("");
  expect(toClassic(bare).msg_type).toBe("");
});
