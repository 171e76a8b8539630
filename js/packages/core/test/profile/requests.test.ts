import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import {
  MAX_TEXT,
  answerEntry,
  failureEntry,
  readRequest,
  requestEntry,
} from "../../src/profile/requests.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { readSpec, vectorPaths } from "../spec.js";

interface Vector {
  metadata: JsonObject;
  data: JsonObject;
  is: unknown;
  error: { code: string; begins: string };
}

const commMsg = (metadata: JsonObject, data: JsonObject) => {
  const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
  return newMessage("shell", header, { metadata, content: { comm_id: "c", data } });
};
const entry = (tsushin: JsonObject, data: JsonObject = {}) => commMsg({ tsushin }, data);

it.each(vectorPaths("profile", "valid"))("reads %s", (path) => {
  const { metadata, data, is } = readSpec(path) as Vector;
  expect(readRequest(commMsg(metadata, data))).toEqual(is);
});

it.each(vectorPaths("profile", "invalid"))("refuses %s", (path) => {
  const { metadata, data, error } = readSpec(path) as Vector;
  expect(error.code).toBe(RemoteProtocolError.code);
  expect(() => readRequest(commMsg(metadata, data))).toThrow(RemoteProtocolError);
  expect(() => readRequest(commMsg(metadata, data))).toThrow(error.begins);
});

it.each([[{}], [{ tsushin: [] }], [{ tsushin: null }], [{ req: "r" }]])(
  "finds nothing in %j",
  (metadata) => {
    expect(readRequest(commMsg(metadata, {}))).toBeNull();
  },
);

describe("what is written is read", () => {
  it("for a request", () => {
    const asked = { type: "asked", req: "r", name: "n", stream: 0 };
    expect(readRequest(entry(requestEntry("r", "n")))).toEqual(asked);
  });

  it("for an answer", () => {
    const answered = { type: "answered", re: "r", value: [1] };
    expect(readRequest(entry(answerEntry("r"), { value: [1] }))).toEqual(answered);
  });

  it("for a failure, whose long texts are cut", () => {
    const long = `${"a".repeat(MAX_TEXT)}b`;
    const sent = failureEntry({ re: "r", name: "n", message: long, traceback: long });
    const [message, traceback] = [long.slice(0, -1), long.slice(1)];
    const failed = { type: "failed", re: "r", name: "n", message, traceback };
    expect(readRequest(entry(sent))).toEqual(failed);
  });
});
