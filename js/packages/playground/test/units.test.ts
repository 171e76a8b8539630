import { expect, test } from "vitest";
import { bytesText, millisecondsText } from "../src/units.js";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [65_536, "64 KiB"],
  [5 * 1024 ** 2, "5 MiB"],
  [1024 ** 4, "1024 GiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each([
  [0.0421, "0.04"],
  [3.14159, "3.1"],
  [127.6, "128"],
])("%d ms are %s", (ms, text) => {
  expect(millisecondsText(ms)).toBe(text);
});
