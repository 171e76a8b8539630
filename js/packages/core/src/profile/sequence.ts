/**
 * One sequence of numbered messages: what its sender keeps, and what its receiver makes of it; the twin of
 * `src/tsushin/profile/sequence.py`.
 *
 * Spec: spec/profile.md, "Sequence".
 */
import type { Message } from "../protocol/messages.js";
import type { Joiner } from "./pieces.js";

/** A message that was sent, with its number and its size in bytes. */
export interface Kept {
  readonly number: number;
  readonly message: Message;
  readonly nbytes: number;
}

/** What was sent and may have to be sent again, oldest first. */
export class History {
  /** What is kept, in bytes. */
  nbytes = 0;
  readonly #kept: Kept[] = [];

  get length(): number {
    return this.#kept.length;
  }

  /** The newest message, if one is kept. */
  get newest(): Kept | undefined {
    return this.#kept.at(-1);
  }

  /** The number of the newest message; 0 where none is kept. */
  get last(): number {
    return this.newest?.number ?? 0;
  }

  /** Keep a message. */
  put(kept: Kept): void {
    this.#kept.push(kept);
    this.nbytes += kept.nbytes;
  }

  /** Forget the oldest; return its size in bytes. */
  dropOldest(): number {
    const nbytes = this.#kept.shift()?.nbytes ?? 0;
    this.nbytes -= nbytes;
    return nbytes;
  }

  /** Forget everything up to a number; return how many bytes that were. */
  free(upto: number): number {
    let freed = 0;
    while ((this.#kept[0]?.number ?? Infinity) <= upto) freed += this.dropOldest();
    return freed;
  }

  /** Return what is kept of these numbers, both included. */
  between(first: number, last: number): Kept[] {
    return this.#kept.filter(({ number }) => first <= number && number <= last);
  }
}

/** A sequence as its receiver sees it. */
export class Incoming {
  /** The number that is handed on next. */
  next: number;
  /** What came too early, by number. */
  readonly held = new Map<number, Message>();
  /** The highest number that the sender is known to have used. */
  known = 0;
  /** How often the oldest hole was asked for. */
  asked = 0;
  /** When it is asked for next; null where that is not settled. */
  askAt: number | null = null;
  /** The highest number that was asked for. */
  askedUpto = 0;
  /** Of buffers in `held`, in bytes. */
  heldBytes = 0;
  /** Of the pieces in it, once there are any. */
  joiner: Joiner | null = null;

  constructor(next: number) {
    this.next = next;
  }

  /** Take a message; return what can be handed on now, in order. One that was here is dropped. */
  take(number: number, message: Message): Message[] {
    if (number < this.next) return [];
    this.known = Math.max(this.known, number);
    if (number > this.next) {
      if (!this.held.has(number)) {
        this.held.set(number, message);
        this.heldBytes += bytesOf(message);
      }
      return [];
    }
    this.next += 1;
    return [message, ...this.#run()];
  }

  /** Return the first and the last number of the oldest hole; null where there is none. */
  missing(): [number, number] | null {
    if (this.held.size > 0) return [this.next, this.firstHeld() - 1];
    return this.known >= this.next ? [this.next, this.known] : null;
  }

  /** Return the lowest number that came too early; infinity where there is none. */
  firstHeld(): number {
    let lowest = Infinity;
    for (const number of this.held.keys()) if (number < lowest) lowest = number;
    return lowest;
  }

  /** Give up what is missing up to a number; return how many that were, and what can be handed on. */
  skip(upto: number): [number, Message[]] {
    // Not number by number: a peer may name any.
    const early = [...this.held.keys()].filter((number) => number <= upto).sort((a, b) => a - b);
    const released = early.flatMap((number) => this.#take(number) ?? []);
    const missed = Math.max(0, upto - this.next + 1 - released.length);
    this.next = Math.max(this.next, upto + 1);
    this.known = Math.max(this.known, upto);
    return [missed, [...released, ...this.#run()]];
  }

  /** What was up to a number is known in another way; return what can be handed on after it. */
  restart(upto: number): Message[] {
    for (const number of [...this.held.keys()]) if (number <= upto) this.#take(number);
    this.next = upto + 1;
    this.known = Math.max(this.known, upto);
    this.joiner = null;
    return this.#run();
  }

  #take(number: number): Message | undefined {
    const message = this.held.get(number);
    if (this.held.delete(number) && message !== undefined) this.heldBytes -= bytesOf(message);
    return message;
  }

  #run(): Message[] {
    const released: Message[] = [];
    for (;;) {
      const message = this.#take(this.next);
      if (message === undefined) break;
      released.push(message);
      this.next += 1;
    }
    this.asked = 0; // what is missing now is another hole
    this.askAt = null;
    return released;
  }
}

function bytesOf({ buffers }: Message): number {
  return buffers.reduce((total, view) => total + view.byteLength, 0);
}
