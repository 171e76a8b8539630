import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import {
  TARGET,
  againData,
  controlId,
  isControl,
  carried,
  numberOf,
  readControl,
  withEntry,
  withoutNumber,
} from "../../src/profile/control.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { readSpec, vectorPaths } from "../spec.js";

interface Vector {
  data: JsonObject;
  is: JsonObject;
  buffers: number;
}

const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
const carrier = (data: unknown, buffers: Uint8Array[] = []) =>
  newMessage("shell", header, { content: { comm_id: controlId("s"), data }, buffers });
const NOTHING = readControl(carrier({}));

it.each(vectorPaths("control", "valid"))("reads %s", (path) => {
  const { data, is } = readSpec(path) as Vector;
  const whole = (messages: unknown) =>
    ((messages ?? []) as JsonObject[]).map((one) => ({ parent_header: {}, metadata: {}, ...one }));
  const carried = { again: whole(is.again), kept: whole(is.kept) };
  expect(readControl(carrier(data))).toEqual({ ...NOTHING, ...is, ...carried });
});

it.each(vectorPaths("control", "invalid"))("refuses %s", (path) => {
  const { data, buffers: count } = readSpec(path) as Vector;
  const buffers = Array.from({ length: count }, () => Uint8Array.of(1));
  const read = () => carried(readControl(carrier(data, buffers)), buffers, "shell");
  expect(read).toThrow(RemoteProtocolError);
  expect(read).toThrow(`${TARGET}: `);
});

it("brings messages again with their buffers", () => {
  const rest = { parent_header: { p: 1 }, metadata: { m: 1 }, content: { comm_id: "c" } };
  const one = newMessage("shell", header, { ...rest, buffers: [Uint8Array.of(1)] });
  const two = newMessage("shell", header, { content: { comm_id: "c" } });
  const [data, buffers] = againData([one, two]);
  expect(carried(readControl(carrier(data)), buffers, "shell").again).toEqual([one, two]);
});

describe("a number", () => {
  it.each([[{}], [{ tsushin: { bin: [] } }], [{ own: 1 }]])(
    "is put on %j and taken off",
    (metadata) => {
      const plain = newMessage("shell", header, { metadata, content: { comm_id: "c" } });
      const numbered = withEntry(plain, { n: 7 });
      expect(numberOf(numbered)).toBe(7);
      expect(withoutNumber(numbered)).toEqual(plain);
    },
  );

  it.each([[0], [-1], [true], [1.5], ["1"], [null]])("is not %j", (n) => {
    expect(numberOf(newMessage("shell", header, { metadata: { tsushin: { n } } }))).toBeNull();
  });
});

it("is known by its comm id", () => {
  const ids = [TARGET, controlId("s"), "another", null];
  expect(ids.map(isControl)).toEqual([true, true, false, false]);
});
