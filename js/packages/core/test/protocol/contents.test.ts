import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import { commContent, commInfoContent } from "../../src/protocol/contents.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";

function message(msg_type: string, content: JsonObject): Message {
  const header = newHeader(msg_type, { msg_id: "m1", session: "s1", now_ms: 0 });
  return newMessage("shell", header, { content });
}

describe("commContent", () => {
  it.each([[undefined], [null], [[]]])("takes data %j as an empty object", (data) => {
    const content = commContent(message("comm_close", { comm_id: "c", data }));
    expect(content.data).toEqual({});
  });

  it.each([
    ["comm_msg", { data: {} }, "comm_msg content.comm_id: expected string, it is missing"],
    ["comm_msg", { comm_id: 3, data: {} }, "comm_msg content.comm_id: expected string, got 3"],
    ["comm_msg", { comm_id: "c", data: [1] }, "comm_msg content.data: expected object, got [1]"],
    [
      "comm_open",
      { comm_id: "c" },
      "comm_open content.target_name: expected string, it is missing",
    ],
    [
      "comm_open",
      { comm_id: "c", target_name: "t", target_module: 1 },
      "comm_open content.target_module: expected string, got 1",
    ],
  ])("refuses %s %j", (kind, content, text) => {
    const attempt = () => commContent(message(kind, content));
    expect(attempt).toThrow(RemoteProtocolError);
    expect(attempt).toThrow(text);
  });
});

describe("commInfoContent", () => {
  const targets = new Map([
    ["a", "x"],
    ["b", "y"],
  ]);

  it("lists comms of one target, or of all", () => {
    expect(commInfoContent(targets, "x").comms).toEqual({ a: { target_name: "x" } });
    expect(Object.keys(commInfoContent(targets, "").comms as object)).toEqual(["a", "b"]);
  });
});
