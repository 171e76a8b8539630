/**
 * Comms that the peer has opened to targets that are not registered here yet, each with its messages.
 *
 * Bounded over all of them: when the bound is passed the comm that has waited longest goes, whole, because
 * half a conversation helps nobody. Of a single one the oldest messages go, never its open.
 */
import { keptBytes } from "./inbox.js";
import type { Limits } from "./limits.js";
import { DEFAULT_LIMITS } from "./limits.js";
import type { Message } from "./messages.js";

interface Item {
  readonly message: Message;
  readonly size: number;
}

interface Waiting {
  readonly target_name: string;
  /** The open, then what came after it. */
  readonly items: Item[];
}

/** Where comms wait for their target. */
export class WaitingRoom {
  /** How many messages were dropped so far because nobody registered their target (count). */
  dropped = 0;
  readonly #limits: Limits;
  readonly #comms = new Map<string, Waiting>(); // in the order they were opened
  #count = 0;
  #nbytes = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  has(comm_id: string): boolean {
    return this.#comms.has(comm_id);
  }

  /** Keep a `comm_open`. */
  open(comm_id: string, target_name: string, message: Message): void {
    this.#comms.set(comm_id, { target_name, items: [] });
    this.put(comm_id, message);
  }

  /** Keep a message of a comm that waits. */
  put(comm_id: string, message: Message): void {
    const size = keptBytes(message);
    this.#comms.get(comm_id)?.items.push({ message, size });
    this.#count += 1;
    this.#nbytes += size;
    while (this.#isOver() && this.#dropOldest());
  }

  /** Forget one comm; `dropped` does not count it. */
  forget(comm_id: string): void {
    for (const item of this.#comms.get(comm_id)?.items ?? []) this.#uncount(item);
    this.#comms.delete(comm_id);
  }

  /** Take the messages of all comms that wait for `target_name`: comm by comm, each in order. */
  take(target_name: string): Message[] {
    const due = [...this.#comms].filter(([, waiting]) => waiting.target_name === target_name);
    for (const [comm_id] of due) this.forget(comm_id);
    return due.flatMap(([, { items }]) => items.map(({ message }) => message));
  }

  /** Forget everything; `dropped` does not count it. */
  clear(): void {
    this.#comms.clear();
    this.#count = this.#nbytes = 0;
  }

  #isOver(): boolean {
    const { max_kept_messages, max_kept_bytes } = this.#limits;
    return this.#count > max_kept_messages || this.#nbytes > max_kept_bytes;
  }

  /** Return false where nothing can go: one comm with its open and its newest message. */
  #dropOldest(): boolean {
    for (const [comm_id, { items }] of this.#comms) {
      if (this.#comms.size > 1) {
        this.dropped += items.length;
        this.forget(comm_id);
        return true;
      }
      const [oldest] = items.length > 2 ? items.splice(1, 1) : [];
      if (oldest === undefined) return false;
      this.dropped += 1;
      this.#uncount(oldest);
      return true;
    }
    return false;
  }

  #uncount({ size }: Item): void {
    this.#count -= 1;
    this.#nbytes -= size;
  }
}
