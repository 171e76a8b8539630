/**
 * Messages inside the custom messages of an anywidget (AFM) model: the wire of the bridge; the twin of
 * `src/tsushin/wire/afm.py`.
 *
 * The model's carrier moves JSON and, beside it, buffers.
 *
 * Spec: docs/reference/wire.md, "The bridge".
 */
import { checkLimit, DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Limits } from "../protocol/limits.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { byteView } from "../protocol/views.js";
import type { BufferLike } from "../protocol/views.js";
import { messageOf } from "./parts.js";

export const MARK = "tsushin";
export const VERSION = 1;

/** Return the JSON of `message`, without its buffers; a copy, because hosts send it later. */
export function encode(message: Message): JsonObject {
  const { channel, header, parent_header, metadata, content } = message;
  const json = { channel, header, parent_header, metadata, content };
  return JSON.parse(JSON.stringify(json)) as JsonObject;
}

/** Return copies of the buffers: JupyterLab sends the wrong bytes of a view into larger memory (STYLE 12, A). */
export function encodeBuffers(message: Message): ArrayBuffer[] {
  return message.buffers.map((view) => Uint8Array.from(view).buffer);
}

/**
 * Return the message that a peer packed by `encode`; `buffers` are not copied.
 *
 * Throws `WireError` where a part is missing or not what it should be, or `LimitExceeded`.
 */
export function decode(
  value: unknown,
  buffers: readonly BufferLike[] = [],
  limits: Limits = DEFAULT_LIMITS,
): Message {
  checkLimit(limits, "max_buffers", buffers.length);
  const views = buffers.map(byteView);
  const size = views.reduce((sum, view) => sum + view.byteLength, 0);
  checkLimit(limits, "max_message_bytes", size);
  return messageOf(value, views);
}
