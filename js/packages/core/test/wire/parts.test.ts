import { describe, expect, it } from "vitest";
import { WireError } from "../../src/errors.js";
import { demandHeader, parse } from "../../src/wire/parts.js";

const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

describe("parse", () => {
  it("refuses what nests deeper than any walk of it could go", () => {
    expect(() => parse(nested(1001), "content")).toThrow(WireError);
    expect(() => parse(nested(1001), "content")).toThrow("content: expected JSON of at most 1000");
    expect(parse(nested(1000), "content")).toBeInstanceOf(Array);
  });

  it("counts no brackets in text, and closes what is closed", () => {
    const list = Array.from({ length: 2000 }, (_none, i) => ["[[[", `\\"[${i}`, {}]);
    expect(parse(JSON.stringify(list), "content")).toEqual(list);
    expect(parse(JSON.stringify({ text: '["\\'.repeat(2000) }), "content")).toBeTypeOf("object");
  });

  it.each([
    ["brackets in text", () => JSON.stringify({ text: "[".repeat(4_000_000) })],
    ["escapes without an end", () => `"${'\\"'.repeat(2_000_000)}`],
  ])("takes time in proportion to the length: %s", (_what, text) => {
    const long = text();
    const before = performance.now();
    try {
      parse(long, "content");
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

it("takes a header with no session, and names what is missing", () => {
  expect(demandHeader({ msg_id: "m", msg_type: "t" })).toEqual({ msg_id: "m", msg_type: "t" });
  expect(() => demandHeader({ msg_id: "m" })).toThrow(
    "header: msg_type: expected string, it is missing",
  );
  expect(() => demandHeader({ msg_id: 3 })).toThrow("header: msg_id: expected string, got 3");
});
