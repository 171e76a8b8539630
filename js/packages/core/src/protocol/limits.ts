/** What a peer may make us hold: every bound has a name, a unit and a reason. */
import { LimitExceeded } from "../errors.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bounds applied before anything is allocated; the names are those of `src/tsushin/protocol/limits.py`. */
export interface Limits {
  /** One whole message on the wire, buffers included; 256 MiB carries a large array in one piece. */
  readonly max_message_bytes: number;
  /** One message that comes in pieces, joined. */
  readonly max_joined_bytes: number;
  /** One JSON part (header, parent_header, metadata, content). */
  readonly max_json_bytes: number;
  /** Binary attachments of one message. ipywidgets sends a handful. */
  readonly max_buffers: number;
  /** ZMQ routing frames ahead of the delimiter; a proxy adds one each. */
  readonly max_identities: number;
  /** Comms open at one end. A page of widgets has hundreds. */
  readonly max_open_comms: number;
  /** Ids remembered after close, so that late messages are told from unknown ones. */
  readonly max_closed_ids: number;
  /** Messages kept per comm until the application first reads. */
  readonly max_kept_messages: number;
  /** The same, in bytes. */
  readonly max_kept_bytes: number;
  /** Messages kept per comm for peers that may have missed them. */
  readonly max_history_messages: number;
  /** The same, in bytes. */
  readonly max_history_bytes: number;
  /** The same for all comms of one end. */
  readonly max_all_history_bytes: number;
  /** Messages of one end that wait because peers have not confirmed those before. */
  readonly max_queue_bytes: number;
  /** Signatures remembered to refuse replays; jupyter_client remembers 65,536. */
  readonly max_signatures: number;
  /** Length of a comm id in characters; the longest seen in use is 80. */
  readonly max_comm_id_chars: number;
}

export const DEFAULT_LIMITS: Limits = Object.freeze({
  max_message_bytes: 256 * MIB,
  max_joined_bytes: 2048 * MIB,
  max_json_bytes: 64 * MIB,
  max_buffers: 4096,
  max_identities: 16,
  max_open_comms: 100_000,
  max_closed_ids: 10_000,
  max_kept_messages: 1000,
  max_kept_bytes: 8 * MIB,
  max_history_messages: 1024,
  max_history_bytes: 8 * MIB,
  max_all_history_bytes: 256 * MIB,
  max_queue_bytes: 64 * MIB,
  max_signatures: 65_536,
  max_comm_id_chars: 256,
});

/** Throw `LimitExceeded` if `actual` is above the limit called `name`. */
export function checkLimit(limits: Limits, name: keyof Limits, actual: number, where = ""): void {
  const allowed = limits[name];
  if (actual <= allowed) return;
  const unit = name.endsWith("_bytes") ? "bytes" : "count";
  throw new LimitExceeded({ limit: name, allowed, actual, unit, where });
}
