/**
 * Large messages in pieces, and whole again: no message on the way is larger than `PIECE_BYTES`; the twin of
 * `src/tsushin/profile/pieces.py`.
 *
 * A piece is a message with the header of the whole one and a part of its bytes. It has a number of its own, so
 * it is confirmed, repaired and held back like any other. The bytes are the JSON of what is no header, then the
 * buffers; the first piece says how long each of these is.
 *
 * Spec: spec/profile.md, "Pieces".
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject, newMessage } from "../protocol/messages.js";

export const PIECE_BYTES = 2 ** 20;
export const CUT_ABOVE_BYTES = 8 * 2 ** 20; // Jupyter Server takes 10 MiB; what is smaller travels whole

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A piece and its size in bytes. */
export interface Piece {
  readonly message: Message;
  readonly nbytes: number;
}

/**
 * Return what a message says of itself as a piece; null where it is whole. Throws `RemoteProtocolError`: it is
 * malformed.
 */
export function pieceOf(message: Message): JsonObject | null {
  const ours = message.metadata.tsushin;
  const piece = isJsonObject(ours) ? ours.piece : undefined;
  if (piece === undefined || piece === null) return null;
  if (isJsonObject(piece)) return piece;
  throw new RemoteProtocolError(`piece: expected an object, got ${quote(piece)}`);
}

/** Return the size of a message in bytes, and its pieces, made as they are taken, each of `piece_bytes` at most. */
export function cut(
  message: Message,
  piece_bytes = PIECE_BYTES,
): { total: number; pieces: Iterator<Piece> } {
  const { parent_header, metadata, content } = message;
  const head = encoder.encode(JSON.stringify({ parent_header, metadata, content }));
  const parts = [head, ...message.buffers];
  const sizes = parts.map((part) => part.byteLength);
  return { total: sum(sizes), pieces: piecesOf(message, parts, sizes, piece_bytes) };
}

/** Return the piece that says that no more of a message comes. */
export function dropped(message: Message): Message {
  return piece(message, { dropped: true }, []);
}

/** Joins the pieces of one sequence. Give it every message that is handed on, in order. */
export class Joiner {
  /** A message is here in part. */
  isJoining = false;
  readonly #limits: Limits;
  #parts: Uint8Array[] = [];
  #at = 0; // the part that is filled now, and how far
  #offset = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Return a whole message: this one, or the one of which this is the last piece. Throws `RemoteProtocolError`:
   * pieces that do not add up, or a message above the limit; it is dropped.
   */
  take(message: Message): Message | null {
    const about = pieceOf(message);
    if (about === null) {
      this.#drop();
      return message;
    }
    if (about.sizes !== undefined) this.#begin(about.sizes);
    else if (about.dropped === true) this.#drop();
    if (!this.isJoining) return null; // it was dropped, or its beginning is missing for good
    for (const buffer of message.buffers) this.#fill(buffer);
    return this.#isFull() ? this.#whole(message) : null;
  }

  #begin(sizes: unknown): void {
    this.#drop();
    const isSize = (n: unknown) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0;
    if (!Array.isArray(sizes) || sizes.length === 0 || !sizes.every(isSize)) {
      throw new RemoteProtocolError(`piece: expected sizes in bytes, got ${quote(sizes)}`);
    }
    const [head = 0, ...buffers] = sizes as number[];
    const total = head + sum(buffers);
    this.#check(total, "max_joined_bytes");
    this.#check(head, "max_json_bytes");
    this.#check(buffers.length, "max_buffers");
    try {
      this.#parts = [head, ...buffers].map((size) => new Uint8Array(size));
    } catch {
      throw new RemoteProtocolError(`piece: no memory for ${total} bytes: it is dropped`);
    }
    this.isJoining = true;
  }

  #check(actual: number, name: keyof Limits): void {
    if (actual <= this.#limits[name]) return;
    throw new RemoteProtocolError(
      `piece: ${actual} is above ${name} of ${this.#limits[name]}: it is dropped`,
    );
  }

  #fill(buffer: Uint8Array): void {
    let data = buffer;
    while (data.byteLength > 0) {
      const part = this.#isFull() ? undefined : this.#parts[this.#at];
      if (part === undefined) {
        this.#drop();
        throw new RemoteProtocolError("piece: more bytes than its message has; it is dropped");
      }
      const taken = Math.min(part.byteLength - this.#offset, data.byteLength);
      part.set(data.subarray(0, taken), this.#offset);
      data = data.subarray(taken);
      this.#offset += taken;
    }
  }

  /** Go on to the part that has room; say whether there is none. */
  #isFull(): boolean {
    while (this.#parts[this.#at]?.byteLength === this.#offset) {
      this.#at += 1;
      this.#offset = 0;
    }
    return this.#at === this.#parts.length;
  }

  #whole({ channel, header }: Message): Message {
    const [head = new Uint8Array(), ...buffers] = this.#parts;
    this.#drop();
    const { parent_header, metadata, content } = parsed(head);
    if (isJsonObject(parent_header) && isJsonObject(metadata) && isJsonObject(content)) {
      return newMessage(channel, header, { parent_header, metadata, content, buffers });
    }
    throw new RemoteProtocolError("piece: expected parent_header, metadata and content");
  }

  #drop(): void {
    this.#parts = [];
    this.#at = 0;
    this.#offset = 0;
    this.isJoining = false;
  }
}

function parsed(head: Uint8Array): JsonObject {
  try {
    const value: unknown = JSON.parse(decoder.decode(head));
    if (isJsonObject(value)) return value;
  } catch (error) {
    throw new RemoteProtocolError(`piece: ${String(error)}`);
  }
  throw new RemoteProtocolError("piece: expected an object");
}

function* piecesOf(
  message: Message,
  parts: readonly Uint8Array[],
  sizes: readonly number[],
  piece_bytes: number,
): Generator<Piece> {
  let about: JsonObject = { sizes };
  for (const slices of slicesOf(parts, piece_bytes)) {
    const nbytes = sum(slices.map((slice) => slice.byteLength));
    yield { message: piece(message, about, slices), nbytes };
    about = {};
  }
}

function* slicesOf(parts: readonly Uint8Array[], piece_bytes: number): Generator<Uint8Array[]> {
  let slices: Uint8Array[] = [];
  let room = piece_bytes;
  for (const part of parts) {
    let first = 0;
    while (first < part.byteLength) {
      const slice = part.subarray(first, first + room);
      slices.push(slice);
      room -= slice.byteLength;
      first += slice.byteLength;
      if (room > 0) continue;
      yield slices;
      [slices, room] = [[], piece_bytes];
    }
  }
  if (slices.length > 0) yield slices;
}

function piece(message: Message, about: JsonObject, buffers: readonly Uint8Array[]): Message {
  const content = { comm_id: message.content.comm_id, data: {} };
  const metadata = { tsushin: { piece: about } };
  return newMessage(message.channel, message.header, { metadata, content, buffers });
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
