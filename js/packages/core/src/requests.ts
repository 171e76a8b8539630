/**
 * Requests on one comm: who waits for which answer, and which function answers the peer's; the twin of
 * `src/tsushin/requests.py`.
 *
 * A request is a `comm_msg` that its receiver's handlers never see (`profile/requests.ts`). Functions that
 * return a promise answer beside each other, up to `MAX_RUNNING`.
 */
import type { TsushinError } from "./errors.js";
import { CommClosed, NoPeer, RemoteError, TransportError, quote } from "./errors.js";
import type { WaitOptions } from "./expected.js";
import { Expected } from "./expected.js";
import { newId } from "./ids.js";
import type { Answered, Asked, Failed } from "./profile/requests.js";
import { NO_HANDLER, answerEntry, failureEntry, requestEntry } from "./profile/requests.js";
import type { JsonObject, Message, MsgMessage } from "./protocol/messages.js";
import { toClassic } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";
import { describe, isPromise } from "./runtime.js";

export const MAX_RUNNING = 64; // asynchronous functions of one comm; what is asked beyond waits its turn

export type RequestHandler = (msg: MsgMessage) => unknown;

/** Sends a `comm_msg` with an entry in `metadata.tsushin`; throws as `Comm.send`. */
export type SendEntry = (data: unknown, entry: JsonObject) => void;

/** The requests of one comm. */
export class Requests {
  /** Answers that nobody waited for any more (count). */
  late = 0;
  readonly #send: SendEntry;
  readonly #runtime: Runtime;
  readonly #about: () => string;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #waiting = new Map<string, Expected<unknown>>();
  readonly #queue: [Asked, Message][] = [];
  #running = 0;

  /** `about` is how errors name the comm. */
  constructor(send: SendEntry, runtime: Runtime, about: () => string) {
    this.#send = send;
    this.#runtime = runtime;
    this.#about = about;
  }

  // ---------------------------------------------------------------- asking

  /** Send a request; return a promise of its answer. Throws as `Comm.send`. */
  ask(name: string, data: unknown, options: WaitOptions): Promise<unknown> {
    const expected = new Expected<unknown>(`answer to ${quote(name)} on ${this.#about()}`, options);
    if (!expected.isWaiting) return expected.promise;
    const req = newId();
    for (const [id, one] of this.#waiting) if (!one.isWaiting) this.#waiting.delete(id);
    this.#waiting.set(req, expected); // before it is sent: the answer may be there at once
    try {
      this.#send(data, requestEntry(req, name));
    } catch (error) {
      this.#waiting.delete(req);
      throw error;
    }
    return expected.promise;
  }

  /** Give an answer to who waits for it; one nobody waits for any more is counted as late. */
  takeAnswer(answer: Answered | Failed): void {
    const expected = this.#waiting.get(answer.re);
    this.#waiting.delete(answer.re);
    if (expected?.isWaiting !== true) {
      this.late += 1;
    } else if (answer.type === "answered") {
      expected.settle(answer.value);
    } else if (answer.name === NO_HANDLER) {
      expected.fail(new NoPeer(`${expected.about}: ${answer.message}`));
    } else {
      const { name, message, traceback: remote_traceback } = answer;
      expected.fail(new RemoteError(`${name}: ${message}`, { name, remote_traceback }));
    }
  }

  /** The comm is closed: every wait ends with `error`. */
  end(error: TsushinError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#queue.length = 0;
    for (const expected of waiting) expected.fail(error);
  }

  // ---------------------------------------------------------------- answering

  /** Let `f` answer requests for `name`. */
  handle(name: string, f: RequestHandler): void {
    this.#handlers.set(name, f);
  }

  /** Answer a request. */
  takeRequest(asked: Asked, message: Message): void {
    if (this.#running >= MAX_RUNNING) {
      this.#queue.push([asked, message]);
      return;
    }
    const f = this.#handlers.get(asked.name);
    if (f === undefined) {
      const text = `no handler for ${quote(asked.name)} is registered`;
      this.#answerFailed(asked, NO_HANDLER, text);
      return;
    }
    let result: unknown;
    try {
      const classic = toClassic(message) as unknown as MsgMessage; // the router checked type and content
      result = this.#runtime.run(() => f(classic));
    } catch (error) {
      this.#fail(asked, error, message);
      return;
    }
    if (isPromise(result)) this.#await(asked, message, result);
    else this.#succeed(asked, result, message);
  }

  #await(asked: Asked, message: Message, result: PromiseLike<unknown>): void {
    this.#running += 1;
    const finished = () => {
      this.#running -= 1;
      const following = this.#queue.shift();
      if (following !== undefined) this.takeRequest(...following);
    };
    result
      .then(
        (value) => this.#succeed(asked, value, message),
        (error: unknown) => this.#fail(asked, error, message),
      )
      .then(finished, finished);
  }

  #succeed(asked: Asked, value: unknown, message: Message): void {
    try {
      // A function that returns nothing answers null: JSON has no undefined.
      const data = { value: value === undefined ? null : value };
      withoutComm(() => this.#send(data, answerEntry(asked.req)));
    } catch (error) {
      this.#fail(asked, error, message); // JSON cannot carry it
    }
  }

  #fail(asked: Asked, error: unknown, message: Message): void {
    const about = `handler of ${quote(asked.name)} of ${this.#about()}`;
    this.#runtime.report(error, about, message);
    this.#answerFailed(asked, error instanceof Error ? error.name : "Error", describe(error));
  }

  #answerFailed({ req: re }: Asked, name: string, message: string): void {
    const entry = failureEntry({ re, name, message, traceback: "" });
    withoutComm(() => this.#send({}, entry));
  }
}

/** With the comm closed, or its link gone, nobody waits for the answer. */
function withoutComm(send: () => void): void {
  try {
    send();
  } catch (error) {
    if (!(error instanceof CommClosed || error instanceof TransportError)) throw error;
  }
}
