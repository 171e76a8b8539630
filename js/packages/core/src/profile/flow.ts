/**
 * How much is sent: what is under way to one peer, and what waits for it; the twin of
 * `src/tsushin/profile/flow.py`.
 *
 * A peer confirms what it has. Until then only so much more is sent as it can lose without harm; what is
 * above that waits. When messages are lost the window is halved, and it grows again with what arrives, as
 * TCP's does: the usual reason for a loss is a server's limit of messages per second.
 *
 * Spec: spec/profile.md, "Flow".
 */
import { QueueFull } from "../errors.js";
import type { Message } from "../protocol/messages.js";
import type { Piece } from "./pieces.js";

const FIRST_WINDOW = 256; // messages
const MIN_WINDOW = 32;
export const MAX_WINDOW = 512;
export const LANE_WINDOW = 1024; // on a lane nothing is lost: no more than is kept of one comm
const WINDOW_BYTES = 4 * 2 ** 20;
const HALVE_EVERY = 0.5; // seconds; losses within that time are one

/** What is under way to one peer. */
export class Flight {
  /** How many messages may be. */
  window = FIRST_WINDOW;
  /** How many are. */
  count = 0;
  /** The same, in bytes. */
  nbytes = 0;
  /** Nothing is lost on its way; the window stays as it is. */
  isSafe = false;
  readonly #sizes = new Map<string, { number: number; nbytes: number }[]>();
  #halvedAt = -Infinity;

  /** Say whether one more message may be sent now, however large. */
  hasRoom(): boolean {
    return this.count < this.window && this.nbytes < WINDOW_BYTES;
  }

  /** A message was sent. */
  left(comm_id: string, number: number, nbytes: number): void {
    const sizes = this.#sizes.get(comm_id) ?? [];
    this.#sizes.set(comm_id, sizes);
    sizes.push({ number, nbytes });
    this.count += 1;
    this.nbytes += nbytes;
  }

  /** The peer has everything of a comm up to a number. */
  arrived(comm_id: string, upto: number): void {
    const sizes = this.#sizes.get(comm_id) ?? [];
    while ((sizes[0]?.number ?? Infinity) <= upto) {
      this.count -= 1;
      this.nbytes -= sizes.shift()?.nbytes ?? 0;
      if (!this.isSafe) this.window = Math.min(MAX_WINDOW, this.window + 1 / this.window);
    }
    if (sizes.length === 0) this.#sizes.delete(comm_id);
  }

  /** What is sent from now on goes another way. */
  changeRoute(isSafe: boolean): void {
    this.isSafe = isSafe;
    this.window = isSafe ? LANE_WINDOW : FIRST_WINDOW;
  }

  /** Something did not arrive: less is sent from now on. */
  lost(now: number): void {
    if (this.isSafe) return;
    if (now - this.#halvedAt < HALVE_EVERY) return;
    this.#halvedAt = now;
    this.window = Math.max(MIN_WINDOW, this.window / 2);
  }
}

/** A message that waits to be sent. */
export interface Waiting {
  readonly message: Message;
  readonly comm_id: string;
  nbytes: number;
  /** Of those with the same key and comm only the newest is sent; null for no such key. */
  readonly coalesce: string | null;
  /** The one session that it is for; null for all. */
  to: string | null;
  /** By which its sender hears how far it is; null where that was not asked for. */
  readonly token: number | null;
  /** It goes by the standard route, where its handling is answered by statuses and outputs. */
  readonly isPlain: boolean;
  /** What is left of a message that goes in pieces; null for one that goes whole. */
  pieces: Iterator<Piece> | null;
  /** Bytes of it that have left. */
  sent: number;
  /** Nobody wants the rest. */
  isDropped: boolean;
}

/** Return a message that waits to be sent to all, whole. */
export function waitingFor(
  message: Message,
  nbytes: number,
  rest: Partial<Pick<Waiting, "coalesce" | "to" | "token" | "isPlain">> = {},
): Waiting {
  const comm_id = String(message.content.comm_id);
  const start = { coalesce: null, to: null, token: null, isPlain: false };
  return { message, comm_id, nbytes, ...start, pieces: null, sent: 0, isDropped: false, ...rest };
}

/** What waits to be sent, in order, bounded in bytes. */
export class Queue {
  /** How much waits. */
  nbytes = 0;
  #number = 0;
  readonly #entries = new Map<number, Waiting>();
  readonly #keys = new Map<string, number>();
  readonly #comms = new Map<string, number>();

