/**
 * Messages of one comm that nobody has read yet: first in, first out, bounded.
 *
 * When the bound is passed the oldest are dropped and counted: what a user wants to see after a pause is
 * the newest state, and a count lets them know that they missed something.
 */
import type { Limits } from "./limits.js";
import { DEFAULT_LIMITS } from "./limits.js";
import type { Message } from "./messages.js";
import { isBufferLike } from "./views.js";

/** Return what keeping `message` costs: its content as JSON plus its binary, in bytes. */
export function keptBytes(message: Message): number {
  let binary = message.buffers.reduce((sum, view) => sum + view.byteLength, 0);
  const json = JSON.stringify(message.content, (_key, value: unknown) => {
    if (!isBufferLike(value)) return value;
    binary += value.byteLength;
    return null;
  });
  return new TextEncoder().encode(json).byteLength + binary;
}

/** A bounded queue of messages. */
export class Inbox {
  /** How many messages were dropped so far (count). */
  dropped = 0;
  /** Bytes held now. */
  nbytes = 0;
  readonly #items: { message: Message; size: number }[] = [];
  readonly #limits: Limits;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#items.length;
  }

  /**
   * Keep `message`; return how many older ones had to go (0 as a rule). One message larger than the
   * whole bound is kept alone: the newest always survives.
   */
  put(message: Message): number {
    const size = keptBytes(message);
    this.#items.push({ message, size });
    this.nbytes += size;
    const before = this.dropped;
    while (this.#items.length > 1 && this.#isOver()) {
      this.take();
      this.dropped += 1;
    }
    return this.dropped - before;
  }

  /** Return the oldest message and forget it, or null where there is none. */
  take(): Message | null {
    const item = this.#items.shift();
    if (item === undefined) return null;
    this.nbytes -= item.size;
    return item.message;
  }

  /** Forget everything; `dropped` does not count it. */
  clear(): void {
    this.#items.length = 0;
    this.nbytes = 0;
  }

  #isOver(): boolean {
    const { max_kept_messages, max_kept_bytes } = this.#limits;
    return this.#items.length > max_kept_messages || this.nbytes > max_kept_bytes;
  }
}
