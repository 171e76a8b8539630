/**
 * The timeline as data: what was seen of each comm message, bounded.
 *
 * Buffers are not kept, only their sizes and first bytes; JSON is kept as text, cut to a length. So two
 * thousand entries stay small whatever passes.
 */
import type { JsonObject, Message } from "tsushin";

export type Direction = "kernel-to-page" | "page-to-kernel";
export type CommMessageType = "open" | "msg" | "close";

export interface BufferSummary {
  readonly size_bytes: number;
  /** The first bytes, in hex. */
  readonly head: string;
}

/** One comm message as the timeline shows it. */
export interface Entry {
  /** Counts from 1 and is never reused. */
  readonly seq: number;
  /** Milliseconds since the first entry after the last clear. */
  readonly at_ms: number;
  readonly direction: Direction;
  readonly type: CommMessageType;
  readonly comm_id: string;
  /** The target's name, or "" where the open was not seen. */
  readonly target: string;
  /** JSON of content and metadata, and buffers. */
  readonly size_bytes: number;
  readonly data: string;
  readonly metadata: string;
  readonly buffers: readonly BufferSummary[];
}

export interface Total {
  messages: number;
  bytes: number;
}

export const MAX_ENTRIES = 2_000;
/** Characters of JSON kept for each of data and metadata. */
export const MAX_JSON_CHARACTERS = 16_384;
const MAX_REMEMBERED_COMMS = 10_000;
const HEAD_BYTES = 16;

const TYPES: Record<string, CommMessageType | undefined> = {
  comm_open: "open",
  comm_msg: "msg",
  comm_close: "close",
};

export class TimelineModel {
  readonly totals: Record<Direction, Total> = {
    "kernel-to-page": { messages: 0, bytes: 0 },
    "page-to-kernel": { messages: 0, bytes: 0 },
  };
  #entries: Entry[] = [];
  readonly #targets = new Map<string, string>();
  #seq = 0;
  #start_ms: number | null = null;

  /** The kept entries, oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Record a message; returns its entry, or null when it is no comm message of a user's. */
  record(direction: Direction, message: Message, at_ms: number): Entry | null {
    const type = TYPES[message.header.msg_type];
    if (type === undefined || isOfSessions(message)) return null;
    this.#start_ms ??= at_ms;
    this.#seq += 1;
    const entry = this.#entry(direction, type, message, at_ms - this.#start_ms);
    this.#keep(entry);
    this.totals[direction].messages += 1;
    this.totals[direction].bytes += entry.size_bytes;
    return entry;
  }

  /** Forget all entries and count from nothing; time starts with the next message. */
  clear(): void {
    this.#entries = [];
    this.#start_ms = null;
    for (const total of Object.values(this.totals)) Object.assign(total, { messages: 0, bytes: 0 });
  }

  /** The names of the targets among the kept entries, sorted. */
  targets(): string[] {
    return [...new Set(this.#entries.map((entry) => entry.target))].sort();
  }

  #entry(direction: Direction, type: CommMessageType, message: Message, at_ms: number): Entry {
    const { content, metadata, buffers } = message;
    const comm_id = text(content.comm_id);
    if (type === "open") this.#rememberTarget(comm_id, text(content.target_name));
    const data_json = json(content.data);
    const metadata_json = json(metadata);
    const buffer_bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    return {
      seq: this.#seq,
      at_ms,
      direction,
      type,
      comm_id,
      target: this.#targets.get(comm_id) ?? "",
      size_bytes: contentBytes(content, data_json) + utf8Bytes(metadata_json) + buffer_bytes,
      data: cut(data_json),
      metadata: cut(metadata_json),
      buffers: buffers.map(summary),
    };
  }

  #keep(entry: Entry): void {
    this.#entries.push(entry);
    // In steps, so that a full timeline does not move two thousand entries for each message.
    if (this.#entries.length > MAX_ENTRIES * 1.25)
      this.#entries = this.#entries.slice(-MAX_ENTRIES);
  }

  #rememberTarget(comm_id: string, target: string): void {
    this.#targets.set(comm_id, target);
    if (this.#targets.size <= MAX_REMEMBERED_COMMS) return;
    for (const oldest of this.#targets.keys()) {
      this.#targets.delete(oldest);
      break;
    }
  }
}

/** Bytes of the content's JSON; `data` is written already, the rest is small. */
function contentBytes(content: JsonObject, data_json: string): number {
  const { data, ...rest } = content;
  return (
    utf8Bytes(JSON.stringify(rest)) +
    (data === undefined ? 0 : '"data":,'.length + utf8Bytes(data_json))
  );
}

function json(value: unknown): string {
  return JSON.stringify(value ?? {});
}

const encoder = new TextEncoder();

function utf8Bytes(value: string): number {
  return encoder.encode(value).byteLength;
}

function cut(value: string): string {
  return value.length <= MAX_JSON_CHARACTERS ? value : `${value.slice(0, MAX_JSON_CHARACTERS)}…`;
}

function summary(buffer: Uint8Array): BufferSummary {
  const head = [...buffer.subarray(0, HEAD_BYTES)].map((byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  const more = buffer.byteLength > HEAD_BYTES ? " …" : "";
  return { size_bytes: buffer.byteLength, head: head.join(" ") + more };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** What two ends say to each other about their sessions, beside the users' comms: spec/profile.md. */
function isOfSessions({ content }: Message): boolean {
  return String(content.comm_id).startsWith("tsushin.session");
}
