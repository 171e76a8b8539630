/**
 * The profile at work at one end: its clock, its timer, and what its events mean for comms; the twin of
 * `src/tsushin/sessions.py`.
 *
 * `profile/sessions.ts` has the rules and touches nothing; here they are driven: messages leave by the host's
 * `send`, deadlines become timers of the `Runtime`, and events reach who has to know.
 *
 * One piece, because whatever is asked here sends what came of it and meets its events.
 */
import { NoPeer, RemoteProtocolError, TransportError, TsushinError, quote } from "./errors.js";
import type { WaitOptions } from "./expected.js";
import { Expected } from "./expected.js";
import type { Peer } from "./peers.js";
import { Peers } from "./peers.js";
import type { ProfileEvent, Sent } from "./profile/events.js";
import type { Profile, SendWays } from "./profile/sessions.js";
import type { Message } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";

export type PeerHandler = (peer: Peer, is_live: boolean) => unknown;
/** Called with bytes sent and bytes in all; false ends the sending. Anything else it returns is not looked at. */
export type ProgressHandler = (sent: number, total: number) => unknown;

const MAX_TABS = 1000; // sessions whose tab is remembered

/** Seconds after this end became known in which a peer may still say hello. */
export const GRACE = 2;

/** What the manager does about what the sessions find out. */
export interface Hooks {
  /** Takes a message to the link. */
  send(message: Message): void;
  /** Hands on messages that nothing brought just now. */
  deliver(messages: readonly Message[]): void;
  /** So many messages of a comm are missing for good. */
  gap(comm_id: string, missed: number): void;
  /** Nobody waits for the answer to a request of a comm. */
  cancelled(comm_id: string, req: string): void;
  /** So many parts of the answer to a request of a comm were taken. */
  credited(comm_id: string, req: string, taken: number): void;
  /** Who may answer is not who could before. */
  peersChanged(): void;
  /** At a frontend: the kernel end is another one than before. */
  newLife(): void;
  /** A session is gone, which had these comms open. */
  peerLeft(session: string, comm_ids: readonly string[]): void;
  /** At a kernel end: a session takes up comms. */
  restoreAsked(session: string, comm_ids: readonly string[]): void;
  /** At a frontend: how a comm stands that is taken up (`Taken`). */
  taken(comm_id: string, messages: readonly Message[] | null): void;
}

/** What a host does about lanes. */
export interface Lanes {
  /** At a frontend: a kernel end is there that has lanes. Ask, unless there is one. */
  wanted(): void;
  /** At a kernel end: a session asks for a lane, from a page of this origin; "" from no page. */
  asked(session: string, origin: string): void;
  /** At a frontend: so the lane is to be had; port 0 says that it is not. */
  offered(port: number, token: string): void;
  /** The session is gone, or its lane is silent: end that. Nothing happens where there is none. */
  end(session: string): void;
}

/** Takes one message into a lane. Never throws: what a lane that has ended does not take is sent again. */
export type LaneSend = (message: Message) => void;

/** How messages are sent: see `Profile.send`. */
export interface SendingWays extends Omit<SendWays, "token"> {
  /** Is told how far they are. */
  readonly on_progress?: ProgressHandler | null;
}

export interface SessionsOptions {
  /** Returns the time in seconds. */
  readonly clock: () => number;
  readonly runtime: Runtime;
  /** A first peer may come at any time, as far as is known. */
  readonly hopes: boolean;
}

/** The peers of one manager, and what was promised to them. */
export class Sessions {
  readonly peers = new Peers();
  readonly #profile: Profile;
  readonly #hooks: Hooks;
  readonly #clock: () => number;
  readonly #runtime: Runtime;
  #armed = Infinity;
  #onPeer: PeerHandler | null = null;
  #wantsSent: { readonly queued: number; readonly expected: Expected<null> }[] = [];
  #wantsDrained: { comm_id: string; expected: Expected<null> }[] = [];
  #wantsFirst: Expected<null>[] = [];
  readonly #progress = new Map<number, ProgressHandler>(); // by token
  #token = 0;
  readonly #tabs = new Map<string, string>(); // session -> tab, also of those that are gone
  #lanes: Lanes | null = null;
  readonly #ways = new Map<string, LaneSend>(); // by session: into its lane
  readonly #marks = new Map<string, Map<number, Expected<null>>>(); // by session
  #hopesUntil: number;

