/**
 * One end of a comm, as users hold it: the classic `Comm` with its promises kept; the twin of
 * `src/tsushin/comm.py`.
 *
 * Conveniences live here, above the strict table of `protocol/states.ts`: `close()` twice is a no-op,
 * registering a handler returns the handler.
 *
 * Spec: Jupyter messaging, "Custom Messages".
 */
import { Delivery } from "./delivery.js";
import type { CloseHandler, GapHandler, MsgHandler } from "./delivery.js";
import type { ClosedBy } from "./errors.js";
import { CommClosed, LocalProtocolError, NoHost } from "./errors.js";
import { DEFAULT_TIMEOUT } from "./expected.js";
import type { WaitOptions } from "./expected.js";
import { newId } from "./ids.js";
import type { Encoded } from "./protocol/buffers.js";
import { encodeData } from "./protocol/buffers.js";
import type { Limits } from "./protocol/limits.js";
import type { JsonObject, MsgMessage, OpenMessage } from "./protocol/messages.js";
import type { CommRecord } from "./protocol/routing.js";
import { newRecord } from "./protocol/routing.js";
import type { BufferLike } from "./protocol/views.js";
import type { Peer } from "./peers.js";
import type { Asking, RequestHandler, RequestOptions } from "./requests.js";
import { Requests, sessionIn } from "./requests.js";
import type { Runtime } from "./runtime.js";
import type { ProgressHandler, SendingWays, Sessions } from "./sessions.js";
import type { Stream, StreamOptions } from "./streams.js";

export type { CloseHandler, GapHandler, MsgHandler, RequestHandler };

/** A JSON object to send; may hold bytes and typed arrays. */
export type Data = Readonly<Record<string, unknown>> | null;
export type Buffers = readonly BufferLike[] | null;

/** What a comm asks of its manager. Each call returns the id of the message it sent. */
export interface CommOwner extends Asking {
  /** Its peers. */
  readonly sessions: Sessions;
  readonly runtime: Runtime;
  readonly limits: Limits;
  /** Register the comm and send its `comm_open`. */
  openComm(comm: Comm, encoded: Encoded): string;
  /** Send a `comm_msg`. */
  sendComm(comm: Comm, encoded: Encoded, ways?: SendingWays): string;
  /** Send its `comm_close` and unregister the comm. */
  closeComm(comm: Comm, encoded: Encoded): string;
}

export interface CommOptions {
  /** Whose comm this is. */
  manager?: CommOwner;
  /**
   * So many of its newest messages are kept at a kernel end, and given to each page that takes the comm up later,
   * after what it was opened with.
   */
  history?: number;
}

/** Makes the state of a comm, as `data`. */
export type Snapshot = () => Data;

export interface SendOptions {
  /** Copy buffers that can still be changed; false asks that they are left alone until they have left. */
  copy?: boolean;
  /**
   * A key: while messages of this comm have to wait because a peer cannot keep up, only the newest with this
   * key is sent.
   */
  coalesce?: string;
  /**
   * One of `comm_manager.peers`, or its session: nobody else gets the message. At a frontend the kernel end is the
   * only one.
   */
  to?: Peer | string | null;
  /**
   * Called with bytes sent and bytes in all as a large message leaves in pieces, or once for a small one. Where it
   * returns false, the rest is not sent.
   */
  on_progress?: ProgressHandler;
}

/**
 * One end of a comm. Making one opens it at the peer, unless `primary` is false: then the peer has
 * opened it, and `CommManager.register_comm` takes it over.
 *
 * Throws `NoHost`: no manager was given. `DuplicateComm`: `comm_id` is in use. `TypeError`: JSON cannot
 * carry `data` or `metadata`; the path is named. `RangeError`: `history` is below 0.
 */
export class Comm implements Disposable {
  readonly target_module: string | null;
  /** How many of its messages are kept for who takes it up later. */
  readonly history: number;
  /** The `comm_open` that made this comm here; null where this end opened. */
  open_msg: OpenMessage | null = null;
  /** For the manager. */
  readonly _record: CommRecord;
  /** For the manager. */
  readonly _delivery: Delivery;
  /** For the manager. */
  readonly _requests: Requests;
  readonly #manager: CommOwner;
  #snapshot: Snapshot | null = null;

