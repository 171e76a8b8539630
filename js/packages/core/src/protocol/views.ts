/** Binary values as byte views. A view is its own part of the memory, never the whole of it (STYLE 12, A). */

export type BufferLike = ArrayBuffer | ArrayBufferView;

/** Return the bytes of `value` as a view; nothing is copied. */
export function byteView(value: BufferLike): Uint8Array {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return new Uint8Array(value);
}

/** Tell whether `value` is binary: an `ArrayBuffer` of any realm, a typed array or a `DataView`. */
export function isBufferLike(value: unknown): value is BufferLike {
  // An ArrayBuffer of another frame is no instance of this one's.
  const tag = Object.prototype.toString.call(value);
  return ArrayBuffer.isView(value) || tag === "[object ArrayBuffer]";
}
