/**
 * The offset table that both WebSocket carriers put ahead of their parts.
 *
 * The count comes from the peer: it is compared with the frame's length before anything of that size is
 * allocated, and every offset must be at or after the one before it and inside the frame. Eight bytes
 * that claim ten million parts cost nothing here (STYLE 12, D).
 */
import { WireError } from "../errors.js";

/** How one carrier writes its table. */
export interface TableLayout {
  /** Bytes per number. */
  readonly width: 4 | 8;
  readonly littleEndian: boolean;
  /** The least count (of offsets) a frame can have. */
  readonly least: number;
  /** Does the last offset mark the end of the last part, or its beginning? */
  readonly lastIsEnd: boolean;
}

const PART = "offset table";

/** Read the count of offsets; throws `WireError` where it cannot be true. */
export function readCount(frame: Uint8Array, layout: TableLayout): number {
  const { width, least } = layout;
  if (frame.byteLength < width) {
    throw fault(`expected ${width} bytes of count, frame has ${frame.byteLength}`, 0);
  }
  const count = readNumber(dataView(frame), 0, layout);
  if (count < least) throw fault(`count: expected at least ${least}, got ${count}`, 0);
  const room = Math.floor(frame.byteLength / width) - 1;
  if (count > room) throw fault(`count: frame has room for ${room} offsets, got ${count}`, 0);
  return count;
}

/** Split the frame into its parts: views, nothing copied. `count` is what `readCount` returned. */
export function readParts(frame: Uint8Array, count: number, layout: TableLayout): Uint8Array[] {
  const offsets = readOffsets(frame, count, layout);
  const ends = layout.lastIsEnd ? offsets.slice(1) : [...offsets.slice(1), frame.byteLength];
  return ends.map((end, i) => frame.subarray(offsets[i], end));
}

/** Write the table and the parts into one new frame. */
export function writeFrame(
  parts: readonly Uint8Array[],
  layout: TableLayout,
): Uint8Array<ArrayBuffer> {
  const count = parts.length + (layout.lastIsEnd ? 1 : 0);
  let offset = layout.width * (count + 1);
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, offset));
  const view = dataView(frame);
  writeNumber(view, 0, count, layout);
  parts.forEach((part, i) => {
    writeNumber(view, layout.width * (i + 1), offset, layout);
    frame.set(part, offset);
    offset += part.byteLength;
  });
  if (layout.lastIsEnd) writeNumber(view, layout.width * count, offset, layout);
  return frame;
}

function readOffsets(frame: Uint8Array, count: number, layout: TableLayout): number[] {
  const view = dataView(frame);
  const { width } = layout;
  const start = width * (count + 1);
  const offsets: number[] = [];
  let before = start;
  for (let i = 0; i < count; i++) {
    const at = width * (i + 1);
    const offset = readNumber(view, at, layout);
    if (i === 0 && offset !== start) throw fault(`offset 0: expected ${start}, got ${offset}`, at);
    if (offset < before) throw fault(`offset ${i} is ${offset}, the one before ${before}`, at);
    if (offset > frame.byteLength) {
      throw fault(`offset ${i} is ${offset}, frame has ${frame.byteLength} bytes`, at);
    }
    offsets.push(offset);
    before = offset;
  }
  if (layout.lastIsEnd && before !== frame.byteLength) {
    throw fault(`last offset: expected ${frame.byteLength}, got ${before}`, width * count);
  }
  return offsets;
}

function dataView(frame: Uint8Array): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
}

function readNumber(view: DataView, at: number, { width, littleEndian }: TableLayout): number {
  return width === 4
    ? view.getUint32(at, littleEndian)
    : Number(view.getBigUint64(at, littleEndian));
}

function writeNumber(
  view: DataView,
  at: number,
  value: number,
  { width, littleEndian }: TableLayout,
): void {
  if (width === 4) view.setUint32(at, value, littleEndian);
  else view.setBigUint64(at, BigInt(value), littleEndian);
}

function fault(message: string, offset: number): WireError {
  return new WireError(message, { part: PART, offset });
}
