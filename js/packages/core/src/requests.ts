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
import type { Peer } from "./peers.js";
import type { Answered, Asked, Failed, Part } from "./profile/requests.js";
import {
  NO_HANDLER,
  answerEntry,
  failureEntry,
  partEntry,
  requestEntry,
} from "./profile/requests.js";
import type { JsonObject, Message, MsgMessage } from "./protocol/messages.js";
import { sessionOf, toClassic } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";
import { GRACE } from "./sessions.js";
import type { Parts, StreamOptions } from "./streams.js";
import { Sending, Stream, partsOf } from "./streams.js";
import { describe, isPromise } from "./runtime.js";

export const MAX_RUNNING = 64; // asynchronous functions of one comm; what is asked beyond waits its turn

/** What a handler gets beside the message. */
export interface RequestContext {
  /** Ends when whoever asked waits no longer; nothing is answered then. */
  readonly signal: AbortSignal;
}

export type RequestHandler = (msg: MsgMessage, context: RequestContext) => unknown;

/** Sends a `comm_msg` with an entry in `metadata.tsushin`, to one session or to all; throws as `Comm.send`. */
export type SendEntry = (data: unknown, entry: JsonObject, to: string | null) => void;

/** How a request is made. */
export interface RequestOptions extends WaitOptions {
  /** One of `comm_manager.peers`, or its session; without it every peer is asked, and the first answer counts. */
  to?: Peer | string | null;
}

/** Return the session that is meant. */
export function sessionIn(to: Peer | string | null | undefined): string | null {
  return typeof to === "object" ? (to?.session ?? null) : (to ?? null);
}

/** What requests ask of the manager, about peers. */
export interface Asking {
  /** Throw `NoPeer` where a session is not there. */
  checkLive(session: string, about: string): void;
  /** Return the sessions that may answer; null while one that is not there may still come. */
  mayAnswer(comm_id: string): ReadonlySet<string> | null;
  /** Return the sessions that may have got what was sent before they said hello. */
  mayHaveHeard(comm_id: string): ReadonlySet<string>;
  /** Tell peers, all but one, that nobody waits for an answer any more. */
  cancelRequest(comm_id: string, req: string, but: string | null): void;
  /** Tell a peer how many parts of its answer were taken in all. */
  creditRequest(comm_id: string, req: string, taken: number, session: string): void;
}

/** A request without its whole answer. */
interface WaitingRequest {
  readonly expected: Expected<unknown> | Stream;
  /** The one session that was asked; null where all were. */
  readonly to: string | null;
  /** The sessions that were there when it was sent; null while nobody was. */
  heard: Set<string> | null;
  /** The sessions that have no handler for it. */
  readonly without: Set<string>;
  /** Of the peer whose parts it takes. */
  session: string | null;
}

/** The requests of one comm. */
export class Requests {
  /** Answers that nobody waited for any more (count). */
  late = 0;
  readonly #commId: string;
  readonly #asking: Asking;
  readonly #send: SendEntry;
  readonly #runtime: Runtime;
  readonly #about: () => string;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #waiting = new Map<string, WaitingRequest>();
  readonly #sending = new Map<string, Sending>();
  readonly #underWay = new Map<string, AbortController>(); // by request that is answered here
  #untold: string[] = []; // requests nobody waits for, which no peer was there to hear
  #queue: [Asked, Message][] = [];
  #running = 0;

  /** `about` is how errors name the comm. */
  constructor(
    comm_id: string,
    send: SendEntry,
    runtime: Runtime,
    asking: Asking,
    about: () => string,
  ) {
    this.#commId = comm_id;
    this.#asking = asking;
    this.#send = send;
    this.#runtime = runtime;
    this.#about = about;
  }

  // ---------------------------------------------------------------- asking

  /** Send a request; return a promise of its answer. Throws as `Comm.send`. */
  ask(name: string, data: unknown, options: RequestOptions): Promise<unknown> {
    const req = newId();
    const abandoned = () => this.#abandon(req);
    const about = `answer to ${quote(name)} on ${this.#about()}`;
    const expected = new Expected<unknown>(about, { ...options, abandoned });
    if (!expected.isWaiting) return expected.promise;
    this.#ask(data, req, requestEntry(req, name), expected, sessionIn(options.to));
    return expected.promise;
  }

