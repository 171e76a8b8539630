/**
 * The WebSocket default subprotocol: JSON text, or a binary frame when there are buffers.
 *
 * Binary: count of parts and their offsets as unsigned 32-bit big-endian, then the JSON, then the
 * buffers; each part ends where the next begins.
 *
 * Spec: jupyter_server, WebSocket protocols, "Default WebSocket protocol".
 * Vectors: spec/vectors/ws-default.
 */
import { WireError, quote } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS, checkLimit } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import { decodeText, demandObject, messageOf, encodeJson, encodeText, parse } from "./parts.js";
import type { TableLayout } from "./offsets.js";
import { readCount, readParts, writeFrame } from "./offsets.js";

const LAYOUT: TableLayout = { width: 4, littleEndian: false, least: 1, lastIsEnd: false };

/**
 * Encode `message`: text without buffers, binary with them. The message is never changed, and a buffer
 * that is a view into larger memory sends its own bytes only (STYLE 12, A and B).
 */
export function encode(message: Message): string | Uint8Array<ArrayBuffer> {
  const { channel, header, parent_header, metadata, content, buffers } = message;
  const json = { channel, header, parent_header, metadata, content };
  if (buffers.length === 0) return JSON.stringify({ ...json, buffers: [] });
  return writeFrame([encodeJson(json), ...buffers], LAYOUT);
}

/**
 * Decode one frame, text or binary. `buffers` are views into the frame.
 *
 * Throws `WireError` or `LimitExceeded`.
 */
export function decode(frame: string | Uint8Array, limits: Limits = DEFAULT_LIMITS): Message {
  return typeof frame === "string" ? decodeString(frame, limits) : decodeBinary(frame, limits);
}

function decodeString(frame: string, limits: Limits): Message {
  // UTF-8 is never shorter than the count of UTF-16 units: only a frame near the limit is measured.
  const least = frame.length;
  const size = least * 3 > limits.max_json_bytes ? encodeText(frame).byteLength : least;
  checkLimit(limits, "max_message_bytes", size);
  checkLimit(limits, "max_json_bytes", size, "message");
  return fromJson(frame, []);
}

function decodeBinary(frame: Uint8Array, limits: Limits): Message {
  checkLimit(limits, "max_message_bytes", frame.byteLength);
  const count = readCount(frame, LAYOUT);
  checkLimit(limits, "max_buffers", count - LAYOUT.least);
  const [json = new Uint8Array(), ...buffers] = readParts(frame, count, LAYOUT);
  checkLimit(limits, "max_json_bytes", json.byteLength, "message");
  return fromJson(decodeText(json, "message"), buffers);
}

function fromJson(text: string, buffers: Uint8Array[]): Message {
  const json = demandObject(parse(text, "message"), "message");
  const inside = Object.hasOwn(json, "buffers") ? json.buffers : [];
  if (!Array.isArray(inside) || inside.length > 0) {
    throw new WireError(`expected an empty list, got ${quote(inside)}`, { part: "buffers" });
  }
  return messageOf(json, buffers);
}
