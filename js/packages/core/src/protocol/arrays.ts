/**
 * Typed arrays as they travel: NumPy's array-interface notation, "<f4" for little-endian 32-bit floats.
 *
 * JavaScript has no arrays of more than one axis: they come back flat, in the order of their memory;
 * `shape` and `order` are in `metadata.tsushin.bin`.
 */
import { quote } from "../errors.js";
import type { JsonObject } from "./messages.js";
import type { BufferLike } from "./views.js";

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

interface ArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

// "f2" (Float16Array) and "b1" (booleans) have no array of their own everywhere: raw elements.
const ARRAYS: Readonly<Record<string, ArrayConstructor>> = {
  i1: Int8Array,
  u1: Uint8Array,
  b1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  f2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  f4: Float32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f8: Float64Array,
};

const DTYPE = /^(?:[<>][iuf][248]|[<>|][iub]1)$/;
const MAX_AXES = 32; // NumPy before 2.0 has no more
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const DTYPES: Readonly<Record<string, string>> = {
  Int8Array: "i1",
  Int16Array: "i2",
  Uint16Array: "u2",
  Int32Array: "i4",
  Uint32Array: "u4",
  BigInt64Array: "i8",
  BigUint64Array: "u8",
  Float16Array: "f2",
  Float32Array: "f4",
  Float64Array: "f8",
};

/** Return the dtype of a typed array; null where `value` is bytes. */
export function arrayType(value: BufferLike): string | null {
  const dtype = DTYPES[Object.prototype.toString.call(value).slice("[object ".length, -1)];
  if (dtype === undefined) return null;
  const order = dtype.endsWith("1") ? "|" : IS_LITTLE_ENDIAN ? "<" : ">";
  return order + dtype;
}

/**
 * Return `bytes` as the array that an entry of `metadata.tsushin.bin` describes. Copied only where its
 * memory is not aligned or is of the other byte order. Throws RangeError: it describes none.
 */
export function restoreArray(bytes: Uint8Array, entry: JsonObject): TypedArray {
  const { dtype, shape, order = "C" } = entry;
  const array = typeof dtype === "string" && DTYPE.test(dtype) ? ARRAYS[dtype.slice(1)] : undefined;
  if (array === undefined)
    throw new RangeError(`dtype: expected one as "<f4", got ${quote(dtype)}`);
  if (!Array.isArray(shape) || !shape.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new RangeError(`shape: expected an array of counts, got ${quote(shape)}`);
  }
  if (shape.length > MAX_AXES) {
    throw new RangeError(`shape: expected at most ${MAX_AXES} axes, got ${shape.length}`);
  }
  if (order !== "C" && order !== "F") {
    throw new RangeError(`order: expected "C" or "F", got ${quote(order)}`);
  }
  const size = array.BYTES_PER_ELEMENT;
  const count = (shape as number[]).reduce((product, n) => product * n, 1);
  if (count * size !== bytes.byteLength) {
    const got = `${quote(shape)} of ${String(dtype)}`;
    throw new RangeError(`shape ${got} does not fill ${bytes.byteLength} bytes`);
  }
  const isForeign = size > 1 && (dtype as string).startsWith("<") !== IS_LITTLE_ENDIAN;
  const own = isForeign ? swapped(bytes, size) : bytes.byteOffset % size ? bytes.slice() : bytes;
  return new array(own.buffer, own.byteOffset, count);
}

/** Return a copy with the bytes of each element turned round. */
function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const copy = bytes.slice();
  for (let at = 0; at < copy.byteLength; at += size) copy.subarray(at, at + size).reverse();
  return copy;
}
