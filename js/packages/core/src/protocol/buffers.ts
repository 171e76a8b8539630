/**
 * User data to JSON and back: strict values, and binary lifted out into buffers; the twin of
 * `src/tsushin/protocol/buffers.py`.
 *
 * `encodeData` walks the data once and copies it. What only looks like JSON (NaN, a Map, a Date, undefined
 * in an array) is a `TypeError` that names its path, `data.points[3].t`, because a value that silently
 * changes is found weeks later on the other side. A member that is undefined is left out: reading it at
 * the peer gives undefined again. Binary values are replaced by `null` and travel as buffers after the
 * user's own; `metadata.tsushin.bin` says where each belongs, so that `restoreData` puts it back and a
 * plain peer sees valid JSON.
 *
 * Vectors: spec/vectors/buffers.
 */
import { RemoteProtocolError, quote } from "../errors.js";
import { arrayType, restoreArray } from "./arrays.js";
import type { JsonObject } from "./messages.js";
import { isJsonObject } from "./messages.js";
import type { BufferLike } from "./views.js";
import { byteView, isBufferLike } from "./views.js";

type Path = (string | number)[]; // one for the whole walk: a step is pushed, and popped after

const MAX_DEPTH = 200; // levels; JSON parsers of peers stop between 256 and 1,000

/**
 * One entry of `metadata.tsushin.bin`. `kind` "bytes" is raw bytes; "array" has `dtype` in NumPy's
 * array-interface notation ("<f4"), `shape` (elements per axis) and `order` ("C" or "F").
 */
export interface Binary {
  path: (string | number)[];
  buffer: number;
  kind: "bytes" | "array";
  dtype?: string;
  shape?: number[];
  order?: "C" | "F";
}

/** What `encodeData` made: JSON, the metadata to send with it, and the buffers to send. */
export interface Encoded {
  readonly data: JsonObject;
  readonly metadata: JsonObject;
  readonly buffers: readonly Uint8Array[];
}

/**
 * Check and copy what a user sends.
 *
 * `data` is a JSON object whose values may also be binary; null means `{}`. `metadata` is a JSON object
 * without binary; its key "tsushin" belongs to the one hop it came by and is left out, so that a received
 * message can be sent on. Buffers are copied, because their owner may still change them, unless `copy` is
 * false: then the caller promises not to. `entry` is what the profile says in `metadata.tsushin`, beside
 * what is said here about binary.
 *
 * Throws TypeError: something JSON cannot carry, named by its path.
 */
export function encodeData(
  data: unknown = null,
  metadata: unknown = null,
  buffers: readonly BufferLike[] | null = null,
  copy = true,
  entry: JsonObject | null = null,
): Encoded {
  const views = (buffers ?? []).map((buffer, i) => ownView(buffer, `buffers[${i}]`, copy));
  const lifted: Lifted = { first: views.length, copy, bin: [], views: [] };
  const keptData = keepObject("data", data, lifted);
  const keptMetadata = keepObject("metadata", metadata, null);
  delete keptMetadata.tsushin;
  if (lifted.bin.length > 0 || entry !== null) {
    keptMetadata.tsushin = { ...entry, ...(lifted.bin.length > 0 ? { bin: lifted.bin } : {}) };
  }
  return { data: keptData, metadata: keptMetadata, buffers: [...views, ...lifted.views] };
}

/**
 * Put binary back where `metadata.tsushin.bin` says; the inverse of `encodeData`.
 *
 * `data` is changed in place, since nobody else holds it yet. Bytes come back as `Uint8Array`, arrays as
 * typed arrays in the order of their memory; nothing is copied that need not be.
 *
 * Returns the data and the buffers that the peer's user attached. Throws `RemoteProtocolError`: an entry
 * is malformed, or points outside the data or the buffers.
 */
export function restoreData(
  data: JsonObject,
  metadata: JsonObject,
  buffers: readonly Uint8Array[],
): { data: JsonObject; buffers: readonly Uint8Array[] } {
  const ours = metadata.tsushin;
  const entries = isJsonObject(ours) ? (ours.bin ?? []) : [];
  if (!Array.isArray(entries)) {
    throw new RemoteProtocolError(`metadata.tsushin.bin: expected array, got ${quote(entries)}`);
  }
  let first = buffers.length;
  entries.forEach((entry: unknown, number) => {
    try {
      first = Math.min(first, restoreEntry(data, entry, buffers));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const about = `metadata.tsushin.bin[${number}]: ${error.message} in ${quote(entry)}`;
      throw new RemoteProtocolError(about);
    }
  });
  return { data, buffers: buffers.slice(0, first) };
}

/** Return a path as people write it: `data.points[3].t`. */
export function pathName(path: readonly (string | number)[], root = "data"): string {
  return root + path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
}

/** The binary values found in one walk, with the views that carry them. */
interface Lifted {
  readonly first: number;
  readonly copy: boolean;
  readonly bin: Binary[];
  readonly views: Uint8Array[];
}

