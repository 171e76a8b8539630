import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { byteView, isBufferLike } from "../../src/protocol/views.js";
import type { BufferLike } from "../../src/protocol/views.js";
import { hex } from "../hex.js";

const memory = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer;

it.each([
  ["an ArrayBuffer", memory, "0102030405060708"],
  ["part of it as 16-bit numbers", new Uint16Array(memory, 2, 2), "03040506"],
  ["part of it as a DataView", new DataView(memory, 1, 3), "020304"],
  ["nothing of it", new Uint8Array(memory, 8, 0), ""],
])("shows the bytes of %s, without copying", (_what, value, text) => {
  const view = byteView(value);
  expect(hex(view)).toBe(text);
  expect(view.buffer).toBe(memory);
});

it("knows binary of another realm", () => {
  const foreign: unknown = runInNewContext("Uint8Array.of(1, 2).buffer");
  expect(foreign).not.toBeInstanceOf(ArrayBuffer);
  expect(isBufferLike(foreign)).toBe(true);
  expect(hex(byteView(foreign as BufferLike))).toBe("0102");
});

it.each([[[1, 2]], ["text"], [null], [{ byteLength: 3 }]])("takes %j for no binary", (value) => {
  expect(isBufferLike(value)).toBe(false);
});
