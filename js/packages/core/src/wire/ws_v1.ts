/**
 * The WebSocket subprotocol `v1.kernel.websocket.jupyter.org`: one binary frame per message.
 *
 * Count and offsets as unsigned 64-bit little-endian, then channel, header, parent_header, metadata,
 * content and the buffers; the last offset is the length of the frame.
 *
 * Spec: jupyter_server, WebSocket protocols, "v1.kernel.websocket.jupyter.org".
 * Vectors: spec/vectors/ws-v1.
 */
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS, checkLimit } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import {
  checkPartSizes,
  decodeParts,
  decodeText,
  demandChannel,
  encodeParts,
  encodeText,
} from "./parts.js";
import type { TableLayout } from "./offsets.js";
import { readCount, readParts, writeFrame } from "./offsets.js";

export const SUBPROTOCOL = "v1.kernel.websocket.jupyter.org";

// Five parts without buffers, and the end.
const LAYOUT: TableLayout = { width: 8, littleEndian: true, least: 6, lastIsEnd: true };

/** Encode `message` as one binary frame; every buffer is copied once, into the frame. */
export function encode(message: Message): Uint8Array<ArrayBuffer> {
  const parts = [encodeText(message.channel), ...encodeParts(message), ...message.buffers];
  return writeFrame(parts, LAYOUT);
}

/**
 * Decode one binary frame. `buffers` are views into `frame`: keep it alive and unchanged.
 *
 * Throws `WireError` or `LimitExceeded`.
 */
export function decode(frame: Uint8Array, limits: Limits = DEFAULT_LIMITS): Message {
  checkLimit(limits, "max_message_bytes", frame.byteLength);
  const count = readCount(frame, LAYOUT);
  checkLimit(limits, "max_buffers", count - LAYOUT.least);
  const [channel, ...parts] = readParts(frame, count, LAYOUT);
  checkPartSizes(parts, limits);
  return {
    channel: demandChannel(decodeText(channel ?? new Uint8Array(), "channel")),
    ...decodeParts(parts),
    buffers: parts.slice(4),
    identities: [],
  };
}
