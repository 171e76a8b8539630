import { expect, it } from "vitest";
import { LimitExceeded } from "../../src/errors.js";
import { DEFAULT_LIMITS, checkLimit } from "../../src/protocol/limits.js";

it("lets a value at the limit pass", () => {
  expect(() => checkLimit(DEFAULT_LIMITS, "max_buffers", 4096)).not.toThrow();
});

it("names the limit, its value, the value met and the unit", () => {
  const limits = { ...DEFAULT_LIMITS, max_json_bytes: 10 };
  const attempt = () => checkLimit(limits, "max_json_bytes", 11, "header");
  expect(attempt).toThrow(LimitExceeded);
  expect(attempt).toThrow("header: max_json_bytes is 10 bytes, got 11");
  expect(() => checkLimit(DEFAULT_LIMITS, "max_buffers", 5000)).toThrow(
    expect.objectContaining({ limit: "max_buffers", allowed: 4096, actual: 5000, unit: "count" }),
  );
});