  constructor(
    target_name = "comm",
    data: Data = null,
    metadata: Data = null,
    buffers: Buffers = null,
    comm_id: string | null = null,
    primary = true,
    target_module: string | null = null,
    options: CommOptions & { record?: CommRecord } = {},
  ) {
    const { manager, record = newRecord(comm_id ?? newId(), target_name, primary) } = options;
    if (manager === undefined) {
      throw new NoHost(
        "a Comm needs a manager: expected options.manager, or fe.comm_manager.new_comm(...)",
      );
    }
    const { history = 0 } = options;
    if (history < 0) throw new RangeError(`history: expected 0 or more messages, got ${history}`);
    this.history = history;
    this.#manager = manager;
    this._record = record;
    this._delivery = new Delivery(manager.runtime, manager.limits, () => String(this));
    const send = (sent: unknown, entry: JsonObject, to: string | null): void => {
      manager.sendComm(this, encodeData(sent, null, null, true, entry), { always: true, to });
    };
    const about = () => String(this);
    this._requests = new Requests(this.comm_id, send, manager.runtime, manager, about);
    this.target_module = target_module;
    if (primary) this.open(data, metadata, buffers);
  }

  /** The id both ends share. */
  get comm_id(): string {
    return this._record.comm_id;
  }

  /** The name the secondary end looked up. */
  get target_name(): string {
    return this._record.target_name;
  }

  /** True where this end opened the comm. */
  get primary(): boolean {
    return this._record.primary;
  }

  /** True once closed by either end, or lost. */
  get closed(): boolean {
    return this._record.state === "CLOSED";
  }

  /** Who closed: "here", "there", "lost"; null while not closed. */
  get closed_by(): ClosedBy | null {
    return this._record.closed_by;
  }

  /**
   * Open at the peer. Done by the constructor; needed only after `primary = false`.
   *
   * Throws `DuplicateComm`: it is open already, or another comm has its id. `CommClosed`: it was closed.
   * A comm is opened once; make a new one.
   */
  open(data: Data = null, metadata: Data = null, buffers: Buffers = null): void {
    this.#manager.openComm(this, encodeData(data, metadata, buffers));
  }

  /**
   * Send a message. It is copied now: what is changed afterwards does not change it. Bytes and typed
   * arrays in `data` travel as buffers and come back as such at a tsushin end; a plain peer sees null.
   *
   * Throws `CommClosed`: closed by either end, or lost; the error has the data of the close.
   * `CommNotOpen`: never opened. `TypeError`: JSON cannot carry a value; its path is named, as
   * `data.points[3].t`. `QueueFull`: peers do not keep up; `await comm.drain()` first. `LimitExceeded`: above
   * what the route takes in one message, and there is no peer that joins pieces. `NoPeer`: `to` is not there.
   */
  send(
    data: Data = null,
    metadata: Data = null,
    buffers: Buffers = null,
    { copy = true, coalesce, to = null, on_progress }: SendOptions = {},
  ): void {
    const session = sessionIn(to);
    if (session !== null) this.#manager.checkLive(session, String(this));
    const ways = {
      coalesce: coalesce ?? null,
      always: false,
      to: session,
      on_progress: on_progress ?? null,
    };
    this.#manager.sendComm(this, encodeData(data, metadata, buffers, copy), ways);
  }

  /**
   * Return a promise of the moment when peers have all that was sent. It is now where there is no peer that
   * confirms anything; one that lags by 5 s is not waited for. `timeout` is in seconds.
   */
  async drain(options: WaitOptions = {}): Promise<void> {
    const about = `everything sent on ${String(this)} to arrive`;
    await this.#manager.sessions.drained(this.comm_id, about, options);
  }

  /** Close at both ends. A second call, or one after the peer closed, does nothing. */
  close(data: Data = null, metadata: Data = null, buffers: Buffers = null): void {
    if (!this.closed) this.#manager.closeComm(this, encodeData(data, metadata, buffers));
  }

  /**
   * Call `callback(msg)` for each message; returns it. Replaces the callback before; null removes it.
   * One message at a time, in order; what an `async` callback returns is awaited before the next.
   * Messages that came before are delivered right after.
   */
  on_msg<F extends MsgHandler | null>(callback: F): F {
    this._delivery.setOnMsg(callback);
    return callback;
  }

  /**
   * Call `callback(msg)` once when the peer closes or the comm is lost; returns it. Not called for one's
   * own `close()`. For a loss `msg` is shaped like a `comm_close` whose `metadata.tsushin.lost` has the
   * reason.
   */
  on_close<F extends CloseHandler | null>(callback: F): F {
    this._delivery.setOnClose(callback);
    return callback;
  }

  /**
   * Call `callback(missed)` when messages of this comm are lost for good; returns it. `missed` is how many:
   * dropped here because nobody read them, or sent by the peer and not to be had again. Without a callback
   * they are reported as an error. null removes it.
   */
  on_gap<F extends GapHandler | null>(callback: F): F {
    this._delivery.setOnGap(callback);
    return callback;
  }

