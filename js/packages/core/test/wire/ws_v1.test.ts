import { describe, expect, it } from "vitest";
import { decode, encode } from "../../src/wire/ws_v1.js";
import { bytes, hex } from "../hex.js";
import { cases, expectRefused, expectSame, limitsOf, messageOf } from "./cases.js";

const frameOf = (given: { frames?: string[] }) => bytes(given.frames?.[0] ?? "");

describe.each(cases("ws-v1", "valid"))("ws-v1 valid $name", (given) => {
  it("decodes to its message", () => {
    expectSame(decode(frameOf(given), limitsOf(given)), messageOf(given));
  });

  it("survives encoding and decoding", () => {
    const message = messageOf(given);
    const frame = encode(message);
    if (given.flags.includes("canonical")) expect(hex(frame)).toBe(given.frames?.[0]);
    expectSame(decode(frame, limitsOf(given)), message);
  });
});

describe.each(cases("ws-v1", "invalid"))("ws-v1 invalid $name", (given) => {
  it("is refused with its error", () => {
    expectRefused(given, () => decode(frameOf(given), limitsOf(given)));
  });
});

it("decodes a frame that is a view into larger memory, without copying its buffers", () => {
  const given = cases("ws-v1", "valid").find((one) => one.message.buffers.length > 0);
  const frame = frameOf(given ?? {});
  const memory = new Uint8Array(frame.byteLength + 14).fill(0xaa);
  memory.set(frame, 7);
  const message = decode(memory.subarray(7, 7 + frame.byteLength));
  expectSame(message, decode(frame));
  expect(message.buffers[0]?.buffer).toBe(memory.buffer);
});