  get length(): number {
    return this.#entries.size;
  }

  /** What is sent next, or null. */
  get first(): Waiting | null {
    for (const waiting of this.#entries.values()) return waiting;
    return null;
  }

  /** The number of what was put last; they count from 1, in order. */
  get last(): number {
    return this.#number;
  }

  /** Say whether nothing up to a number waits any more. */
  hasLeft(number: number): boolean {
    for (const first of this.#entries.keys()) return first > number;
    return true;
  }

  /** Say whether something of a comm waits. */
  has(comm_id: string): boolean {
    return this.#comms.has(comm_id);
  }

  /**
   * Add a message; what it replaces is dropped. One that is larger than the bound waits alone. `max_bytes` of
   * null is no bound. Throws `QueueFull`: so much waits that this one has no place.
   */
  put(waiting: Waiting, max_bytes: number | null): void {
    const { comm_id } = waiting;
    const key = keyOf(waiting);
    const before = key === null ? undefined : this.#keys.get(key);
    const size = this.nbytes + waiting.nbytes;
    if (max_bytes !== null && before === undefined && this.length > 0 && size > max_bytes) {
      const about = `comm ${comm_id}: ${this.length} messages wait for peers; await comm.drain()`;
      throw new QueueFull(about, { queued: this.nbytes, limit: max_bytes });
    }
    if (before !== undefined) this.#remove(before);
    this.#number += 1;
    this.#entries.set(this.#number, waiting);
    this.#comms.set(comm_id, (this.#comms.get(comm_id) ?? 0) + 1);
    this.nbytes += waiting.nbytes;
    if (key !== null) this.#keys.set(key, this.#number);
  }

  /** Return what is sent next and forget it, or null. */
  take(): Waiting | null {
    for (const number of this.#entries.keys()) return this.#remove(number);
    return null;
  }

  /** So many bytes of the first one have left: it is not replaced any more. */
  sent(nbytes: number): void {
    for (const [number, first] of this.#entries) {
      first.sent += nbytes;
      this.nbytes -= nbytes;
      this.#forgetKey(number, first);
      return;
    }
  }

  /** Forget what nobody wants; of a message that has left in part, the rest. */
  drop(isUnwanted: (waiting: Waiting) => boolean): void {
    for (const [number, waiting] of [...this.#entries]) {
      if (!isUnwanted(waiting)) continue;
      if (waiting.sent > 0) waiting.isDropped = true;
      else this.#remove(number);
    }
  }

  /** Forget all that waits. */
  clear(): void {
    this.#entries.clear();
    this.#keys.clear();
    this.#comms.clear();
    this.nbytes = 0;
  }

  #remove(number: number): Waiting | null {
    const waiting = this.#entries.get(number);
    if (waiting === undefined) return null;
    this.#entries.delete(number);
    this.nbytes -= waiting.nbytes - waiting.sent;
    const { comm_id } = waiting;
    const left = (this.#comms.get(comm_id) ?? 1) - 1;
    if (left === 0) this.#comms.delete(comm_id);
    else this.#comms.set(comm_id, left);
    this.#forgetKey(number, waiting);
    return waiting;
  }

  #forgetKey(number: number, waiting: Waiting): void {
    const key = keyOf(waiting);
    if (key !== null && this.#keys.get(key) === number) this.#keys.delete(key);
  }
}

function keyOf({ comm_id, coalesce }: Waiting): string | null {
  return coalesce === null ? null : JSON.stringify([comm_id, coalesce]);
}
