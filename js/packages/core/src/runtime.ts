/**
 * What a manager asks of its host: where a handler runs and who hears of its errors; the twin of
 * `src/tsushin/runtime.py`.
 *
 * The manager and its comms never touch timers or consoles themselves. What a handler returns is awaited
 * where it is a promise; JavaScript needs no host for that.
 */
import type { RemoteProtocolError } from "./errors.js";
import type { JsonObject, Message } from "./protocol/messages.js";

/** One host's way to run things. */
export interface Runtime {
  /** Call `handler` now, with whatever the host does around user code; return its result. */
  run(handler: () => unknown): unknown;
  /** Call `callback` after the caller has returned. */
  soon(callback: () => void): void;
  /** Call `callback` in `delay` seconds. */
  later(delay: number, callback: () => void): void;
  /** Tell the user that their handler threw. `about` names it, as in "on_msg of comm 'x'". */
  report(error: unknown, about: string, message: Message | null): void;
  /** Tell whoever looks after this end that the peer broke a rule. */
  fault(error: RemoteProtocolError): void;
  /** Return the header that messages sent now should have as their parent, or `{}`. */
  parent(): JsonObject;
}

/** The runtime of a page or a Node process: handlers run in place; errors go to `on_error`. */
export class PageRuntime implements Runtime {
  readonly #onError: (error: unknown) => void;

  constructor(on_error: (error: unknown) => void) {
    this.#onError = on_error;
  }

  run(handler: () => unknown): unknown {
    return handler();
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  later(delay: number, callback: () => void): void {
    const timer = setTimeout(callback, delay * 1e3);
    (timer as { unref?: () => void }).unref?.(); // Node: such a timer keeps no process alive
  }

  report(error: unknown, about: string): void {
    this.#onError(new Error(`${about} threw: ${describe(error)}`, { cause: error }));
  }

  fault(error: RemoteProtocolError): void {
    this.#onError(error);
  }

  parent(): JsonObject {
    return {};
  }
}

/** Tell whether `value` is a promise, of any realm or library. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** Return the text of an error, whatever was thrown. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
