/**
 * What is kept of a comm for a session that takes it up later: its `comm_open` and its newest messages; the twin
 * of `src/tsushin/profile/kept.py`.
 *
 * Spec: spec/profile.md, "Taking up".
 */
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import { msgType } from "../protocol/messages.js";

export const MAX_OPEN_BYTES = 2 ** 20; // a larger comm_open is not kept: one for each comm adds up

/** What is kept of one comm. */
export class Kept {
  readonly #count: number;
  readonly #limits: Limits;
  readonly #messages: { message: Message; nbytes: number }[] = [];
  #open: Message | null = null;
  #openBytes = 0;
  /** What is kept, in bytes. */
  nbytes = 0;

  /** `count` is how many of its messages, besides the open. They have at most `max_history_bytes`. */
  constructor(count = 0, limits: Limits = DEFAULT_LIMITS) {
    this.#count = count;
    this.#limits = limits;
  }

  /** A message of the comm has left. */
  put(message: Message, nbytes: number): void {
    if (msgType(message) === "comm_open") {
      if (nbytes > MAX_OPEN_BYTES) return;
      this.#open = message;
      this.#openBytes = nbytes;
      this.nbytes += nbytes;
      return;
    }
    this.#messages.push({ message, nbytes });
    this.nbytes += nbytes;
    const most = this.#limits.max_history_bytes + this.#openBytes;
    while (this.#messages.length > this.#count || this.nbytes > most) {
      const oldest = this.#messages.shift();
      if (oldest === undefined) return;
      this.nbytes -= oldest.nbytes;
    }
  }

  /** Return what is kept, in order; the open first, or nothing where it is not kept. */
  messages(): Message[] {
    if (this.#open === null) return [];
    return [this.#open, ...this.#messages.map(({ message }) => message)];
  }
}
