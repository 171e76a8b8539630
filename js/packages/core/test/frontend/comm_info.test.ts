import { expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import { openComms } from "../../src/frontend/comm_info.js";

const COMMS = { c1: { target_name: "t" } };

it.each([
  ["the specification's", { status: "ok", comms: COMMS }],
  ["without status, as JJava and tslab", { comms: COMMS }],
  ["nested once too deep, as IRkernel", { status: "ok", comms: { comms: COMMS } }],
])("reads a reply: %s", (_what, content) => {
  expect(openComms(content)).toEqual(COMMS);
});

it.each([[{ comms: [] }], [{ comms: { comms: [] } }]])("reads %j as no comms", (content) => {
  expect(openComms(content)).toEqual({});
});

it("knows a comm whose id is comms", () => {
  expect(openComms({ comms: { comms: { target_name: "t" } } })).toEqual({
    comms: { target_name: "t" },
  });
});

it.each([
  [{ status: "error", ename: "E", evalue: "v" }, 'comm_info_reply: "E": "v"'],
  [{ comms: 3 }, "comm_info_reply content.comms: expected object, got 3"],
  [{ comms: { c1: 3 } }, 'comm_info_reply "c1": expected target_name, got 3'],
])("refuses %j", (content, text) => {
  expect(() => openComms(content)).toThrow(RemoteProtocolError);
  expect(() => openComms(content)).toThrow(text);
});