function lift(value: BufferLike, path: Path, lifted: Lifted): null {
  const buffer = lifted.first + lifted.views.length;
  const dtype = arrayType(value);
  const entry: Binary = { path: [...path], buffer, kind: dtype === null ? "bytes" : "array" };
  const view = ownView(value, pathName(path), lifted.copy);
  if (dtype !== null) {
    Object.assign(entry, { dtype, shape: [view.byteLength / Number(dtype[2])], order: "C" });
  }
  lifted.bin.push(entry);
  lifted.views.push(view);
  return null;
}

function keepObject(root: string, value: unknown, lifted: Lifted | null): JsonObject {
  if (value == null) return {};
  if (!isPlainObject(value)) {
    throw new TypeError(`${root}: expected a JSON object, got ${typeName(value)}`);
  }
  return keepMembers(value, [], root, lifted);
}

/** Return a copy of `value` with binary lifted out. */
function keep(value: unknown, path: Path, root: string, lifted: Lifted | null): unknown {
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return keepText(value, path, root);
    case "number":
      if (Number.isFinite(value)) return value;
      throw new TypeError(`${pathName(path, root)}: JSON has no ${value}`);
    case "object":
      return value === null ? null : keepTree(value, path, root, lifted);
    default:
      throw new TypeError(`${pathName(path, root)}: JSON cannot carry ${typeof value}`);
  }
}

function keepTree(value: object, path: Path, root: string, lifted: Lifted | null): unknown {
  if (path.length > MAX_DEPTH) {
    const where = pathName(path.slice(0, 3), root);
    throw new TypeError(`${where}…: nested more than ${MAX_DEPTH} levels, or cyclic`);
  }
  if (Array.isArray(value)) {
    // Array.from visits the holes of a sparse array too, as undefined.
    return Array.from(value, (item: unknown, i) => keepAt(i, item, path, root, lifted));
  }
  if (isBufferLike(value)) {
    if (lifted !== null) return lift(value, path, lifted);
    throw new TypeError(`${pathName(path, root)}: binary belongs into data or buffers`);
  }
  if (isPlainObject(value)) return keepMembers(value, path, root, lifted);
  throw new TypeError(`${pathName(path, root)}: JSON cannot carry ${typeName(value)}`);
}

function keepMembers(
  value: JsonObject,
  path: Path,
  root: string,
  lifted: Lifted | null,
): JsonObject {
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  // fromEntries defines members, so a key "__proto__" is a key like any other.
  return Object.fromEntries(
    members.map(([key, item]) => [
      keepText(key, path, root),
      keepAt(key, item, path, root, lifted),
    ]),
  );
}

function keepAt(
  step: string | number,
  item: unknown,
  path: Path,
  root: string,
  lifted: Lifted | null,
): unknown {
  path.push(step);
  const kept = keep(item, path, root, lifted);
  path.pop();
  return kept;
}

function keepText(value: string, path: Path, root: string): string {
  // With the u flag only a surrogate without its other half matches.
  if (!/\p{Surrogate}/u.test(value)) return value;
  throw new TypeError(`${pathName(path, root)}: text with a lone surrogate cannot be UTF-8`);
}

/** Tell whether `value` is an object literal or the like, of any realm: no class instance, no Map. */
function isPlainObject(value: unknown): value is JsonObject {
  if (!isJsonObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function typeName(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function ownView(value: BufferLike, where: string, copy: boolean): Uint8Array {
  if (!isBufferLike(value)) {
    throw new TypeError(`${where}: expected binary, got ${typeName(value)}`);
  }
  return copy ? byteView(value).slice() : byteView(value);
}

/** Put one entry's value into `data` and return its buffer's number. Throws RangeError. */
function restoreEntry(data: JsonObject, entry: unknown, buffers: readonly Uint8Array[]): number {
  if (!isJsonObject(entry)) throw new RangeError("expected an object");
  const { path, buffer: number, kind } = entry;
  const buffer = Number.isInteger(number) ? buffers[number as number] : undefined;
  if (buffer === undefined) {
    throw new RangeError(`buffer ${quote(number)}: message has ${buffers.length}`);
  }
  if (kind !== "bytes" && kind !== "array") {
    throw new RangeError(`kind: expected "bytes" or "array", got ${quote(kind)}`);
  }
  putAt(data, path, kind === "bytes" ? buffer : restoreArray(buffer, entry));
  return number as number;
}

function putAt(data: JsonObject, path: unknown, value: unknown): void {
  if (!Array.isArray(path) || path.length === 0) throw new RangeError("path is empty");
  const last: unknown = path.at(-1);
  let place: unknown = data;
  for (const step of path.slice(0, -1) as unknown[]) place = member(place, step);
  if (member(place, last) !== null) throw new RangeError(`${quote(path)} is not null`);
  (place as Record<PropertyKey, unknown>)[last as PropertyKey] = value;
}

/** Return the own member that a step of a path names. */
function member(place: unknown, step: unknown): unknown {
  const fits = Array.isArray(place)
    ? Number.isInteger(step) && (step as number) >= 0 && (step as number) < place.length
    : isJsonObject(place) && typeof step === "string" && Object.hasOwn(place, step);
  if (!fits) throw new RangeError(`path: nothing at ${quote(step)}`);
  return (place as Record<PropertyKey, unknown>)[step as PropertyKey];
}
