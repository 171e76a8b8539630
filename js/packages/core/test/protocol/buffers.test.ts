import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RemoteProtocolError } from "../../src/errors.js";
import { encodeData, restoreData } from "../../src/protocol/buffers.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { isBufferLike } from "../../src/protocol/views.js";
import { bytes, hex } from "../hex.js";
import { readSpec, vectorPaths } from "../spec.js";

interface Case {
  flags: string[];
  given: { data: unknown; metadata?: unknown; buffers?: string[] };
  sent: { data: JsonObject; metadata: JsonObject; buffers: string[] };
  error: { path: string; code: string };
}
interface ArrayCase {
  dtype: string;
  hex: string;
}

const ARRAYS: Record<string, new (memory: ArrayBuffer) => ArrayBufferView> = {
  "|i1": Int8Array,
  "<i2": Int16Array,
  "<u2": Uint16Array,
  "<i4": Int32Array,
  "<u4": Uint32Array,
  "<f4": Float32Array,
  "<i8": BigInt64Array,
  "<u8": BigUint64Array,
  "<f8": Float64Array,
};

/** How the vectors write what JSON cannot, and what each means here. */
const MEANINGS: Record<string, (value: never) => unknown> = {
  $bytes: (text: string) => bytes(text),
  $array: ({ dtype, hex: text }: ArrayCase) => {
    const array = ARRAYS[dtype];
    return array === undefined
      ? { foreign: littleEndian(dtype, text) }
      : new array(bytes(text).buffer);
  },
  $float: (text: string) => Number({ nan: "NaN", inf: "Infinity", "-inf": "-Infinity" }[text]),
  $int: (text: string) => BigInt(text),
  $utf16: (text: string) =>
    Buffer.from(bytes(text).reverse()).reverse().swap16().toString("utf16le"),
  $nested: (levels: number) => {
    let value: unknown[] = [];
    for (let i = 1; i < levels; i++) value = [value];
    return value;
  },
};

/** Return the elements of a foreign array as this machine holds them, in hex. */
function littleEndian(dtype: string, text: string): string {
  const size = Number(dtype.slice(2));
  const elements = text.match(new RegExp(`.{${2 * size}}`, "g")) ?? [];
  const turn = (element: string) => hex(bytes(element).reverse());
  return dtype.startsWith(">") ? elements.map(turn).join("") : text;
}

function meant(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(meant);
  const [key = "", ...others] = Object.keys(value);
  const isMeant = others.length === 0 && Object.hasOwn(MEANINGS, key);
  const meaning = isMeant ? MEANINGS[key] : undefined;
  if (meaning !== undefined) return meaning((value as Record<string, never>)[key] as never);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, meant(item)]));
}

/** Replace restored arrays by their bytes where a vector says that they are foreign. */
function asForeign(expected: unknown, actual: unknown): unknown {
  if (typeof expected !== "object" || expected === null) return actual;
  if ("foreign" in expected) return { foreign: hex(actual as ArrayBufferView) };
  if (isBufferLike(expected) || typeof actual !== "object" || actual === null) return actual;
  if (Array.isArray(actual)) return actual;
  const members = Object.entries(actual as JsonObject);
  return Object.fromEntries(
    members.map(([key, item]) => [key, asForeign((expected as JsonObject)[key], item)]),
  );
}

const cases = (kind: "valid" | "invalid", prefix = "") =>
  vectorPaths("buffers", kind)
    .map((path) => ({
      name: path.slice(path.lastIndexOf("/") + 1, -5),
      ...(readSpec(path) as Case),
    }))
    .filter(({ name }) => name.startsWith(prefix));

const ownArrays = cases("valid").filter(({ flags }) => !flags.includes("foreign-array"));

describe.each(ownArrays)("buffers valid $name", ({ given, sent }) => {
  it("encodes as its vector says", () => {
    const attached = (given.buffers ?? []).map(bytes);
    const encoded = encodeData(meant(given.data), given.metadata, attached);
    expect({ ...encoded, buffers: encoded.buffers.map(hex) }).toEqual({
      ...sent,
      data: meant(sent.data),
    });
  });
});

describe.each(cases("valid"))("buffers valid $name", ({ given, sent }) => {
  it("is restored to what was given", () => {
    const data = meant(given.data) as JsonObject;
    const copy = meant(structuredClone(sent.data)) as JsonObject;
    const restored = restoreData(copy, sent.metadata, sent.buffers.map(bytes));
    expect(asForeign(data, restored.data)).toEqual(data);
    expect(restored.buffers.map(hex)).toEqual(given.buffers ?? []);
  });
});

