/**
 * The errors of Tsushin, one tree under `TsushinError`; the twin of `src/tsushin/errors.py`.
 *
 * Three families are told apart by class: your call was illegal and nothing was sent
 * (`LocalProtocolError`); the peer broke a rule (`RemoteProtocolError`); the link is gone
 * (`TransportError`). Each class has a stable `code`; `spec/errors.json` lists them for both
 * languages. A message says what, where, expected and got, and never holds a key, a token or more
 * than 40 characters of what a peer sent (`quote`).
 */
import type { JsonObject, Message } from "./protocol/messages.js";

export type ClosedBy = "here" | "there" | "lost";
export type KernelGoneWhy = "restarted" | "died" | "shut down" | "forked";

const QUOTED_CHARS = 40;

/** Return `value` as JSON, cut to 40 characters: peer data safe to put into an error message. */
export function quote(value: unknown): string {
  const text = brief(value, 2);
  return text.length <= QUOTED_CHARS ? text : `${text.slice(0, QUOTED_CHARS - 1)}…`;
}

/** The first items of `levels` levels: huge or deep peer data costs nothing and cannot fail. */
function brief(value: unknown, levels: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, QUOTED_CHARS + 1));
  if (typeof value !== "object" || value === null) return String(value);
  const isList = Array.isArray(value);
  if (levels === 0) return isList ? "[…]" : "{…}";
  const items: string[] = [];
  for (const key in value) {
    const item = brief((value as Record<string, unknown>)[key], levels - 1);
    items.push(isList ? item : `${brief(key, 0)}:${item}`);
    if (items.length > QUOTED_CHARS) break;
  }
  return isList ? `[${items.join(",")}]` : `{${items.join(",")}}`;
}

/** Base of every error Tsushin throws on its own account. */
export class TsushinError extends Error {
  static readonly code: string = "tsushin_error";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    // From the code, not from the class: minifiers rename classes.
    const name = this.code.replace(/(^|_)([a-z])/g, (_all, _start, letter: string) =>
      letter.toUpperCase(),
    );
    Object.defineProperty(this, "name", { value: name, configurable: true, writable: true });
  }

  get code(): string {
    return (this.constructor as typeof TsushinError).code;
  }
}

/** A rule of the comm protocol was broken. */
export abstract class ProtocolError extends TsushinError {
  static override readonly code: string = "protocol_error";
}

/** Your call is illegal now; nothing was sent. */
export class LocalProtocolError extends ProtocolError {
  static override readonly code: string = "local_protocol_error";
}

/** The comm is closed. `data` is the data of the close, `{}` when the comm was lost. */
export class CommClosed extends LocalProtocolError {
  static override readonly code = "comm_closed";
  readonly closed_by: ClosedBy | null;
  readonly data: JsonObject;

  constructor(message: string, facts: { closed_by?: ClosedBy | null; data?: JsonObject } = {}) {
    super(message);
    this.closed_by = facts.closed_by ?? null;
    this.data = facts.data ?? {};
  }
}

/** The comm was never opened. */
export class CommNotOpen extends LocalProtocolError {
  static override readonly code = "comm_not_open";
}

/** A comm with this id is already known here. */
export class DuplicateComm extends LocalProtocolError {
  static override readonly code = "duplicate_comm";
  readonly comm_id: string;

  constructor(message: string, facts: { comm_id: string }) {
    super(message);
    this.comm_id = facts.comm_id;
  }
}

/** The peer broke a rule. `reply` is the message to answer with, or null when none is wanted. */
export class RemoteProtocolError extends ProtocolError {
  static override readonly code: string = "remote_protocol_error";
  reply: Message | null;

  constructor(message: string, facts: { reply?: Message | null } = {}) {
    super(message);
    this.reply = facts.reply ?? null;
  }
}

/**
 * The bytes are not a message. `part` says where ("header", "offset table", "buffer 3"); `offset` is
 * the byte offset of the fault inside the part (for WebSocket carriers: inside the frame), or null
 * where an offset has no meaning.
 */
export class WireError extends RemoteProtocolError {
  static override readonly code: string = "wire_error";
  readonly part: string;
  readonly offset: number | null;