  /** Send a request for an answer in parts; return them, to come. Throws as `Comm.send`. */
  askStream(name: string, data: unknown, options: StreamOptions): Stream {
    const req = newId();
    const stream = new Stream(`part of the answer to ${quote(name)} on ${this.#about()}`, options, {
      giveCredit: (taken) => {
        const session = this.#waiting.get(req)?.session ?? null;
        if (session !== null) this.#asking.creditRequest(this.#commId, req, taken, session);
      },
      cancel: () => this.#abandon(req),
    });
    if (!stream.isWaiting) return stream;
    this.#ask(data, req, requestEntry(req, name, stream.window), stream, sessionIn(options.to));
    return stream;
  }

  #ask(
    data: unknown,
    req: string,
    entry: JsonObject,
    expected: Expected<unknown> | Stream,
    to: string | null,
  ): void {
    // Before it is sent: the answer may be there at once.
    this.#waiting.set(req, {
      expected,
      to,
      heard: null,
      without: new Set(),
      session: null,
    });
    try {
      if (to !== null) this.#asking.checkLive(to, expected.about);
      this.#send(data, entry, to);
    } catch (error) {
      this.#waiting.delete(req);
      throw error;
    }
    this.#lookAt(req);
    if (this.#waiting.has(req) && this.#asking.mayAnswer(this.#commId) === null) {
      this.#runtime.later(GRACE, () => this.#lookAt(req));
    }
  }

  /**
   * Give an answer to who waits for it; one nobody waits for any more is counted as late. `session` is that
   * of the peer that answers.
   */
  takeAnswer(answer: Answered | Part | Failed, session: string): void {
    const waiting = this.#waiting.get(answer.re);
    if (waiting?.expected.isWaiting !== true) {
      this.#waiting.delete(answer.re);
      this.late += 1;
      return;
    }
    if (answer.type === "part") {
      this.#takePart(answer, waiting, session);
      return;
    }
    if (waiting.session !== null && waiting.session !== session) return; // another's parts are taken
    if (answer.type === "failed" && answer.name === NO_HANDLER) {
      waiting.without.add(session);
      this.#lookAt(answer.re, answer.message);
      return;
    }
    this.#waiting.delete(answer.re);
    // The first one counts.
    if (waiting.session === null) this.#asking.cancelRequest(this.#commId, answer.re, session);
    if (answer.type === "answered") {
      waiting.expected.settle(answer.value);
    } else {
      const { name, message, traceback: remote_traceback } = answer;
      waiting.expected.fail(new RemoteError(`${name}: ${message}`, { name, remote_traceback }));
    }
  }

  #takePart({ re, value }: Part, waiting: WaitingRequest, session: string): void {
    if (waiting.session === null) {
      waiting.session = session; // the first one counts
      this.#asking.cancelRequest(this.#commId, re, session);
    }
    const { expected } = waiting;
    if (waiting.session === session && expected instanceof Stream) expected.put(value);
  }

  /**
   * Somebody came or left, or refused the comm: what nobody can answer any more fails. Whoever came is told what
   * it may not have heard: which streams were read how far, which were left.
   */
  peersChanged(): void {
    for (const req of this.#untold.splice(0)) {
      this.#asking.cancelRequest(this.#commId, req, null);
    }
    for (const [req, { expected }] of [...this.#waiting]) {
      if (expected instanceof Stream) expected.giveCreditAgain();
      this.#lookAt(req);
    }
  }

  /** The comm is closed: every wait ends with `error`. */
  end(error: TsushinError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#untold = [];
    this.#queue = [];
    for (const { expected } of waiting) expected.fail(error);
    for (const controller of this.#underWay.values()) controller.abort(error);
    this.#underWay.clear();
    for (const sending of this.#sending.values()) sending.wake();
    this.#sending.clear();
  }

  /** End a request for whose answer nobody is left. */
  #lookAt(req: string, why = "nobody at the other end answers requests"): void {
    const waiting = this.#waiting.get(req);
    const mayAnswer = this.#asking.mayAnswer(this.#commId);
    if (waiting === undefined || (mayAnswer === null && waiting.without.size === 0)) return;
    const there = [...(mayAnswer ?? [])];
    const heard = (waiting.heard ??= new Set(there));
    for (const session of this.#asking.mayHaveHeard(this.#commId)) heard.add(session);
    const { without, to } = waiting;
    // Who came since does not know of it: a page that was loaded again, a second one.
    const isLeft = (session: string) =>
      heard.has(session) && !without.has(session) && (to === null || to === session);
    const left = there.filter(isLeft);
    if (waiting.session === null ? left.length > 0 : left.includes(waiting.session)) return;
    this.#waiting.delete(req);
    waiting.expected.fail(new NoPeer(`${waiting.expected.about}: ${why}`));
  }

  /** Who asked waits no longer: the function that answers need not go on. */
  #abandon(req: string): void {
    if (!this.#waiting.delete(req)) return;
    if (this.#asking.mayAnswer(this.#commId) === null) this.#untold.push(req);
    this.#asking.cancelRequest(this.#commId, req, null);
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
      this.#answerFailed(asked, NO_HANDLER, text, message);
      return;
    }
    let result: unknown;
    const controller = new AbortController();
    try {
      const classic = toClassic(message) as unknown as MsgMessage; // the router checked type and content
      result = this.#runtime.run(() => f(classic, { signal: controller.signal }));
    } catch (error) {
      this.#fail(asked, error, message);
      return;
    }
    const parts = partsOf(result);
    const session = sessionOf(message);
    if (parts !== null) result = this.#sendParts(asked, parts, controller.signal, session);
    if (isPromise(result)) this.#await(asked, message, result, controller);
    else this.#succeed(asked, result, message);
  }

  /** Nobody waits for this answer any more: end the function that makes it. */
  cancelAnswer(req: string): void {
    this.#queue = this.#queue.filter(([asked]) => asked.req !== req);
    this.#underWay.get(req)?.abort(new DOMException("nobody waits for the answer", "AbortError"));
    this.#underWay.delete(req);
    this.#sending.get(req)?.wake();
    this.#sending.delete(req);
  }

  /** So many parts of this answer were taken in all: more may be sent. */
  creditAnswer(req: string, taken: number): void {
    this.#sending.get(req)?.credit(taken);
  }

  /** Send each part as it comes, no more ahead of the reader than it wants. */
  async #sendParts(
    { req, stream }: Asked,
    parts: Parts,
    signal: AbortSignal,
    session: string,
  ): Promise<null> {
    const sending = new Sending(stream);
    this.#sending.set(req, sending);
    try {
      if (stream === 0) throw new TypeError("the answer comes in parts: use comm.stream");
      for (let sent = 0; ; sent += 1) {
        await sending.room(sent, signal);
        if (signal.aborted) break;
        const part = await parts.next();
        if (part.done === true || !this.#sending.has(req)) return null;
        this.#send({ value: part.value ?? null }, partEntry(req, sent + 1), session);
      }
      return null;
    } finally {
      this.#sending.delete(req);
      await parts.return?.();
    }
  }

  #await(
    asked: Asked,
    message: Message,
    result: PromiseLike<unknown>,
    controller: AbortController,
  ): void {
    this.#running += 1;
    this.#underWay.set(asked.req, controller);
    const finished = () => {
      this.#running -= 1;
      const following = this.#queue.shift();
      if (following !== undefined) this.takeRequest(...following);
    };
    result
      .then(
        (value) => {
          if (this.#underWay.delete(asked.req)) this.#succeed(asked, value, message);
        },
        (error: unknown) => {
          if (this.#underWay.delete(asked.req)) this.#fail(asked, error, message);
        },
      )
      .then(finished, finished);
  }

  #succeed(asked: Asked, value: unknown, message: Message): void {
    try {
      // A function that returns nothing answers null: JSON has no undefined.
      const data = { value: value === undefined ? null : value };
      withoutComm(() => this.#send(data, answerEntry(asked.req), sessionOf(message)));
    } catch (error) {
      this.#fail(asked, error, message); // JSON cannot carry it
    }
  }

  #fail(asked: Asked, error: unknown, message: Message): void {
    const about = `handler of ${quote(asked.name)} of ${this.#about()}`;
    this.#runtime.report(error, about, message);
    const name = error instanceof Error ? error.name : "Error";
    this.#answerFailed(asked, name, describe(error), message);
  }

  #answerFailed({ req: re }: Asked, name: string, message: string, request: Message): void {
    const entry = failureEntry({ re, name, message, traceback: "" });
    withoutComm(() => this.#send({}, entry, sessionOf(request)));
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
