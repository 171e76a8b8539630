/**
 * All comms and targets of one end: the classic `CommManager`, at a kernel and at a frontend alike; the
 * twin of `src/tsushin/manager.py`.
 *
 * The host feeds it arriving messages (`receive`) and gives it two things: `send`, which takes a message
 * to the peer without waiting, and a `Runtime`. The rules are the router's; here they meet user code.
 *
 * One piece, because every part of it works on the same registry.
 *
 * Spec: Jupyter messaging, "Custom Messages".
 */
import type { Buffers, CommOptions, CommOwner, Data } from "./comm.js";
import { Comm } from "./comm.js";
import {
  CommClosed,
  KernelGone,
  RemoteProtocolError,
  TransportError,
  TsushinError,
  UnknownTarget,
  quote,
} from "./errors.js";
import { DEFAULT_TIMEOUT, Expected } from "./expected.js";
import type { WaitOptions } from "./expected.js";
import { newId } from "./ids.js";
import type { Peer } from "./peers.js";
import { TARGET as SESSION_TARGET } from "./profile/control.js";
import { readRequest } from "./profile/requests.js";
import { Profile } from "./profile/sessions.js";
import type { Encoded } from "./protocol/buffers.js";
import { restoreData } from "./protocol/buffers.js";
import { commContent, commInfoContent } from "./protocol/contents.js";
import type { Closed, Event, Lost, Opened, Received, Unknown } from "./protocol/events.js";
import type { Limits } from "./protocol/limits.js";
import { DEFAULT_LIMITS } from "./protocol/limits.js";
import type {
  Channel,
  CommInfo,
  CommType,
  Header,
  JsonObject,
  Message,
  OpenMessage,
} from "./protocol/messages.js";
import {
  COMM_TYPES,
  msgType,
  newHeader,
  newMessage,
  sessionOf,
  toClassic,
} from "./protocol/messages.js";
import type { CloseReason, OnUnknown, Outgoing } from "./protocol/routing.js";
import { Router } from "./protocol/routing.js";
import type { Runtime } from "./runtime.js";
import { describe, isPromise } from "./runtime.js";
import type { PeerHandler, SendingWays } from "./sessions.js";
import { Sessions } from "./sessions.js";
import { TakingUp } from "./taking_up.js";

/** Called for each comm the peer opens; a promise it returns is awaited. */
export type Target = (comm: Comm, msg: OpenMessage) => unknown;

/** Finds a target by its module: `target_module` and `target_name` of a `comm_open`. */
export type LoadTarget = (target_module: string, target_name: string) => Promise<Target>;

const LOAD_TIMEOUT = 30; // seconds; a module that is not there by then is not coming

/** What a host gives. */
export interface CommManagerOptions {
  /** Takes one message towards the peer; never waits. */
  readonly send: (message: Message) => void;
  readonly runtime: Runtime;
  /** "iopub" at a kernel, "shell" at a frontend. */
  readonly channel: Channel;
  /** What to do about an open for a target not registered here (`Router`). */
  readonly on_unknown: OnUnknown;
  /** This end's session id; made automatically unless given. */
  readonly session?: string;
  /** Finds targets by their module; without it `target_module` means nothing here. */
  readonly load_target?: LoadTarget | undefined;
  readonly limits?: Limits;
  /** At a frontend: say hello to a kernel end that knows the profile, as soon as it shows. */
  readonly joins?: boolean;
  /** Of a page: the same before and after it was loaded again. */
  readonly tab?: string | undefined;
  /** Of a page: the sessions that the page before it in its tab had. Their goodbye is said again. */
  readonly left?: readonly string[];
  /** What the route to the peer takes in one message; null for no bound. */
  readonly max_whole_bytes?: number | null | undefined;
  /** Comms that are not open here are somebody else's: nothing of them is looked at. */
  readonly skips_unknown?: boolean | undefined;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly username?: string;
}

/**
 * The comms and targets of one end. Made by a host, not by users: each frontend has one
 * (`fe.comm_manager`).
 */
