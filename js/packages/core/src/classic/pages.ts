/** Small differences between our messages and data and those of the classic notebook. */
import type { ClassicMessage } from "../protocol/messages.js";
import type { Message } from "../protocol/messages.js";
import { toClassic } from "../protocol/messages.js";
import { isBufferLike } from "../protocol/views.js";
import type { PageMessage } from "./types.js";

/** Return a message with its buffers as `DataView`s; nothing is copied. */
export function pageMessage(message: ClassicMessage<string, unknown>): PageMessage {
  const buffers = message.buffers.map(
    (view) => new DataView(view.buffer, view.byteOffset, view.byteLength),
  );
  return { ...message, buffers } as PageMessage;
}

/** The same for a message as it comes from the transport. */
export function pageMessageOf(message: Message): PageMessage {
  return pageMessage(toClassic(message));
}

/**
 * Return data as `JSON.stringify` would have sent it, because pages rely on that: what JSON cannot carry
 * is left out or null, `toJSON` is called. Binary is kept: it travels as buffers.
 */
export function lenientData(value: unknown): unknown {
  if (isBufferLike(value) || typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object" || value === null) return isLeftOut(value) ? null : value;
  if (hasToJson(value)) return lenientData(value.toJSON());
  if (Array.isArray(value)) return Array.from(value, lenientData);
  const kept = Object.entries(value).filter(([, item]) => !isLeftOut(item));
  return Object.fromEntries(kept.map(([key, item]) => [key, lenientData(item)]));
}

function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol";
}

function hasToJson(value: object): value is { toJSON: () => unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}
