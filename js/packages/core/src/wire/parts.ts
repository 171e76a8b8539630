/** JSON parts of a frame, decoded strictly: UTF-8, one object, bounded. */
import { WireError, quote } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import { checkLimit } from "../protocol/limits.js";
import type { Channel, Header, JsonObject, Message } from "../protocol/messages.js";
import { CHANNELS, isJsonObject } from "../protocol/messages.js";

const encoder = new TextEncoder();
// ignoreBOM keeps a byte order mark in the text, where JSON.parse refuses it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const MAX_DEPTH = 1000; // levels; parsers of other languages stop between 256 and 1,000
/** Return `value` as compact JSON in UTF-8. */
export function encodeJson(value: JsonObject | Header): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value));
}

/** Return text as UTF-8. */
export function encodeText(value: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(value);
}

/** Decode UTF-8; throws `WireError` at `part` where the bytes are none. */
export function decodeText(bytes: Uint8Array, part: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new WireError("expected UTF-8", { part });
  }
}

/** Parse JSON; throws `WireError` at `part` where it is none, or nested too deeply. */
export function parse(text: string, part: string): unknown {
  if (isTooDeep(text)) {
    throw new WireError(`expected JSON of at most ${MAX_DEPTH} levels`, { part });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WireError(`expected JSON, got ${quote(text)}`, { part });
  }
}

/**
 * Tell whether brackets nest deeper than `MAX_DEPTH`. `JSON.parse` takes any depth, but whoever walks the
 * result, `JSON.stringify` included, runs out of stack.
 */
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_DEPTH) return false; // each level is two characters at least
  let depth = 0;
  for (let at = 0; at < text.length && depth <= MAX_DEPTH; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
  }
  return depth > MAX_DEPTH;
}

/** Return where the string that begins at `start` ends; it may hold brackets and escaped quotes. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** Return `value` as a JSON object; throws `WireError` at `part` where it is none. */
export function demandObject(value: unknown, part: string): JsonObject {
  if (isJsonObject(value)) return value;
  const got = value === undefined ? "it is missing" : `got ${quote(value)}`;
  throw new WireError(`expected a JSON object, ${got}`, { part });
}

/** The same, but an empty list means `{}`: IRkernel writes it so. */
export function demandObjectOrEmptyList(value: unknown, part: string): JsonObject {
  return Array.isArray(value) && value.length === 0 ? {} : demandObject(value, part);
}

/** Check what every message needs of its header: string `msg_id` and `msg_type`, string `session` if any. */
export function demandHeader(value: unknown): Header {
  const header = demandObject(value, "header");
  for (const key of ["msg_id", "msg_type", "session"]) {
    const field = header[key];
    if (typeof field === "string" || (key === "session" && field === undefined)) continue;
    const got = field === undefined ? "it is missing" : `got ${quote(field)}`;
    throw new WireError(`${key}: expected string, ${got}`, { part: "header" });
  }
  return header as unknown as Header; // the three fields that are read were checked above
}

/** Return `value` as a channel; throws `WireError` where it is none. */
export function demandChannel(value: unknown): Channel {
  const channel = CHANNELS.find((known) => known === value);
  if (channel !== undefined) return channel;
  const got = value === undefined ? "it is missing" : `got ${quote(value)}`;
  throw new WireError(`expected one of ${CHANNELS.join(", ")}, ${got}`, { part: "channel" });
}

/** The four JSON parts of a message, as every carrier but the default WebSocket one has them. */
export interface JsonParts {
  header: Header;
  parent_header: JsonObject;
  metadata: JsonObject;
  content: JsonObject;
}

const PART_NAMES = ["header", "parent_header", "metadata", "content"] as const;

/** Encode header, parent_header, metadata and content, in the order of the wire. */
export function encodeParts(message: JsonParts): Uint8Array<ArrayBuffer>[] {
  return PART_NAMES.map((name) => encodeJson(message[name]));
}

/** Check the sizes of the four JSON parts; throws `LimitExceeded`, naming the part. */
export function checkPartSizes(parts: readonly Uint8Array[], limits: Limits): void {
  PART_NAMES.forEach((name, i) =>
    checkLimit(limits, "max_json_bytes", parts[i]?.byteLength ?? 0, name),
  );
}

/** Decode four JSON parts whose sizes were checked. Throws `WireError`, naming the part. */
export function decodeParts(parts: readonly Uint8Array[]): JsonParts {
  const [header, parent_header, metadata, content] = PART_NAMES.map((name, i) =>
    parse(decodeText(parts[i] ?? new Uint8Array(), name), name),
  );
  return {
    header: demandHeader(header),
    parent_header: demandObjectOrEmptyList(parent_header, "parent_header"),
    metadata: demandObjectOrEmptyList(metadata, "metadata"),
    content: demandObject(content, "content"),
  };
}

/** Return a message whose JSON is parsed already. Throws `WireError`, naming the part that is not right. */
export function messageOf(value: unknown, buffers: readonly Uint8Array[]): Message {
  const json = demandObject(value, "message");
  return {
    channel: demandChannel(json.channel),
    header: demandHeader(json.header),
    parent_header: demandObjectOrEmptyList(json.parent_header, "parent_header"),
    metadata: demandObjectOrEmptyList(json.metadata, "metadata"),
    content: demandObject(json.content, "content"),
    buffers,
    identities: [],
  };
}
