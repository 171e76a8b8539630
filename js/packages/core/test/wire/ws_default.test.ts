import { describe, expect, it } from "vitest";
import { decode, encode } from "../../src/wire/ws_default.js";
import type { Case } from "./cases.js";
import { bytes, hex } from "../hex.js";
import { cases, expectRefused, expectSame, limitsOf, messageOf } from "./cases.js";

const frameOf = (given: Case) => given.text ?? bytes(given.frames?.[0] ?? "");

describe.each(cases("ws-default", "valid"))("ws-default valid $name", (given) => {
  it("decodes to its message", () => {
    expectSame(decode(frameOf(given), limitsOf(given)), messageOf(given));
  });

  it("survives encoding and decoding", () => {
    const message = messageOf(given);
    const frame = encode(message);
    if (given.flags.includes("canonical")) {
      expect(typeof frame === "string" ? frame : hex(frame)).toBe(given.text ?? given.frames?.[0]);
    }
    expectSame(decode(frame, limitsOf(given)), message);
  });
});

describe.each(cases("ws-default", "invalid"))("ws-default invalid $name", (given) => {
  it("is refused with its error", () => {
    expectRefused(given, () => decode(frameOf(given), limitsOf(given)));
  });
});

it("leaves the caller's message as it was", () => {
  const given = cases("ws-default", "valid").find((one) => one.message.buffers.length > 0);
  if (given === undefined) throw new Error("no vector has buffers");
  const message = messageOf(given);
  const before = [...message.buffers];
  encode(message);
  expect(message.buffers).toEqual(before);
  expect(Object.keys(message)).toContain("buffers");
});