  /**
   * Call `f()` for the state of this comm, which is what it returns as `data`; returns it. A page that takes the
   * comm up later, or has lost messages of it for good, gets it as a message, with `metadata.tsushin.snapshot`;
   * nobody else does. For comms that a kernel opens. null removes it.
   */
  snapshot<F extends Snapshot | null>(f: F): F {
    this.#snapshot = f;
    return f;
  }

  /** Send the state to one session. For the manager. */
  _sendSnapshot(session: string): void {
    if (this.#snapshot === null || this.closed) return;
    try {
      const encoded = encodeData(this.#snapshot(), null, null, true, { snapshot: true });
      this.#manager.sendComm(this, encoded, { always: true, to: session });
    } catch (error) {
      this.#manager.runtime.report(error, `snapshot of ${String(this)}`, null);
    }
  }

  /** The live sessions that have this comm open, as far as they have said so. */
  get peers(): readonly Peer[] {
    return this.#manager.sessions.peers.withOpen(this.comm_id);
  }

  /**
   * Return a promise of the first peer that has this comm open. Rejected at a frontend with `NoPeer` where the
   * kernel has no end that knows the profile, and with a `DOMException` called "TimeoutError" where nobody has
   * accepted it in time.
   */
  ready(options: WaitOptions = {}): Promise<Peer> {
    return this.#manager.sessions.ready(this.comm_id, `a peer for ${String(this)}`, options);
  }

  /**
   * Return a promise of the next unread message, kept or to come; to be made before the peer sends. That
   * message then goes to nobody else. `timeout` is in seconds.
   */
  expect_msg(
    timeout = DEFAULT_TIMEOUT,
    options: Pick<WaitOptions, "signal"> = {},
  ): Promise<MsgMessage> {
    return this._delivery.expect(`comm_msg on ${String(this)}`, { ...options, timeout });
  }

  /**
   * Ask the peer's `handle(name, …)`; return a promise of its answer. `data` is a JSON object and may hold
   * bytes and typed arrays; `timeout` is in seconds, `Infinity` waits as long as the comm is open.
   *
   * `to` is as in `send`; without it every peer is asked, and the first answer counts.
   *
   * Throws as `send`. Rejected with `RemoteError` where the peer's function raised, `NoPeer` where it has
   * none for `name`, a `DOMException` called "TimeoutError", and whatever ended the comm.
   */
  request(name: string, data: Data = null, options: RequestOptions = {}): Promise<unknown> {
    return this._requests.ask(name, data, options);
  }

  /**
   * Ask the peer's `handle(name, …)` for an answer in parts: `for await (const part of comm.stream(…))`. The
   * peer's function yields the parts; one that returns a value gives one part. `timeout` is in seconds, for
   * each part. Leaving the loop ends the function.
   *
   * Throws as `send`, and RangeError: the window is below 1. The iteration throws what the promise of `request`
   * is rejected with.
   */
  stream(name: string, data: Data = null, options: StreamOptions = {}): Stream {
    return this._requests.askStream(name, data, options);
  }

  /**
   * Answer the peer's requests for `name` by `f(msg)`; returns it. What it returns, or the promise it
   * returns resolves to, any JSON value or binary, is the answer; what it yields are the parts of it, for who
   * asked by `stream`; what it throws is the peer's error. It replaces the one before.
   */
  handle<F extends RequestHandler>(name: string, f: F): F {
    if (typeof f !== "function") throw new TypeError(`handle "${name}": expected a function`);
    this._requests.handle(name, f);
    return f;
  }

  /**
   * Iterate over the messages: `for await (const msg of comm)`. It ends when the comm is closed, and throws
   * what ended it where it was lost. Throws `LocalProtocolError` where `on_msg` is set, which takes them.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MsgMessage> {
    if (this._delivery.hasOnMsg) {
      throw new LocalProtocolError(
        `${String(this)}: on_msg is set, so there is nothing to iterate over`,
      );
    }
    return this.#messages();
  }

  async *#messages(): AsyncIterableIterator<MsgMessage> {
    for (;;) {
      let message: MsgMessage;
      try {
        message = await this._delivery.next();
      } catch (error) {
        if (error instanceof CommClosed && error.closed_by !== "lost") return;
        throw error;
      }
      yield message;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  toString(): string {
    return `comm ${this.comm_id.slice(0, 8)} on target "${this.target_name}"`;
  }

  /** For the debugger and `JSON.stringify`: what a comm is, not what it holds. */
  toJSON(): JsonObject {
    const { comm_id, target_name, primary, closed_by } = this;
    return { comm_id, target_name, primary, closed_by };
  }
}
