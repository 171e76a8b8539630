/**
 * Who gets the next message of one comm; the twin of `src/tsushin/delivery.py`.
 *
 * Each message is consumed once: by the earliest waiting `expect_msg`, else by `on_msg`, else it is kept
 * (`protocol/inbox.ts`) until somebody asks. `on_msg` runs one at a time, in arrival order; the close
 * comes after the messages before it. What was kept is delivered after the registering call has
 * returned, never inside it, so that a handler never runs before the line after `on_msg`.
 */
import type { TsushinError } from "./errors.js";
import { RemoteProtocolError } from "./errors.js";
import type { WaitOptions } from "./expected.js";
import { Expected } from "./expected.js";
import { Inbox } from "./protocol/inbox.js";
import type { Limits } from "./protocol/limits.js";
import type { CloseMessage, Message, MsgMessage } from "./protocol/messages.js";
import { toClassic } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";
import { isPromise } from "./runtime.js";

export type MsgHandler = (msg: MsgMessage) => unknown;
/** Hears how many messages are lost for good. */
export type GapHandler = (missed: number) => unknown;
export type CloseHandler = (msg: CloseMessage) => unknown;

/** A handler with the message it is due for. */
interface Due {
  readonly name: "on_msg" | "on_close";
  readonly message: Message;
  readonly call: () => unknown;
}

/** The receiving half of one comm, above the protocol. */
export class Delivery {
  readonly #runtime: Runtime;
  readonly #about: () => string;
  readonly #inbox: Inbox;
  #expected: Expected<MsgMessage>[] = [];
  #arrivals: Expected<null>[] = [];
  #onMsg: MsgHandler | null = null;
  #onClose: CloseHandler | null = null;
  #onGap: GapHandler | null = null;
  #missed = 0; // and not yet reported
  #close: Message | null = null; // arrived, and not yet given to on_close
  #ended: TsushinError | null = null;
  #isBusy = false;

  /** `about` is how errors name the comm. */
  constructor(runtime: Runtime, limits: Limits, about: () => string) {
    this.#runtime = runtime;
    this.#about = about;
    this.#inbox = new Inbox(limits);
  }

  /** How many kept messages were dropped because nobody read them (count). */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /** Deliver `message`. */
  put(message: Message): void {
    if (this.#ended !== null || this.#settleExpected(message)) return;
    const atOnce = this.#isBusy || this.#inbox.length > 0 ? null : this.#onMsg;
    // The common case: nothing is kept, so nothing is measured.
    if (atOnce !== null && !this.#run(msgDue(atOnce, message))) return;
    if (atOnce === null) {
      const dropped = this.#inbox.put(message);
      if (dropped > 0) this.tellGap(dropped);
    }
    this.#pump();
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    for (const arrival of arrivals) arrival.settle(null);
  }

  /** Deliver the close, or the loss as a message of its shape. */
  close(message: Message, ended: TsushinError): void {
    this.#close = message;
    this.#endWaits(ended);
    this.#pump();
  }

  /** Closed here: nothing is delivered any more, and every wait ends with `ended`. */
  end(ended: TsushinError): void {
    this.#inbox.clear();
    this.#endWaits(ended);
  }

  #endWaits(ended: TsushinError): void {
    this.#ended = ended;
    const waiting = [...this.#expected, ...this.#arrivals];
    this.#expected = [];
    this.#arrivals = [];
    for (const expected of waiting) expected.fail(ended);
  }

  /** Replace the message handler; what was kept follows soon. */
  setOnMsg(handler: MsgHandler | null): void {
    this.#onMsg = handler;
    this.#runtime.soon(() => this.#pump());
  }

  /** Replace the close handler; a close that has already arrived follows soon. */
  setOnClose(handler: CloseHandler | null): void {
    this.#onClose = handler;
    this.#runtime.soon(() => this.#pump());
  }

  /** Replace the handler of gaps. */
  setOnGap(handler: GapHandler | null): void {
    this.#onGap = handler;
  }

  /** So many messages are lost for good: the user is told, soon. */
  tellGap(missed: number): void {
    this.#missed += missed;
    this.#runtime.soon(() => this.#reportGap());
  }

  #reportGap(): void {
    const missed = this.#missed;
    this.#missed = 0;
    if (missed === 0) return;
    if (this.#onGap === null) {
      this.#runtime.fault(
        new RemoteProtocolError(`${this.#about()}: ${missed} messages were lost`),
      );
      return;
    }
    try {
      this.#onGap(missed);
    } catch (error) {
      this.#runtime.report(error, `on_gap of ${this.#about()}`, null);
    }
  }

  /** Return the next message that nobody has consumed, kept or to come. */
  expect(about: string, options: WaitOptions): Promise<MsgMessage> {
    const expected = new Expected<MsgMessage>(about, options);
    const kept = expected.isWaiting ? this.#inbox.take() : null;
    if (kept !== null) expected.settle(asMsg(kept));
    else if (this.#ended !== null) expected.fail(this.#ended);
    else this.#expected.push(expected);
    return expected.promise;
  }

  /** True while a message handler is set. */
  get hasOnMsg(): boolean {
    return this.#onMsg !== null;
  }

  /** Return the next message that nobody has consumed, however long it takes. */
  async next(): Promise<MsgMessage> {
    for (;;) {
      const message = this.#onMsg === null ? this.#inbox.take() : null;
      if (message !== null) return asMsg(message);
      if (this.#ended !== null) throw this.#ended;
      const arrival = new Expected<null>("a message", { timeout: Infinity });
      this.#arrivals.push(arrival);
      await arrival.promise; // takes nothing: whoever stops waiting loses nothing
    }
  }

  #settleExpected(message: Message): boolean {
    for (;;) {
      const expected = this.#expected.shift();
      if (expected === undefined) return false;
      if (expected.settle(asMsg(message))) return true;
    }
  }

  /** Run handlers until nothing is due, or an `async` one is under way. */
  #pump(): void {
    for (let due = this.#next(); due !== null; due = this.#next()) {
      if (!this.#run(due)) return;
    }
  }

  #next(): Due | null {
    if (this.#isBusy) return null;
    const message = this.#onMsg === null ? null : this.#inbox.take();
    if (this.#onMsg !== null && message !== null) return msgDue(this.#onMsg, message);
    const [handler, close] = [this.#onClose, this.#close];
    if (handler === null || close === null) return null;
    this.#close = null;
    const call = () => handler(toClassic(close) as unknown as CloseMessage);
    return { name: "on_close", message: close, call };
  }

  /** Run one handler; false while it is still under way. */
  #run({ name, message, call }: Due): boolean {
    this.#reportGap(); // what was lost before this message is told before it
    this.#isBusy = true;
    let result: unknown;
    try {
      result = this.#runtime.run(call);
    } catch (error) {
      this.#report(error, name, message);
    }
    if (isPromise(result)) {
      result.then(
        () => this.#finished(),
        (error: unknown) => {
          this.#report(error, name, message);
          this.#finished();
        },
      );
      return false;
    }
    this.#isBusy = false;
    return true;
  }

  #finished(): void {
    this.#isBusy = false;
    this.#pump();
  }

  #report(error: unknown, name: string, message: Message): void {
    this.#runtime.report(error, `${name} of ${this.#about()}`, message);
  }
}

function msgDue(handler: MsgHandler, message: Message): Due {
  return { name: "on_msg", message, call: () => handler(asMsg(message)) };
}

function asMsg(message: Message): MsgMessage {
  return toClassic(message) as unknown as MsgMessage; // the router checked type and content
}
