/**
 * An answer in parts, as whoever asked reads it: `for await (const part of comm.stream(…))`; the twin of
 * `src/tsushin/streams.py`.
 *
 * What has arrived waits here, at most a window of it: whoever answers is told what was taken, and sends no
 * more than the window ahead of that.
 */
import type { WaitOptions } from "./expected.js";
import { DEFAULT_TIMEOUT, Expected } from "./expected.js";
import type { Peer } from "./peers.js";

/** Parts of a stream that may be unread. */
export const DEFAULT_WINDOW = 16;

export interface StreamOptions extends WaitOptions {
  /** Parts that may have arrived unread; the function waits at its `yield` until one is read. */
  window?: number;
  /** One of `comm_manager.peers`, or its session; without it every peer is asked, and the first part counts. */
  to?: Peer | string | null;
}

/** What whoever makes a stream does about it. */
export interface StreamHooks {
  /** So many parts were taken in all. */
  giveCredit(taken: number): void;
  /** No more is wanted; called once. */
  cancel(): void;
}

/**
 * The parts of one answer, to be iterated once. Leaving a `for await` loop early ends the function that
 * answers.
 */
export class Stream implements AsyncIterableIterator<unknown> {
  readonly about: string;
  readonly window: number;
  readonly #hooks: StreamHooks;
  readonly #timeout: number;
  #parts: unknown[] = [];
  #taken = 0;
  #credited = 0;
  #isOver = false;
  #error: unknown = null;
  #arrival: Expected<null> | null = null;

  /** `about` is how errors name it. Throws RangeError: the window is below 1. */
  constructor(about: string, options: StreamOptions, hooks: StreamHooks) {
    const { window = DEFAULT_WINDOW, timeout = DEFAULT_TIMEOUT, signal } = options;
    if (!(window >= 1)) throw new RangeError(`window: expected 1 or more parts, got ${window}`);
    this.about = about;
    this.window = window;
    this.#hooks = hooks;
    this.#timeout = timeout;
    const abort = () => this.#leave(signal?.reason);
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  }

  // ---------------------------------------------------------------- for Requests

  /** Say whether more is wanted. */
  get isWaiting(): boolean {
    return !this.#isOver;
  }

  /** Add a part. */
  put(part: unknown): void {
    if (!this.#isOver) this.#parts.push(part);
    this.#arrived();
  }

  /** It ends; `value` is the answer of a function that gives no parts, else null. */
  settle(value: unknown): boolean {
    if (value !== null && this.#taken === 0 && !this.#isOver) this.#parts.push(value);
    this.#isOver = true;
    this.#arrived();
    return true;
  }

  /** It ends with `error`, after the parts that are here. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    [this.#isOver, this.#error] = [true, error];
    this.#arrived();
  }

  /** Whoever answers may not have heard how many parts were taken. */
  giveCreditAgain(): void {
    this.#credited = this.#taken;
    if (this.#taken > 0 && !this.#isOver) this.#hooks.giveCredit(this.#taken);
  }

  // ---------------------------------------------------------------- reading

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Resolve with the next part. Rejected as the promise of `Comm.request` is. */
  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#parts.length === 0 && !this.#isOver) {
      this.#arrival = new Expected<null>(this.about, { timeout: this.#timeout });
      try {
        await this.#arrival.promise;
      } catch (error) {
        this.#leave(error);
      }
    }
    if (this.#parts.length > 0) return { done: false, value: this.#take() };
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw error as Error;
    return { done: true, value: undefined };
  }

  /** No more is wanted: the function that answers is ended, and what is here is dropped. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#leave(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  // ---------------------------------------------------------------- inside

  #arrived(): void {
    const arrival = this.#arrival;
    this.#arrival = null;
    arrival?.settle(null);
  }

  #leave(error: unknown): void {
    this.#parts = [];
    if (this.#isOver) return;
    [this.#isOver, this.#error] = [true, error];
    this.#arrived();
    this.#hooks.cancel();
  }

  #take(): unknown {
    const part = this.#parts.shift();
    this.#taken += 1;
    const isDue = this.#taken - this.#credited >= Math.max(1, Math.floor(this.window / 2));
    if (!this.#isOver && isDue) {
      this.#credited = this.#taken;
      this.#hooks.giveCredit(this.#taken);
    }
    return part;
  }
}

/** What a function that answers in parts returns: what a generator makes, asynchronous or not. */
export type Parts = AsyncIterator<unknown> | Iterator<unknown>;

/** Return the parts that a function gives, or null where its result is a value. */
export function partsOf(result: unknown): Parts | null {
  const one = result as { next?: unknown; return?: unknown } | null | undefined;
  return typeof one?.next === "function" && typeof one.return === "function"
    ? (result as Parts)
    : null;
}

/** A stream that is sent: how many parts may be, and who waits for more. */
export class Sending {
  #taken = 0;
  #wake: (() => void) | null = null;
  readonly #window: number;

  constructor(window: number) {
    this.#window = window;
  }

  /** So many parts were taken in all: more may be sent. */
  credit(taken: number): void {
    this.#taken = Math.max(this.#taken, taken);
    this.wake();
  }

  /** Let who waits look again. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Wait until the reader wants more than it was sent, or `signal` ends. */
  async room(sent: number, signal: AbortSignal): Promise<void> {
    while (sent >= this.#taken + this.#window && !signal.aborted) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
