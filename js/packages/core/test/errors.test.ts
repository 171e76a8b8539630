import { describe, expect, it } from "vitest";
import * as errors from "../src/errors.js";
import { readSpec } from "./spec.js";

interface Entry {
  code: string;
  class: string;
  parent: string | null;
  attributes: string[];
}
interface ErrorClass {
  readonly code: string;
  readonly prototype: errors.TsushinError;
}

const entries = (readSpec("errors.json") as { errors: Entry[] }).errors;
const classes = errors as unknown as Record<string, ErrorClass | undefined>;

/** Arguments that satisfy every constructor: each reads the facts it has. */
const FACTS = {
  closed_by: "here",
  data: {},
  comm_id: "c",
  reply: null,
  part: "header",
  offset: 3,
  target_name: "t",
  limit: "max_buffers",
  allowed: 1,
  actual: 2,
  unit: "count",
  name: "ValueError",
  feature: "requests",
  queued: 2,
  value: "v",
  traceback: ["line"],
  why: "died",
};

function make(name: string): errors.TsushinError {
  const constructor = classes[name] as unknown as new (...args: unknown[]) => errors.TsushinError;
  const takesFactsOnly = name === "LimitExceeded" || name === "ExecutionError";
  return takesFactsOnly ? new constructor(FACTS) : new constructor("text", FACTS);
}

describe.each(entries)("$class", (entry) => {
  it("has the code and the parent of spec/errors.json", () => {
    const known = classes[entry.class];
    expect(known?.code).toBe(entry.code);
    const parent = entry.parent === null ? Error : classes[entry.parent];
    expect(Object.getPrototypeOf(known?.prototype)).toBe(parent?.prototype);
  });

  it("has the attributes of spec/errors.json, and its class name as its name", () => {
    const error = make(entry.class);
    for (const attribute of entry.attributes) expect(error).toHaveProperty(attribute);
    expect(error.code).toBe(entry.code);
    if (!entry.attributes.includes("name")) expect(error.name).toBe(entry.class);
  });
});

it("knows no class that spec/errors.json does not list", () => {
  const known = Object.keys(classes).filter((name) => name !== "quote");
  expect(known.sort()).toEqual(entries.map((entry) => entry.class).sort());
});

describe("quote", () => {
  it.each([
    [{ a: [1, "x", null] }, '{"a":[1,"x",null]}'],
    [undefined, "undefined"],
    [10n, "10"],
    [{ a: { b: { c: 1 } } }, '{"a":{"b":{…}}}'],
  ])("writes %o as JSON", (value, text) => {
    expect(errors.quote(value)).toBe(text);
  });

  it("keeps to 40 characters, however large, deep or cyclic its value", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const wide = Array.from({ length: 1_000_000 }, (_none, i) => i);
    for (const value of ["x".repeat(1_000_000), wide, [wide, wide], cyclic]) {
      expect(errors.quote(value).length).toBeLessThanOrEqual(40);
    }
  });
});
