import { expect, it } from "vitest";
import { LimitExceeded, WireError } from "../../src/errors.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import { decode, encode, encodeBuffers } from "../../src/wire/afm.js";
import { sample } from "../transports/check.js";

it("brings a message back as it was", () => {
  const message = sample(1, [Uint8Array.of(1, 2), new Uint8Array(0)]);
  expect(decode(encode(message), encodeBuffers(message))).toEqual(message);
});

it("copies a view into larger memory: its own bytes, and memory of their size", () => {
  const view = Uint8Array.of(9, 1, 2, 9).subarray(1, 3);
  const [copy] = encodeBuffers(sample(1, [view]));
  expect(copy).toEqual(Uint8Array.of(1, 2).buffer);
});

it("takes buffers as DataViews into larger memory, as hosts give them", () => {
  const memory = Uint8Array.of(9, 1, 2, 9).buffer;
  const { buffers } = decode(encode(sample(1)), [new DataView(memory, 1, 2)]);
  expect(buffers).toEqual([Uint8Array.of(1, 2)]);
});

it.each(["channel", "header", "content"])("refuses a message without its %s", (part) => {
  expect(() => decode({ ...encode(sample(1)), [part]: undefined })).toThrow(WireError);
});

it("bounds what comes", () => {
  const limits = { ...DEFAULT_LIMITS, max_buffers: 1 };
  const two = [new ArrayBuffer(1), new ArrayBuffer(1)];
  expect(() => decode(encode(sample(1)), two, limits)).toThrow(LimitExceeded);
});