  constructor(message: string, facts: { part: string; offset?: number | null }) {
    super(`${facts.part}: ${message}`);
    this.part = facts.part;
    this.offset = facts.offset ?? null;
  }
}

/** The signature is missing, wrong, or was seen before. */
export class SignatureError extends WireError {
  static override readonly code = "signature_error";
}

/** A comm was opened to a target that is not registered here. */
export class UnknownTarget extends RemoteProtocolError {
  static override readonly code = "unknown_target";
  readonly target_name: string;

  constructor(message: string, facts: { target_name: string; reply?: Message | null }) {
    super(message, facts);
    this.target_name = facts.target_name;
  }
}

/** A limit of `Limits` was passed. `unit` is "bytes" or "count". */
export class LimitExceeded extends RemoteProtocolError {
  static override readonly code = "limit_exceeded";
  readonly limit: string;
  readonly allowed: number;
  readonly actual: number;
  readonly unit: string;

  constructor(facts: {
    limit: string;
    allowed: number;
    actual: number;
    unit: string;
    where?: string;
  }) {
    const { limit, allowed, actual, unit, where = "" } = facts;
    super(`${where ? `${where}: ` : ""}${limit} is ${allowed} ${unit}, got ${actual}`);
    this.limit = limit;
    this.allowed = allowed;
    this.actual = actual;
    this.unit = unit;
  }
}

/** The link between the ends. */
export class TransportError extends TsushinError {
  static override readonly code: string = "transport_error";
}

/** The link could not be made. */
export class ConnectFailed extends TransportError {
  static override readonly code = "connect_failed";
}

/** The link was closed by us, or orderly by the peer. */
export class TransportClosed extends TransportError {
  static override readonly code = "transport_closed";
}

/** The link broke; `cause` says how where it is known. */
export class TransportLost extends TransportError {
  static override readonly code = "transport_lost";
}

/** The other end answered, with a refusal. */
export class PeerError extends TsushinError {
  static override readonly code: string = "peer_error";
}

/** The peer's handler raised. `name` is its exception's class, `remote_traceback` text or "". */
export class RemoteError extends PeerError {
  static override readonly code = "remote_error";
  readonly remote_traceback: string;

  constructor(message: string, facts: { name: string; remote_traceback?: string }) {
    super(message);
    this.name = facts.name;
    this.remote_traceback = facts.remote_traceback ?? "";
  }
}

/** Nobody can answer. */
export class NoPeer extends PeerError {
  static override readonly code = "no_peer";
}

/** The peer lacks a feature. */
export class Unsupported extends PeerError {
  static override readonly code = "unsupported";
  readonly feature: string;

  constructor(message: string, facts: { feature: string }) {
    super(message);
    this.feature = facts.feature;
  }
}

/** The send queue is full; `queued` and `limit` are in bytes. */
export class QueueFull extends TsushinError {
  static override readonly code = "queue_full";
  readonly queued: number;
  readonly limit: number;

  constructor(message: string, facts: { queued: number; limit: number }) {
    super(message);
    this.queued = facts.queued;
    this.limit = facts.limit;
  }
}

/** Neither a kernel nor an endpoint runs in this process. */
export class NoHost extends TsushinError {
  static override readonly code = "no_host";
}

/** Code run by a frontend raised; `traceback` holds lines as the kernel formats them. */
export class ExecutionError extends TsushinError {
  static override readonly code = "execution_error";
  readonly value: string;
  readonly traceback: readonly string[];

  constructor(facts: { name: string; value: string; traceback: readonly string[] }) {
    const lines = facts.traceback.join("\n");
    super(`${facts.name}: ${facts.value}${lines ? `\n${lines}` : ""}`);
    this.name = facts.name;
    this.value = facts.value;
    this.traceback = facts.traceback;
  }
}

/** The kernel is gone, and with it every comm it had. */
export class KernelGone extends TsushinError {
  static override readonly code = "kernel_gone";
  readonly why: KernelGoneWhy;

  constructor(message: string, facts: { why: KernelGoneWhy }) {
    super(message);
    this.why = facts.why;
  }
}