describe.each(cases("invalid", "given-"))("buffers invalid $name", ({ given, error }) => {
  it("is a TypeError that names the path", () => {
    const attempt = () => encodeData(meant(given.data), meant(given.metadata));
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(new RegExp(`^${error.path.replaceAll(/[.[\]]/g, "\\$&")}`));
  });
});

describe.each(cases("invalid", "sent-"))("buffers invalid $name", ({ sent, error }) => {
  it("is a fault of the peer", () => {
    const data = meant(sent.data) as JsonObject;
    const attempt = () => restoreData(data, sent.metadata, sent.buffers.map(bytes));
    expect(attempt).toThrow(RemoteProtocolError);
    expect(attempt).toThrow(expect.objectContaining({ code: error.code }));
  });
});

describe("encodeData", () => {
  it("is not changed by what happens to the data and the buffers afterwards", () => {
    const point = { t: 1 };
    const pixels = Uint8Array.of(1, 2);
    const attached = Uint8Array.of(3);
    const encoded = encodeData({ points: [point], pixels }, null, [attached]);
    point.t = 2;
    pixels.fill(9);
    attached.fill(9);
    expect(encoded.data).toEqual({ points: [{ t: 1 }], pixels: null });
    expect(encoded.buffers.map(hex)).toEqual(["03", "0102"]);
  });

  it("keeps the memory itself where told not to copy", () => {
    const attached = Uint8Array.of(3);
    expect(encodeData({}, null, [attached], false).buffers[0]?.buffer).toBe(attached.buffer);
  });

  it("sends only the part of the memory that a view shows", () => {
    const memory = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const { buffers } = encodeData({ a: new Uint16Array(memory.buffer, 2, 2) });
    expect(buffers.map(hex)).toEqual(["03040506"]);
  });

  it.each([
    ["a Date", { at: new Date(0) }, "data.at: JSON cannot carry Date"],
    ["a Map", { m: new Map() }, "data.m: JSON cannot carry Map"],
    ["a function", { f: () => 1 }, "data.f: JSON cannot carry function"],
    ["undefined in an array", { a: [1, undefined] }, "data.a[1]: JSON cannot carry undefined"],
    ["a hole", { a: [1, , 2] }, "data.a[1]: JSON cannot carry undefined"], // eslint-disable-line no-sparse-arrays -- the hole is what is tested
    ["a cycle", cyclic(), /^data\.self\.self\.self…: nested more than 200 levels, or cyclic$/],
  ])("refuses %s, by its path", (_what, data, text) => {
    expect(() => encodeData(data)).toThrow(TypeError);
    expect(() => encodeData(data)).toThrow(text);
  });

  it("leaves out a member that is undefined", () => {
    expect(encodeData({ a: undefined, b: 1 }).data).toEqual({ b: 1 });
  });

  it("takes objects without a prototype and of another realm", () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    expect(encodeData({ bare }).data).toEqual({ bare: { a: 1 } });
  });
});

function cyclic(): JsonObject {
  const data: JsonObject = {};
  data.self = data;
  return data;
}

it("gives back any JSON, with any binary in any place", () => {
  const binary = fc.oneof(fc.uint8Array(), fc.float64Array(), fc.int16Array(), fc.bigInt64Array());
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.jsonValue({ maxDepth: 1 }),
      binary,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  const whole = fc.dictionary(fc.string(), tree, { maxKeys: 4 });
  fc.assert(
    fc.property(whole, fc.array(fc.uint8Array()), (data, attached) => {
      const encoded = encodeData(data, null, attached);
      const onWire = JSON.parse(JSON.stringify(encoded.data)) as JsonObject;
      const restored = restoreData(onWire, encoded.metadata, encoded.buffers);
      expect(restored.data).toEqual(withPlainZero(data));
      expect(restored.buffers.map(hex)).toEqual(attached.map(hex));
    }),
  );
});

/** JSON has no negative zero: outside of arrays of numbers it comes back as zero. */
function withPlainZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (typeof value !== "object" || value === null || isBufferLike(value)) return value;
  if (Array.isArray(value)) return value.map(withPlainZero);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withPlainZero(item)]));
}
