/** Something that has not arrived yet, made *before* what it waits for. Always ends. */

export const DEFAULT_TIMEOUT = 30; // seconds

/** How a wait can be ended early. */
export interface WaitOptions {
  /** Seconds from now; then a `DOMException` called "TimeoutError". */
  timeout?: number;
  signal?: AbortSignal | undefined;
}

/** What its maker has to know of a wait. */
export interface MakerOptions extends WaitOptions {
  /** Called once when the wait ends with neither value nor error: time is up, or the signal ended it. */
  abandoned?: (() => void) | undefined;
}

/** A promise with handles. What ends it first counts; the rest does nothing. */
export class Expected<T> {
  readonly promise: Promise<T>;
  /** What is waited for, for the error: "comm_open on target 'x'". */
  about: string;
  #isWaiting = true;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  readonly #cleanups: (() => void)[] = [];

  readonly #abandoned: (() => void) | undefined;

  constructor(about: string, options: MakerOptions = {}) {
    const { timeout = DEFAULT_TIMEOUT, signal, abandoned } = options;
    this.about = about;
    this.#abandoned = abandoned;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A wait nobody looks at any more is no unhandled rejection: whoever awaits it still gets the error.
    this.promise.catch(() => undefined);
    this.#endAfter(timeout);
    if (signal !== undefined) this.#endOn(signal);
  }

  /** Say whether a value could still be used. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Give the value; false when nobody waits any more (then the value is still the caller's). */
  settle(value: T): boolean {
    if (!this.#finish()) return false;
    this.#resolve(value);
    return true;
  }

  /** End the wait with `error`; nothing happens when it has ended. */
  fail(error: unknown): void {
    if (this.#finish()) this.#reject(error);
  }

  #abandon(error: unknown): void {
    if (!this.#isWaiting) return;
    this.fail(error);
    this.#abandoned?.();
  }

  #finish(): boolean {
    if (!this.#isWaiting) return false;
    this.#isWaiting = false;
    for (const cleanup of this.#cleanups) cleanup();
    return true;
  }

  #endAfter(timeout: number): void {
    if (timeout === Infinity) return;
    const timer = setTimeout(() => {
      const text = `${this.about}: not within ${timeout} s`;
      this.#abandon(new DOMException(text, "TimeoutError"));
    }, timeout * 1e3);
    this.#cleanups.push(() => clearTimeout(timer));
  }

  #endOn(signal: AbortSignal): void {
    const abort = () => this.#abandon(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#cleanups.push(() => signal.removeEventListener("abort", abort));
  }
}