  constructor(profile: Profile, hooks: Hooks, options: SessionsOptions) {
    const { clock, runtime, hopes } = options;
    this.#profile = profile;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#runtime = runtime;
    this.#hopesUntil = hopes ? Infinity : -Infinity;
  }

  // ---------------------------------------------------------------- messages

  /**
   * Send messages of the router's. Throws what `Hooks.send` throws, `QueueFull` unless `always`, and
   * `LimitExceeded`: the route takes no message of that size.
   */
  send(messages: readonly Message[], ways: SendingWays = { always: true }): void {
    const now = this.#clock();
    const { on_progress = null, ...rest } = ways;
    const token = on_progress === null ? null : (this.#token += 1);
    if (token !== null && on_progress !== null) this.#progress.set(token, on_progress);
    try {
      for (const message of messages) this.#profile.send(message, now, { ...rest, token });
    } catch (error) {
      if (error instanceof TsushinError) this.#progress.delete(token ?? 0);
      throw error;
    }
    this.#push();
    if (token !== null) this.#meet(this.#profile.events());
  }

  /** This is a kernel end. */
  get isKernel(): boolean {
    return this.#profile.isKernel;
  }

  /** Say whether a session is there. */
  isLive(session: string): boolean {
    return this.#profile.peers.has(session);
  }

  /** Throw `NoPeer` where a session is not there. */
  checkLive(session: string, about: string): void {
    if (!this.isLive(session)) throw new NoPeer(`${about}: session ${quote(session)} is not there`);
  }

  /** Keep a comm's open and last `count` messages; it is opened next. */
  keep(comm_id: string, count: number): void {
    this.#profile.keep(comm_id, count);
  }

  /** Keep nothing of a comm any more. */
  forget(comm_id: string): void {
    this.#profile.forget(comm_id);
  }

  /** Say whether something waits to be sent. */
  get hasQueued(): boolean {
    return this.#profile.queuedBytes() > 0;
  }

  /** Return a promise of the moment when nothing waits of what was sent so far. */
  allSent(): Promise<null> {
    const expected = new Expected<null>("what was sent before to leave", { timeout: Infinity });
    this.#wantsSent.push({ queued: this.#profile.lastQueued(), expected });
    this.#lookAtQueue();
    return expected.promise;
  }

  /** Return a promise of the moment when all that was sent on a comm has arrived. */
  drained(comm_id: string, about: string, options: WaitOptions): Promise<null> {
    const expected = new Expected<null>(about, options);
    this.#wantsDrained.push({ comm_id, expected });
    this.#lookAtQueue();
    return expected.promise;
  }

  /** Take a message of the peer; return what can be handed on now, in order. */
  arrive(message: Message): Message[] {
    let arrived: Message[] = [];
    let fault: RemoteProtocolError | null = null;
    try {
      arrived = this.#profile.receive(message, this.#clock());
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      fault = error;
    }
    this.#pushQuietly();
    const events = this.#profile.events();
    if (fault !== null) this.#runtime.fault(fault);
    this.#meet(events);
    return arrived;
  }

  // ---------------------------------------------------------------- coming and going

  /** At a kernel end: say that it is here. */
  announce(): void {
    this.#hopesUntil = this.#clock() + GRACE;
    this.#do((now) => this.#profile.announce(now));
  }

  /** At a frontend: say hello to a kernel end that knows the profile. */
  join(): void {
    this.#do((now) => this.#profile.join(now));
  }

  /** At a frontend: the kernel end was told of us, and has not gone since. */
  get isMet(): boolean {
    return this.#profile.isAsking || this.#profile.peers.size > 0;
  }

  /** At a frontend: it is about to find out whether the kernel has such an end. */
  hope(): void {
    this.#hopesUntil = Infinity;
  }

  /** At a frontend: the kernel has said that it has such an end. Say hello, if that is not under way. */
  found(): void {
    if (this.#profile.peers.size > 0 || !this.#profile.isAsking) this.join();
  }

  /** At a frontend: the kernel has said that it has no such end, or does not say. */
  decline(): void {
    const { peers, isAsking } = this.#profile;
    if (peers.size === 0 && !isAsking) this.#meet([{ type: "declined" }]);
    this.#do((now) => this.#profile.resume(now));
  }

  /** At a frontend: the link is away; nothing is said or given up before `join` or `decline`. */
  pause(): void {
    this.#profile.pause();
  }

  /** Say goodbye. */
  leave(): void {
    this.#do((now) => this.#profile.leave(now));
  }

  /** The other end's life is over, or ours: no peer is left. */
  reset(): void {
    this.#profile.reset();
    this.#lookAtQueue(); // nothing waits to arrive any more
    this.#meet(this.#profile.events());
  }

  /** A comm that a peer opened has found its target. */
  accept(comm_id: string, opener: string): void {
    if (this.#profile.peers.size === 0) return;
    const session = this.#profile.isKernel ? opener : null;
    this.#do((now) => this.#profile.accept([comm_id], now, session));
  }

  /** A comm that a peer opened has no target here. */
  refuse(comm_id: string): void {
    if (this.#profile.peers.size > 0) this.#do((now) => this.#profile.refuse([comm_id], now));
  }

  /** Nobody waits for the answer to a request any more; `but` has given it. */
  cancel(comm_id: string, req: string, but: string | null = null): void {
    if (this.#profile.peers.size === 0) return;
    this.#do((now) => this.#profile.cancel(comm_id, req, now, but));
  }

  /** So many parts of an answer of this peer were taken. */
  credit(comm_id: string, req: string, taken: number, session: string): void {
    this.#do((now) => this.#profile.credit(comm_id, req, taken, now, session));
  }

  // ---------------------------------------------------------------- lanes

  /** Have lanes from now on; call it before the first hello. `also` is of a page: returns its other sessions. */
  useLanes(lanes: Lanes, also: () => readonly string[] = () => []): void {
    this.#lanes = lanes;
    this.#profile.useLanes(also);
  }

  /** At a frontend: ask for a lane; `Lanes.offered` hears the answer. */
  askLane(origin: string): void {
    this.#do((now) => this.#profile.laning.ask(origin, now));
  }

  /** At a kernel end: tell a session how to get its lane. */
  offerLane(session: string, port: number, token: string): void {
    this.#do((now) => this.#profile.laning.offer(session, port, token, now));
  }

  /**
   * Send what is for a session by its lane from now on; false where it is not there. What comes by the lane is for
   * `CommManager.receive`.
   */
  laneUp(session: string, send: LaneSend): boolean {
    if (!this.isLive(session)) return false;
    this.#ways.set(session, send);
    this.#do((now) => this.#profile.laning.up(session, now));
    return true;
  }

  /** A lane has ended; nothing happens where another one has replaced it. */
  laneDown(session: string, send: LaneSend): void {
    if (this.#ways.get(session) !== send) return;
    this.#ways.delete(session);
    this.#endMarks(session);
    this.#do((now) => this.#profile.laning.down(session, now));
  }

  /** Say whether a session has a lane; null asks for any. */
  hasLane(session: string | null = null): boolean {
    return session === null ? this.#ways.size > 0 : this.#ways.has(session);
  }

  /** Say whether a lane has taken messages that are not confirmed. */
  get isAheadByLane(): boolean {
    return this.#profile.laning.isAheadByLane();
  }

  /**
   * At a frontend: return a promise of the moment when all that was sent by the lane is there. It comes back by the
   * lane: what the other end sent before is here by then. Resolves at once without a lane, and in any case after
   * `timeout` seconds.
   */
  async arrivedByLane(timeout: number): Promise<void> {
    const [session] = this.#ways.keys();
    if (session === undefined) return;
    const expected = new Expected<null>("the lane's answer", { timeout });
    const marks = this.#marks.get(session) ?? new Map<number, Expected<null>>();
    this.#marks.set(session, marks);
    this.#do((now) => marks.set(this.#profile.laning.mark(session, now), expected));
    await expected.promise.catch(() => undefined); // it takes too long
  }

  /** At a kernel end: a session sent a request that frontends send. */
  heardPlain(session: string): void {
    this.#profile.heardPlain(session);
  }

  // ---------------------------------------------------------------- taking up

  /** Return a promise that is settled once it is known whether there is a peer. */
  first(timeout: number): Promise<null> {
    const expected = new Expected<null>("a first peer", { timeout });
    if (this.#profile.peers.size > 0 || !this.mayCome()) expected.settle(null);
    else this.#wantsFirst.push(expected);
    return expected.promise;
  }

  /** At a frontend: say whether the kernel end tells how its comms stand. */
  canRestore(): boolean {
    return this.#profile.taking.canRestore();
  }

  /** At a frontend: ask how comms stand. `Hooks.taken` hears of each. */
  restore(comm_ids: readonly string[]): void {
    this.#do((now) => this.#profile.taking.restore(comm_ids, now));
  }

  /** At a kernel end: tell a session how comms stand. */
  restored(session: string, comm_ids: readonly string[]): void {
    this.#do((now) => this.#profile.taking.restored(session, comm_ids, now));
  }

  /** At a kernel end: tell a session how a comm stands that a frontend has opened. */
  reopened(session: string, opening: Message): void {
    this.#do((now) => this.#profile.taking.reopened(session, opening, now));
  }

  /** At a kernel end: tell a session that it cannot take up these comms. */
  withhold(session: string, comm_ids: readonly string[]): void {
    this.#do((now) => this.#profile.taking.withhold(session, comm_ids, now));
  }

  /** Return the tab of a session that is or was here; "" where that is not known. */
  tab(session: string): string {
    return this.#tabs.get(session) ?? "";
  }

  /** Say whether a first peer may still say hello. */
  mayCome(): boolean {
    return this.#profile.isAsking || this.#clock() < this.#hopesUntil;
  }

  /** Return a promise of the first peer that has accepted a comm; see `Comm.ready`. */
  ready(comm_id: string, about: string, options: WaitOptions): Promise<Peer> {
    const ready = this.peers.ready(comm_id, about, options);
    const { isKernel, peers } = this.#profile;
    // At a kernel end somebody may come at any time: a page is opened.
    if (!isKernel && peers.size === 0 && !this.mayCome()) this.peers.noneToCome();
    return ready;
  }

  /** Call `callback(peer, is_live)` when one comes or goes. */
  onPeer(callback: PeerHandler | null): void {
    this.#onPeer = callback;
  }

  // ---------------------------------------------------------------- inside

  #do(work: (now: number) => void): void {
    work(this.#clock());
    this.#pushQuietly();
    this.#meet(this.#profile.events());
  }

  #push(): void {
    try {
      for (const [message, lane] of this.#profile.messagesToSend()) {
        if (lane === null) this.#hooks.send(message);
        else this.#ways.get(lane)?.(message);
      }
    } finally {
      this.#arm();
      this.#lookAtQueue();
    }
  }

  /** The link's own end is told by its host. */
  #pushQuietly(): void {
    try {
      this.#push();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
  }

  #arm(): void {
    const deadline = this.#profile.deadline();
    if (deadline >= this.#armed) return;
    this.#armed = deadline;
    this.#runtime.later(Math.max(0, deadline - this.#clock()), () => this.#tick());
  }

  #tick(): void {
    this.#armed = Infinity;
    this.#profile.tick(this.#clock());
    this.#pushQuietly();
    const released = this.#profile.released();
    const events = this.#profile.events();
    if (released.length > 0) this.#hooks.deliver(released);
    this.#meet(events);
  }

  /** Settle what was waited for. */
  #lookAtQueue(): void {
    for (let first; (first = this.#wantsSent[0]) !== undefined; this.#wantsSent.shift()) {
      if (!this.#profile.hasLeft(first.queued)) break;
      first.expected.settle(null);
    }
    this.#wantsDrained = this.#wantsDrained.filter(({ comm_id, expected }) => {
      if (this.#profile.isDrained(comm_id)) expected.settle(null);
      return expected.isWaiting;
    });
  }

  #meet(events: readonly ProfileEvent[]): void {
    for (const event of events) {
      switch (event.type) {
        case "joined":
        case "left":
        case "restarted":
        case "declined": {
          this.#meetPeer(event);
          break;
        }
        case "accepted": {
          this.peers.accepted(event.session, event.comm_ids);
          break;
        }
        case "refused": {
          this.peers.refused(event.session, event.comm_ids);
          this.#hooks.peersChanged();
          break;
        }
        case "sent": {
          this.#meetSent(event);
          break;
        }
        case "lane wanted":
        case "lane asked":
        case "lane offered":
        case "lane silent":
        case "marked": {
          this.#meetLane(event);
          break;
        }
        case "malformed": {
          this.#runtime.fault(event.error);
          break;
        }
        case "unsent": {
          this.#progress.delete(event.token ?? 0);
          const about = `comm ${event.comm_id}: a message of ${event.nbytes} bytes was not sent`;
          this.#runtime.fault(new RemoteProtocolError(`${about}: the peer left meanwhile`));
          break;
        }
        default:
          this.#meetAboutComm(event);
      }
    }
  }

  #meetAboutComm(event: AboutComm): void {
    switch (event.type) {
      case "gap": {
        this.#hooks.gap(event.comm_id, event.missed);
        return;
      }
      case "cancelled": {
        this.#hooks.cancelled(event.comm_id, event.req);
        return;
      }
      case "credited": {
        this.#hooks.credited(event.comm_id, event.req, event.taken);
        return;
      }
      case "restore asked": {
        this.#hooks.restoreAsked(event.session, event.comm_ids);
        return;
      }
      case "taken": {
        this.#hooks.taken(event.comm_id, event.messages);
      }
    }
  }

  #meetSent({ token, nbytes, total }: Sent): void {
    const callback = this.#progress.get(token);
    if (callback === undefined) return;
    if (nbytes >= total) this.#progress.delete(token);
    this.#runtime.soon(() => {
      if (this.#guarded("on_progress", () => callback(nbytes, total)) !== false) return;
      this.#progress.delete(token);
      this.#do((now) => this.#profile.drop(token, now));
    });
  }

  #meetPeer(event: AboutPeer): void {
    switch (event.type) {
      case "joined": {
        const { session, features, tab } = event;
        if (!this.#profile.isKernel) this.#hopesUntil = -Infinity; // its one kernel end: here it is
        const isNew = this.peers.joined({ session, features });
        this.#rememberTab(session, tab);
        this.#settleFirst();
        this.#hooks.peersChanged();
        if (isNew) this.#tell({ session, features }, true); // not one whose link was away
        return;
      }
      case "left": {
        this.#endLane(event.session);
        const accepted = this.peers.acceptedBy(event.session);
        const gone = this.peers.left(event.session);
        if (gone === null) return;
        this.#hooks.peersChanged();
        this.#tell(gone, false);
        this.#hooks.peerLeft(event.session, accepted);
        return;
      }
      case "restarted": {
        this.#hooks.newLife();
        this.join();
        return;
      }
      case "declined": {
        this.#hopesUntil = -Infinity;
        this.#settleFirst();
        this.peers.noneToCome();
        this.#hooks.peersChanged();
      }
    }
  }

  #endLane(session: string): void {
    this.#ways.delete(session);
    this.#endMarks(session);
    this.#lanes?.end(session);
  }

