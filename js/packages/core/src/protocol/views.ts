/** Binary values as byte views. A view is its own part of the memory, never the whole of it (STYLE 12, A). */

export type BufferLike = ArrayBuffer | ArrayBufferView;

/** Return the bytes of `value` as a view; nothing is copied. */
export function byteView(value: BufferLike): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Tell whether `value` is binary: an `ArrayBuffer`, a typed array or a `DataView`. */
export function isBufferLike(value: unknown): value is BufferLike {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}