export class CommManager implements CommOwner {
  readonly session: string;
  readonly runtime: Runtime;
  readonly limits: Limits;
  /** Open comms by id. */
  readonly comms = new Map<string, Comm>();
  /** Target functions by name. */
  readonly targets = new Map<string, Target>();
  /**
   * Finds the target of a `comm_open` that names a module, before registered names are looked at; null
   * where this end has no modules. Meanwhile the comm is open, and keeps its messages.
   */
  load_target: LoadTarget | null;
  /** Its peers, and what was promised to them (`profile/`). */
  readonly sessions: Sessions;
  /** Messages that arrived after a close (count). */
  late = 0;
  /** Messages for comms this end has no part in (count). */
  unknown = 0;
  readonly #clock: () => number;
  readonly #username: string;
  readonly #onUnknown: OnUnknown;
  readonly #skipsUnknown: boolean;
  readonly #router: Router;
  readonly #expected = new Map<string, Expected<Comm>[]>();
  readonly #takingUp: TakingUp;
  #number = 0;

  constructor(options: CommManagerOptions) {
    this.session = options.session ?? newId();
    this.runtime = options.runtime;
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.load_target = options.load_target ?? null;
    this.#clock = options.clock ?? (() => Date.now());
    this.#username = options.username ?? "";
    this.#onUnknown = options.on_unknown;
    this.#skipsUnknown = options.skips_unknown ?? false;
    this.#router = new Router({
      channel: options.channel,
      session: this.session,
      on_unknown: options.on_unknown,
      knowsTarget: (name, module) => this.#knowsTarget(name) || this.#loads(module),
      newMsgId: () => this.next_msg_id(),
      limits: this.limits,
      username: this.#username,
    });
    const profile = new Profile({
      channel: options.channel,
      session: this.session,
      epoch: newId(),
      newHeader: (msg_type, now) => this.#header(msg_type, now * 1e3),
      openComms: () => [...this.comms.keys()],
      limits: this.limits,
      joins: options.joins ?? false,
      tab: options.tab,
      ...(options.left === undefined ? {} : { left: options.left }),
      max_whole_bytes: options.max_whole_bytes,
    });
    this.#takingUp = new TakingUp(this, () => this.#clock() / 1e3);
    this.sessions = new Sessions(
      profile,
      {
        send: options.send,
        deliver: (messages) => messages.forEach((message) => this.deliver(message)),
        gap: (comm_id, missed) => this.#tellGap(comm_id, missed),
        cancelled: (comm_id, req) => this.comms.get(comm_id)?._requests.cancelAnswer(req),
        credited: (comm_id, req, taken) =>
          this.comms.get(comm_id)?._requests.creditAnswer(req, taken),
        peersChanged: () => this.comms.forEach((comm) => comm._requests.peersChanged()),
        newLife: () => this.#loseKernel(),
        peerLeft: (session, comm_ids) => this.#takingUp.peerLeft(session, comm_ids),
        restoreAsked: (session, comm_ids) => this.#takingUp.asked(session, comm_ids),
        taken: (comm_id, messages) => this.#takingUp.taken(comm_id, messages),
      },
      {
        clock: () => this.#clock() / 1e3,
        runtime: this.runtime,
        hopes: options.joins ?? false,
      },
    );
  }

  // ---------------------------------------------------------------- peers

  /** The live sessions at the other end; none of them is a plain peer. */
  get peers(): readonly Peer[] {
    return this.sessions.peers.live();
  }

  /** Call `callback(peer, is_live)` when a session begins or ends; replaces the one before, null removes it. */
  on_peer<F extends PeerHandler | null>(callback: F): F {
    this.sessions.onPeer(callback);
    return callback;
  }

  // ---------------------------------------------------------------- targets

  /**
   * Call `f(comm, msg)` for each comm the peer opens to `target_name`; returns `f`. If it throws, the
   * comm is closed with the error as reason.
   */
  register_target<F extends Target>(target_name: string, f: F): F {
    if (typeof target_name !== "string") {
      throw new TypeError(`register_target: expected a name, got ${quote(target_name)}`);
    }
    if (typeof f !== "function") {
      throw new TypeError(`target ${quote(target_name)}: expected a function, got ${quote(f)}`);
    }
    this.targets.set(target_name, f);
    this.#releaseSoon(target_name);
    return f;
  }

  /**
   * Forget a target and return its function. Open comms are not touched. Throws RangeError: no such
   * target, or another function than `f` is registered.
   */
  unregister_target(target_name: string, f: Target | null = null): Target {
    const registered = this.targets.get(target_name);
    if (registered === undefined || (f !== null && f !== registered)) {
      const got =
        registered === undefined ? "it is not registered" : "another function is registered";
      throw new RangeError(`target ${quote(target_name)}: ${got}`);
    }
    this.targets.delete(target_name);
    return registered;
  }

  /**
   * Return a promise of the next comm the peer opens to `target_name`; to be made before it does. The
   * comm goes to nobody else; what it was opened with is its `open_msg`. `timeout` is in seconds.
   */
  expect_open(
    target_name: string,
    timeout = DEFAULT_TIMEOUT,
    options: Pick<WaitOptions, "signal"> = {},
  ): Promise<Comm> {
    const about = `comm_open on target ${quote(target_name)}`;
    const expected = new Expected<Comm>(about, { ...options, timeout });
    const queue = this.#expected.get(target_name) ?? [];
    this.#expected.set(target_name, [...queue, expected]);
    this.#releaseSoon(target_name);
    return expected.promise;
  }

  // ---------------------------------------------------------------- comms

  /** Open a comm to the peer's target. Arguments and errors as `Comm`. */
  new_comm(
    target_name: string,
    data: Data = null,
    metadata: Data = null,
    buffers: Buffers = null,
    comm_id: string | null = null,
    { history = 0 }: Pick<CommOptions, "history"> = {},
  ): Comm {
    const options = { manager: this, history };
    return new Comm(target_name, data, metadata, buffers, comm_id, true, null, options);
  }

  /** Return the open comm with this id, or null. */
  get_comm(comm_id: string): Comm | null {
    return this.comms.get(comm_id) ?? null;
  }

  /**
   * Take over a comm that the peer has open, without sending; return its id. Throws `DuplicateComm`: the
   * id is open here, or was.
   */
  register_comm(comm: Comm): string {
    this.#router.adopt(comm._record);
    this.comms.set(comm.comm_id, comm);
    if (!this.sessions.isKernel) this.sessions.accept(comm.comm_id, "");
    return comm.comm_id;
  }

  /**
   * Drop a comm without telling the peer; return it. `comm.close()` is what users want. Throws
   * RangeError: it is not registered; another comm may be, under its id.
   */
  unregister_comm(comm: Comm): Comm {
    if (this.comms.get(comm.comm_id) !== comm) {
      throw new RangeError(`comm ${quote(comm.comm_id)}: it is not registered`);
    }
    this.comms.delete(comm.comm_id);
    this.sessions.forget(comm.comm_id);
    this.#router.forget(comm._record);
    this.#end(comm);
    return comm;
  }

  /** Return the content of a `comm_info_reply` about every open comm here. */
  comm_info(target_name: string | null = null): JsonObject {
    // Whoever asks for it by name knows the profile, and learns that this end does.
    const asksForUs = target_name === SESSION_TARGET && this.#router.channel === "iopub";
    if (asksForUs) return commInfoContent(new Map([[SESSION_TARGET, SESSION_TARGET]]), null);
    return commInfoContent(this.#router.openComms(), target_name);
  }

  /** Make an id for a message of this session, never used twice. */
  next_msg_id(): string {
    this.#number += 1;
    return `${this.session}_${this.#number}`;
  }

  // ---------------------------------------------------------------- for Comm (CommOwner)

  /** Register `comm` and send its `comm_open`; where it cannot leave, nothing is open. */
  openComm(comm: Comm, encoded: Encoded): string {
    const outgoing = this.#outgoing(encoded);
    const id = this.#router.sendOpen(comm._record, outgoing, this.#clock(), comm.target_module);
    this.comms.set(comm.comm_id, comm);
    if (this.sessions.isKernel) this.sessions.keep(comm.comm_id, comm.history);
    try {
      this.#flush();
    } catch (error) {
      this.unregister_comm(comm);
      throw error;
    }
    return id;
  }

  /** Send a `comm_msg`. */
  sendComm(comm: Comm, encoded: Encoded, ways?: SendingWays): string {
    const id = this.#router.sendMsg(comm._record, this.#outgoing(encoded), this.#clock());
    this.sessions.send(this.#router.messagesToSend(), ways);
    return id;
  }

  /** Send the `comm_close` and unregister `comm`, whatever becomes of the message. */
  closeComm(comm: Comm, encoded: Encoded): string {
    const id = this.#router.sendClose(comm._record, this.#outgoing(encoded), this.#clock());
    this.comms.delete(comm.comm_id);
    this.#end(comm);
    this.#flush();
    return id;
  }

  // ---------------------------------------------------------------- for the host

  /**
   * Feed one message; other types than the three of comms are passed over. Never throws for what the
   * peer sent or for what a handler throws: both are reported to the runtime.
   */
  receive(message: Message): void {
    if (!COMM_TYPES.includes(msgType(message))) return;
    for (const arrived of this.sessions.arrive(message)) this.deliver(arrived);
  }

  /**
   * Offer comms that the peer has open, as it lists them in a `comm_info_reply`, to the targets here: each
   * one that is new to this end is opened as if the peer had just opened it, with `data: {}` and
   * `metadata.tsushin.restored`. Nothing is sent. One whose target is not registered is kept where
   * `on_unknown` says so, else left alone. Returns the ids of those that were opened.
   */
  restore(comms: CommInfo): string[] {
    const opened: string[] = [];
    for (const [comm_id, { target_name }] of Object.entries(this.restorable(comms))) {
      this.receive(this.madeUp("comm_open", { comm_id, target_name }, { restored: true }));
      if (this.comms.has(comm_id)) opened.push(comm_id);
    }
    return opened;
  }

  /**
   * Do as `restore`, with what a kernel end that knows the profile has kept of each comm: what it was opened with,
   * the messages that its `history` keeps, and its snapshot. A kernel end without the profile has kept nothing.
   * Returns a promise of the ids of those that were opened.
   */
  take_up(comms: CommInfo): Promise<string[]> {
    return this.#takingUp.begin(comms);
  }

  /** Return those of these comms that are new here, and have a target or are kept for it. */
  restorable(comms: CommInfo): CommInfo {
    const isWanted = ([comm_id, { target_name }]: [string, { target_name: string }]) =>
      (this.#onUnknown === "keep" || this.#knowsTarget(target_name)) && this.#router.isNew(comm_id);
    return Object.fromEntries(Object.entries(comms).filter(isWanted));
  }

  /** Handle a comm message that `sessions.arrive` handed on. */
  deliver(message: Message): void {
    const isUnknown =
      msgType(message) !== "comm_open" && !this.knows(String(message.content.comm_id));
    if (this.#skipsUnknown && isUnknown) return;
    this.#router.receive(message, this.#clock());
    this.#handleEvents();
  }

  /** Say whether a comm is open, waiting or remembered as closed here. */
  knows(comm_id: string): boolean {
    return !this.#router.isNew(comm_id);
  }

  /** Every comm is lost: `on_close` runs with the reason, waits end with `error`. */
  lose(reason: string, error: TsushinError | null = null): void {
    this.#router.lose(reason);
    for (const event of this.#router.events()) {
      if (event.type === "lost") this.#loseComm(event, error);
    }
    const waiting = [...this.#expected.values()].flat();
    this.#expected.clear();
    for (const expected of waiting) expected.fail(error ?? new TsushinError(reason));
    this.sessions.reset();
  }

  // ---------------------------------------------------------------- for Requests (Asking)

  /** Throw `NoPeer` where a session is not there. */
  checkLive(session: string, about: string): void {
    this.sessions.checkLive(session, about);
  }

  /** Return the sessions that may answer a request; null while one that is not there may come. */
  mayAnswer(comm_id: string): ReadonlySet<string> | null {
    const isEarly = this.peers.length === 0 && this.sessions.mayCome();
    return isEarly ? null : this.sessions.peers.mayAnswer(comm_id);
  }

  /** Return the sessions that may have got what was sent on a comm before they said hello. */
  mayHaveHeard(comm_id: string): ReadonlySet<string> {
    // Pages that are there already, with the comm open, say hello just after a kernel end has come.
    const peers = this.sessions.mayCome() ? this.sessions.peers.withOpen(comm_id) : [];
    return new Set(peers.map(({ session }) => session));
  }

  /** Nobody waits for an answer any more; `but` has given it. */
  cancelRequest(comm_id: string, req: string, but: string | null): void {
    this.sessions.cancel(comm_id, req, but);
  }

  /** So many parts of an answer were taken. */
  creditRequest(comm_id: string, req: string, taken: number, session: string): void {
    this.sessions.credit(comm_id, req, taken, session);
  }

  // ---------------------------------------------------------------- inside

  /** Comms may wait for this target: they are delivered after the registering call has returned. */
  #releaseSoon(target_name: string): void {
    if (this.#onUnknown !== "keep") return;
    this.runtime.soon(() => {
      this.#router.release(target_name, this.#clock());
      this.#handleEvents();
    });
  }

  #handleEvents(): void {
    for (const event of this.#router.events()) this.#handle(event);
  }

  #knowsTarget(target_name: string): boolean {
    return this.targets.has(target_name) || this.#waitsFor(target_name);
  }

  #loads(target_module: string | null): boolean {
    return target_module !== null && this.load_target !== null;
  }

  #waitsFor(target_name: string): boolean {
    const waiting = (this.#expected.get(target_name) ?? []).filter((one) => one.isWaiting);
    if (waiting.length === 0) this.#expected.delete(target_name);
    else this.#expected.set(target_name, waiting);
    return waiting.length > 0;
  }

  #outgoing({ data, metadata, buffers }: Encoded): Outgoing {
    return { data, metadata, buffers, parent: this.runtime.parent() };
  }

  #flush(): void {
    this.sessions.send(this.#router.messagesToSend());
  }

  #header(msg_type: string, now_ms: number): Header {
    const { session } = this;
    const facts = { msg_id: this.next_msg_id(), session, now_ms, username: this.#username };
    return newHeader(msg_type, facts);
  }

  #tellGap(comm_id: string, missed: number): void {
    const comm = this.comms.get(comm_id);
    if (comm === undefined) return;
    comm._delivery.tellGap(missed);
    this.#takingUp.missed(comm_id);
  }

  #loseKernel(): void {
    const gone = new KernelGone("the kernel was restarted", { why: "restarted" });
    this.lose(gone.message, gone);
  }

  #handle(event: Event): void {
    switch (event.type) {
      case "opened": {
        this.#accept(event);
        return;
      }
      case "received": {
        this.#deliver(event);
        return;
      }
      case "closed": {
        this.#closeReceived(event);
        return;
      }
      case "late":
        this.late += 1;
        return;
      case "unknown": {
        this.#meetUnknown(event);
        return;
      }
      case "fault": {
        this.#answerFault(event.error);
        return;
      }
      case "lost": {
        this.#loseComm(event, null);
        return;
      }
    }
  }

  #accept(event: Opened): void {
    const { comm_id, target_name, target_module } = event;
    const record = this.#router.record(comm_id);
    const message = this.#restored(event.message);
    if (record === null || message === null) {
      this.#refuse(event, { code: RemoteProtocolError.code, message: "malformed binary" });
      return;
    }
    const options = { manager: this, record };
    const comm = new Comm(target_name, null, null, null, comm_id, false, target_module, options);
    comm.open_msg = toClassic(message) as unknown as OpenMessage; // commContent checked it
    this.comms.set(comm_id, comm);
    if (this.#settleExpected(comm)) return;
    if (this.#loads(target_module)) this.#loadTarget(event, comm, comm.open_msg, message);
    else this.#runTarget(event, comm, comm.open_msg, message, this.targets.get(target_name));
  }

  #settleExpected(comm: Comm): boolean {
    const queue = this.#expected.get(comm.target_name) ?? [];
    for (;;) {
      const expected = queue.shift();
      if (expected === undefined) return false;
      if (!expected.settle(comm)) continue;
      this.sessions.accept(comm.comm_id, comm.open_msg?.header.session ?? "");
      return true;
    }
  }

  /** The comm is open meanwhile, and what arrives for it is kept: see `Delivery`. */
  #loadTarget(event: Opened, comm: Comm, msg: OpenMessage, message: Message): void {
    const about = `module ${quote(event.target_module)} for ${String(comm)}`;
    const loading = new Expected<Target>(about, { timeout: LOAD_TIMEOUT });
    this.#load(event).then(
      (target) => loading.settle(target),
      (error: unknown) => loading.fail(error),
    );
    loading.promise.then(
      (target) => {
        if (!comm.closed) this.#runTarget(event, comm, msg, message, target);
      },
      (error: unknown) => {
        if (comm.closed) return; // nobody waits for it any more
        this.#refuse(event, { ...handlerThrew(error), code: UnknownTarget.code });
        this.runtime.report(error, about, message);
      },
    );
  }

  async #load({ target_module, target_name }: Opened): Promise<Target> {
    const target = await this.load_target?.(target_module ?? "", target_name);
    if (typeof target === "function") return target;
    throw new TypeError(`load_target: expected a function, got ${quote(target)}`);
  }

  #runTarget(
    event: Opened,
    comm: Comm,
    msg: OpenMessage,
    message: Message,
    target: Target | undefined,
  ): void {
    if (target === undefined) {
      this.#leaveOrRefuse(event, comm); // unregistered, or no longer waited for, just now
      return;
    }
    const failed = (error: unknown) => {
      this.#refuse(event, handlerThrew(error));
      this.runtime.report(error, `target of ${String(comm)}`, message);
    };
    try {
      const result = this.runtime.run(() => target(comm, msg));
      this.sessions.accept(comm.comm_id, sessionOf(message));
      if (isPromise(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  #leaveOrRefuse(event: Opened, comm: Comm): void {
    if (this.#onUnknown !== "close") {
      // DESIGN 5: an attached frontend never closes it.
      this.unknown += 1;
      this.unregister_comm(comm);
      this.sessions.refuse(event.comm_id);
    } else {
      this.#refuse(event, { code: UnknownTarget.code, message: "the target is gone" });
    }
  }

  #refuse(event: Opened, reason: CloseReason): void {
    this.#router.refuse(event, reason, this.#clock());
    const comm = this.comms.get(event.comm_id);
    this.comms.delete(event.comm_id);
    if (comm !== undefined) this.#end(comm);
    withoutLink(() => this.#flush()); // with the link the peer's comm is gone too
  }

  #deliver(event: Received): void {
    const comm = this.comms.get(event.comm_id);
    const message = this.#restored(event.message);
    if (message === null || comm === undefined) return;
    try {
      const about = readRequest(message);
      if (about === null) comm._delivery.put(message);
      else if (about.type === "asked") comm._requests.takeRequest(about, message);
      else comm._requests.takeAnswer(about, sessionOf(message));
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#answerFault(error);
    }
  }

  #closeReceived(event: Closed): void {
    const comm = this.comms.get(event.comm_id);
    this.comms.delete(event.comm_id);
    const content = commContent(event.message);
    // A close counts even where the peer's entries for binary are malformed.
    const message = this.#restored(event.message) ?? { ...event.message, content };
    if (comm === undefined) return;
    const data = message.content.data as JsonObject; // commContent checked it
    const text = `${String(comm)} was closed by the peer`;
    const closed = new CommClosed(text, { closed_by: "there", data });
    comm._requests.end(closed);
    this.sessions.peers.forget(comm.comm_id, closed);
    comm._delivery.close(message, closed);
  }

  #loseComm(event: Lost, error: TsushinError | null): void {
    const comm = this.comms.get(event.comm_id);
    this.comms.delete(event.comm_id);
    if (comm === undefined) return;
    const text = `${String(comm)} was lost: ${event.reason}`;
    const lost = error ?? new CommClosed(text, { closed_by: "lost" });
    const { comm_id, reason } = event;
    comm._requests.end(lost);
    this.sessions.peers.forget(comm_id, lost);
    comm._delivery.close(this.madeUp("comm_close", { comm_id }, { lost: reason }), lost);
  }

  /** Build a message that no peer has sent; `tsushin` in its metadata says why. For `TakingUp`. */
  madeUp(msg_type: CommType, about: JsonObject, tsushin: JsonObject): Message {
    const { session } = this;
    const facts = { msg_id: "", session, now_ms: this.#clock(), username: this.#username };
    const metadata = Object.keys(tsushin).length > 0 ? { tsushin } : {};
    const rest = { metadata, content: { ...about, data: {} } };
    return newMessage(this.#router.channel, newHeader(msg_type, facts), rest);
  }

  #end(comm: Comm): void {
    const closed = new CommClosed(`${String(comm)} was closed`, { closed_by: "here" });
    comm._requests.end(closed);
    this.sessions.peers.forget(comm.comm_id, closed);
    comm._delivery.end(closed);
  }

  #meetUnknown(event: Unknown): void {
    this.unknown += 1;
    if (msgType(event.message) === "comm_open") this.sessions.refuse(event.comm_id);
    // A broadcast about other people's comms is normal at a frontend (Jupyter messaging, iopub).
    if (this.#router.channel !== "iopub") return;
    const about = `${msgType(event.message)} ${quote(event.comm_id)}`;
    this.runtime.fault(new RemoteProtocolError(`${about}: no comm with this id is open`));
  }

  #answerFault(error: RemoteProtocolError): void {
    const { reply } = error;
    // Without a link nobody reads the answer; its driver calls lose.
    if (reply !== null) withoutLink(() => this.sessions.send([reply]));
    this.runtime.fault(error);
  }

  /** Put binary back into the data; null (and a fault) where the peer's entries are malformed. */
  #restored(message: Message): Message | null {
    const content = commContent(message);
    try {
      const plain = content.data as JsonObject; // commContent checked it
      const { data, buffers } = restoreData(plain, message.metadata, message.buffers);
      return { ...message, content: { ...content, data }, buffers };
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#answerFault(error);
      return null;
    }
  }
}

/** Do what needs a link, or let it be where there is none. */
function withoutLink(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
  }
}

function handlerThrew(error: unknown): CloseReason {
  const name = error instanceof Error ? error.name : typeof error;
  return { code: "remote_error", name, message: describe(error) };
}