  /** Nothing comes by that lane any more. */
  #endMarks(session: string): void {
    for (const expected of this.#marks.get(session)?.values() ?? []) expected.settle(null);
    this.#marks.delete(session);
  }

  #meetLane(event: AboutLane): void {
    const { session } = event;
    switch (event.type) {
      case "marked": {
        const marks = this.#marks.get(session);
        marks?.get(event.mark)?.settle(null);
        marks?.delete(event.mark);
        return;
      }
      case "lane wanted": {
        this.#lanes?.wanted();
        return;
      }
      case "lane asked": {
        this.#lanes?.asked(session, event.origin);
        return;
      }
      case "lane offered": {
        this.#lanes?.offered(event.port, event.token);
        return;
      }
      case "lane silent": {
        this.#lanes?.end(session);
      }
    }
  }

  #settleFirst(): void {
    const wantsFirst = this.#wantsFirst;
    this.#wantsFirst = [];
    for (const expected of wantsFirst) expected.settle(null);
  }

  #rememberTab(session: string, tab: string): void {
    if (tab === "") return;
    this.#tabs.delete(session);
    this.#tabs.set(session, tab);
    if (this.#tabs.size <= MAX_TABS) return;
    for (const oldest of this.#tabs.keys()) {
      this.#tabs.delete(oldest);
      return;
    }
  }

  #tell(peer: Peer, is_live: boolean): void {
    const callback = this.#onPeer;
    if (callback === null) return;
    this.#runtime.soon(() => this.#guarded("on_peer", () => callback(peer, is_live)));
  }

  #guarded(about: string, callback: () => unknown): unknown {
    try {
      return callback();
    } catch (error) {
      this.#runtime.report(error, about, null);
      return null;
    }
  }
}

type AboutPeer = Extract<ProfileEvent, { type: "joined" | "left" | "restarted" | "declined" }>;
type AboutLane = Extract<ProfileEvent, { type: `lane ${string}` | "marked" }>;
type AboutComm = Extract<
  ProfileEvent,
  { type: "gap" | "cancelled" | "credited" | "restore asked" | "taken" }
>;
