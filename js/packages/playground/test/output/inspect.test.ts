import { expect, test } from "vitest";
import { consoleText, inspect } from "../../src/output/inspect.js";

class Point {
  x = 1;
}

test.each<[unknown, string]>([
  [undefined, "undefined"],
  [-0, "-0"],
  [12n, "12n"],
  ["text", '"text"'],
  [{ foo: 1, "not a name": [true, null] }, '{foo: 1, "not a name": [true, null]}'],
  [{}, "{}"],
  [[], "[]"],
  [new Point(), "Point {x: 1}"],
  [new Uint8Array([1, 2]), "Uint8Array(2) [1, 2]"],
  [new DataView(new ArrayBuffer(5)), "DataView(5 bytes)"],
  [new Map([["a", 1]]), 'Map(1) {"a" => 1}'],
  [new Set([1]), "Set(1) [1]"],
  [new Date(0), "1970-01-01T00:00:00.000Z"],
  [Object.create(null), "{}"],
  [
    function named() {
      return 1;
    },
    "ƒ named()",
  ],
])("inspect %#: %s", (value, written) => {
  expect(inspect(value)).toBe(written);
});

test("a cycle ends", () => {
  const ring: Record<string, unknown> = {};
  ring.self = ring;
  expect(inspect(ring)).toBe("{self: [circular]}");
});

test("a value that throws when looked at is named, not thrown", () => {
  const trap = {
    get boom(): never {
      throw new Error("no");
    },
  };
  expect(inspect(trap)).toBe("[cannot be shown: Error: no]");
});

test("long arrays are cut", () => {
  expect(inspect(new Uint8Array(5000)).length).toBeLessThan(100);
});

test("console arguments: strings as they are, the rest inspected", () => {
  expect(consoleText(["opened with", { foo: 1 }])).toBe("opened with {foo: 1}");
});
