/**
 * The sessions of one end, put together: what is said on control comms is read here, and handed on; the twin of
 * `src/tsushin/profile/sessions.py`.
 *
 * Sans-IO, as the router is, with deadlines: messages and `now` (seconds) go in; messages to send, messages
 * to hand on and events come out. It stands between the router and the link, in both directions.
 *
 * What is to be sent has a route: the lane of a session (`laning.up`), or the standard one.
 *
 * Without a peer (plain mode, the start state) messages pass as they are; only their number is counted.
 *
 * Who is there is in `presence.ts`; `outbox.ts` has what is sent, `arrivals.ts` what is received.
 *
 * Spec: spec/profile.md, "Sessions" and "Sequence".
 */
import { keptBytes } from "../protocol/inbox.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Channel, Header, Message } from "../protocol/messages.js";
import { isJsonObject, msgType, sessionOf } from "../protocol/messages.js";
import type { ArrivalsOptions } from "./arrivals.js";
import { Arrivals } from "./arrivals.js";
import {
  TARGET,
  addressee,
  carried,
  controlId,
  isControl,
  numberOf,
  readControl,
} from "./control.js";
import type { ProfileEvent } from "./events.js";
import { Flight, waitingFor } from "./flow.js";
import { Laning } from "./laning.js";
import { Outbox, REPEAT } from "./outbox.js";
import type { Peer, Tell } from "./peer.js";
import { Presence } from "./presence.js";
import type { Emit } from "./routes.js";
import { Routes } from "./routes.js";
import { Taking } from "./taking.js";
import { Voice } from "./voice.js";

const LAGGING = 5.0; // without a word about what is under way; then nobody waits for that peer
// Then, after 127 s in all, the peer counts as gone. A frontend takes up to 40 s to notice that its link is dead
// (the WebSocket's pings), and 60 s to make it anew: until then what it missed is kept.
export const MAX_REPEATS = 6;

export interface ProfileOptions {
  /** What this end sends on: "iopub" at a kernel, "shell" at a frontend. */
  readonly channel: Channel;
  /** Of this end. */
  readonly session: string;
  /** An id made anew for each life of this end. */
  readonly epoch: string;
  /** Makes the header of a message of a type. */
  readonly newHeader: (msg_type: string, now: number) => Header;
  /** Returns the ids of the comms that are open here. */
  readonly openComms: () => readonly string[];
  readonly limits?: Limits;
  /** At a frontend: say hello whenever a kernel end shows that it knows the profile. */
  readonly joins?: boolean;
  /** Of a page: the same before and after it was loaded again. */
  readonly tab?: string | undefined;
  /** Of a page: the sessions that the page before it in its tab had. Their goodbye is said again. */
  readonly left?: readonly string[];
  /** What the route takes in one message; null for no bound. */
  readonly max_whole_bytes?: number | null | undefined;
}

export interface SendWays {
  /** Of the messages of one comm that wait and have the same key, only the newest is sent. */
  readonly coalesce?: string | null;
  /** It may wait however much does already. */
  readonly always?: boolean;
  /** At a kernel end: the one session that gets it. One that is not there means all. */
  readonly to?: string | null;
  /** The event "sent" tells how far the message with this one is. */
  readonly token?: number | null;
  /** By the standard route, where its handling is answered by statuses and outputs. */
  readonly isPlain?: boolean;
}

/** A message to send, and the session by whose lane it goes; null is the standard route. */
export type Outgoing = readonly [message: Message, lane: string | null];

/** The sessions of one end. */
export class Profile {
  /** Who is there, by session. */
  readonly peers = new Map<string, Peer>();
  /** This is a kernel end. */
  readonly isKernel: boolean;
  readonly limits: Limits;
  readonly #options: ProfileOptions;
  readonly #voice: Voice;
  readonly #outbox: Outbox;
  readonly #arrivals: Arrivals;
  readonly #presence: Presence;
  readonly #routes: Routes;
  /** The lanes that peers have. */
  readonly laning: Laning;
  /** The comms that are taken up. */
  readonly taking: Taking;
  #outgoing: Outgoing[] = [];
  #events: ProfileEvent[] = [];
  #now = 0; // of the last call
  #isAway = false; // a frontend: there is no link, or none that the kernel end was met on

  constructor(options: ProfileOptions) {
    this.#options = options;
    this.isKernel = options.channel === "iopub";
    this.limits = options.limits ?? DEFAULT_LIMITS;
    const emit: Emit = (message, lane) => void this.#outgoing.push([message, lane]);
    const event = (one: ProfileEvent) => void this.#events.push(one);
    const { channel, session, epoch, newHeader, openComms, tab, left = [] } = options;
    const { peers, isKernel, limits } = this;
    const silent = new Map<string, Peer>();
    const routes = new Routes({ peers, isKernel, emit });
    const voice = new Voice({ channel, newHeader, peers, routes });
    const max_whole_bytes = options.max_whole_bytes ?? null;
    const shared = { session, peers, silent, isKernel, limits, routes, voice, event };
    const outbox = new Outbox({ ...shared, max_whole_bytes });
    const tell: Tell = (peer, data, now, buffers) => outbox.tell(peer, data, now, buffers);
    const { say } = voice;
    const takeIn: ArrivalsOptions["takeIn"] = (...args) => this.#takeIn(...args);
    const arrivals = new Arrivals({ session, peers, limits, say, tell, event, takeIn });
    const taking = new Taking({ peers, outbox, arrivals, tell, event, openComms });
    const halves = { outbox, arrivals, taking };
    this.laning = new Laning({ ...shared, outbox });
    this.#presence = new Presence({ ...shared, ...halves, epoch, openComms, tab, left });
    [this.#routes, this.#voice, this.#outbox] = [routes, voice, outbox];
    [this.#arrivals, this.taking] = [arrivals, taking];
  }

  // ---------------------------------------------------------------- asking

  /** A frontend: it said hello and has no answer. */
  get isAsking(): boolean {
    return this.#outbox.awaitsPeer;
  }

  /** Return when `tick` is due next; infinity while nothing is. */
  deadline(): number {
    if (this.#isPaused()) return Infinity;
    let deadline = Infinity;
    for (const peer of this.peers.values()) deadline = Math.min(deadline, peer.deadline());
    return deadline;
  }

  /** Take everything to be sent, in order, each with its route. */
  messagesToSend(): Outgoing[] {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    return outgoing;
  }

  /** Take what can be handed on although no message brought it: something was given up. */
  released(): Message[] {
    return this.#arrivals.released();
  }

  /** Take every event there is, in order. */
  events(): ProfileEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** How much is kept for peers that may have missed it, in bytes. */
  get keptBytes(): number {
    return this.#outbox.nbytes;
  }

  // ---------------------------------------------------------------- users' messages

  /**
   * Number a message of the router's and have it sent; while too much is under way, it waits. Throws
   * `QueueFull`: too much waits already. `LimitExceeded`: the route takes no message of that size, and there is no
   * peer that joins pieces. Nothing was done then.
   */
  send(message: Message, now: number, ways: SendWays = {}): void {
    const { coalesce = null, always = false, to = null, token = null, isPlain = false } = ways;
    const waiting = waitingFor(message, keptBytes(message), { coalesce, to, token, isPlain });
    this.#outbox.send(waiting, now, always ? null : this.limits.max_queue_bytes);
  }

  /**
   * Keep the open and the last `count` messages of a comm for who takes it up later. To be called before it is
   * opened.
   */
  keep(comm_id: string, count: number): void {
    this.#outbox.keep(comm_id, count);
  }

  /** Keep nothing of a comm for who takes it up later. */
  forget(comm_id: string): void {
    this.#outbox.forgetKept(comm_id);
  }

  /** Do not send what has not left of a message. */
  drop(token: number, now: number): void {
    this.#outbox.drop((waiting) => waiting.token === token, now);
  }

  /** Return how much waits to be sent, in bytes. */
  queuedBytes(): number {
    return this.#outbox.queuedBytes();
  }

  /** Return the number of what had to wait last; see `hasLeft`. */
  lastQueued(): number {
    return this.#outbox.lastQueued();
  }

  /** Say whether nothing waits any more of what did when `lastQueued` said that number. */
  hasLeft(queued: number): boolean {
    return this.#outbox.hasLeft(queued);
  }

  /** Say whether every peer that keeps up has everything that was sent on a comm. */
  isDrained(comm_id: string): boolean {
    const last = this.#outbox.number.get(comm_id) ?? 0;
    const keepingUp = [...this.peers.values()].filter((peer) => !peer.isLagging);
    const haveAll = keepingUp.every((peer) => (peer.has.get(comm_id) ?? 0) >= last);
    return !this.#outbox.hasQueued(comm_id) && haveAll;
  }

  /**
   * Take a message of the peer; return what can be handed on now, in order. Throws `RemoteProtocolError`: a
   * message on a control comm is malformed. Nothing else happened.
   */
  receive(message: Message, now: number): Message[] {
    this.#now = now;
    const { comm_id } = message.content;
    if (isControl(comm_id)) return this.#receiveControl(message, String(comm_id), now);
    if (this.peers.size === 0) {
      const isShown = "tsushin" in message.metadata && sessionOf(message) !== this.#options.session;
      if (this.#options.joins === true && !this.#outbox.awaitsPeer && isShown) this.join(now);
      const to = addressee(message);
      return to === null || to === this.#options.session ? [message] : [];
    }
    return this.#arrivals.receive(message, now);
  }

  // ---------------------------------------------------------------- joining and leaving

  /** Say that a kernel end is here. A frontend that knows the profile answers with its hello. */
  announce(now: number): void {
    this.#presence.announce(now);
  }

  /** Say hello to the kernel end: the first time, or because the link was away. */
  join(now: number): void {
    this.#presence.join(now);
    this.resume(now);
  }

  /** Say goodbye: nothing is waited for any more, here or there. */
  leave(now: number): void {
    this.#presence.leave(now);
  }

  /** Forget everything: the other end's life is over, or ours is. */
  reset(): void {
    this.#isAway = false;
    this.#presence.reset(this.#now);
  }

  /**
   * At a frontend: the link is away. Nothing is due until `join` or `resume`, unless there is a lane. Nobody could
   * answer: nothing is asked for, nothing given up, and the kernel end is not silent.
   */
  pause(): void {
    this.#isAway = true;
  }

  /** At a frontend: the link is back. All that was waited for has its whole time again. */
  resume(now: number): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    for (const peer of this.peers.values()) {
      peer.repeats = peer.inVain = 0;
      peer.quietSince = now;
      peer.repeatAt = this.#outbox.isAheadOf(peer) ? now + REPEAT : Infinity;
      for (const sequence of peer.incoming.values()) {
        sequence.asked = 0;
        sequence.askAt = null;
      }
      this.#arrivals.askAgain(peer, now);
    }
  }

  // ---------------------------------------------------------------- lanes

  /** This end can have lanes. `also` is of a page: returns other sessions of the same page, which are no plain ones. */
  useLanes(also: () => readonly string[] = () => []): void {
    this.#presence.hasLanes = true;
    this.#presence.also = also;
  }

  /** At a kernel end: a session sent a request that frontends send, and it may know no profile. */
  heardPlain(session: string): void {
    this.#routes.heardPlain(session);
  }

  /** At a frontend: nobody can be told anything. */
  #isPaused(): boolean {
    return this.#isAway && this.#routes.laned.length === 0;
  }

  // ---------------------------------------------------------------- what becomes of comms and requests

  /** Tell peers (one, or all) that these comms, which they opened, are open here. */
  accept(comm_ids: readonly string[], now: number, session: string | null = null): void {
    this.#arrivals.accept(comm_ids, now, session);
  }

  /** Tell peers that there is no target here for these comms. */
  refuse(comm_ids: readonly string[], now: number): void {
    this.#arrivals.refuse(comm_ids, now);
  }

  /**
   * Tell all peers but one that nobody waits for the answer to a request any more. A request that waits to be sent
   * is not sent.
   */
  cancel(comm_id: string, req: string, now: number, but: string | null = null): void {
    this.#outbox.drop(({ comm_id: id, message }) => {
      const ours = message.metadata.tsushin;
      return id === comm_id && isJsonObject(ours) && ours.req === req;
    }, now);
    for (const peer of this.peers.values()) {
      if (peer.session !== but) this.#outbox.tell(peer, { cancel: [[comm_id, req]] }, now);
    }
  }

  /** Tell a peer how many parts of its answer were taken in all. */
  credit(comm_id: string, req: string, taken: number, now: number, session: string): void {
    const peer = this.peers.get(session);
    if (peer !== undefined) this.#outbox.tell(peer, { credit: [[comm_id, req, taken]] }, now);
  }

  // ---------------------------------------------------------------- time

  /** Do what is due: tell what arrived, repeat how far we are, ask for what is missing. */
  tick(now: number): void {
    this.#now = now;
    if (this.#isPaused()) return;
    for (const peer of [...this.peers.values()]) {
      if (peer.ackAt <= now) this.#arrivals.acknowledge(peer, now);
      if (peer.askAt <= now) this.#arrivals.askAgain(peer, now);
      if (peer.repeatAt <= now) this.#repeat(peer, now);
    }
  }

  /** Tell a peer how far we are, so that it finds out when the last messages were lost. */
  #repeat(peer: Peer, now: number): void {
    const ahead = this.#outbox.aheadOf(peer);
    if (Object.keys(ahead).length === 0) {
      peer.repeatAt = Infinity;
    } else if (peer.repeats >= MAX_REPEATS) {
      this.#presence.drop(peer, "silent", now);
    } else {
      peer.repeats += 1;
      peer.inVain += 1;
      this.laning.doubt(peer, now);
      // A frontend has nobody else to go on for: what it sends waits.
      if (this.isKernel && !peer.hasLane && now - peer.quietSince >= LAGGING) {
        peer.isLagging = true;
        peer.flight = new Flight();
        this.#outbox.sendQueued(now);
      }
      peer.repeatAt = now + REPEAT * 2 ** peer.repeats;
      this.#voice.say(peer.control, { sent: ahead }, now);
    }
  }

  // ---------------------------------------------------------------- inside: control comms

  #receiveControl(message: Message, comm_id: string, now: number): Message[] {
    if (comm_id === TARGET) return this.#receiveForAll(message, now);
    if (!this.isKernel && comm_id !== controlId(this.#options.session)) return []; // another's
    let peer: Peer | null = this.#presence.heard(comm_id);
    if (msgType(message) === "comm_close") {
      this.#presence.part(peer, now);
      return [];
    }
    const control = readControl(message);
    if (control.profile > 0) peer = this.#presence.meet(control, comm_id, now);
    if (peer === null) {
      // It knows us from before; what it says can mean nothing here. It shall begin anew.
      if (this.isKernel) this.#voice.sayGoodbye(comm_id, now);
      return [];
    }
    if (numberOf(message) !== null) return this.#arrivals.receive(message, now);
    return this.#takeIn(peer, message, now);
  }

  /** A kernel end says that it is here, or brings something for one of its sessions. */
  #receiveForAll(message: Message, now: number): Message[] {
    if (this.#options.joins === true && !this.#outbox.isNumbering()) this.join(now);
    if (this.isKernel || !this.peers.has(sessionOf(message))) return [];
    const { again } = carried(readControl(message), message.buffers, message.channel);
    return [...again.flatMap((one) => this.#arrivals.receive(one, now)), ...this.released()];
  }

  /** Take in a message on a control comm; return users' messages that it brings. */
  #takeIn(peer: Peer, message: Message, now: number): Message[] {
    const control = readControl(message);
    const { again, kept } = carried(control, message.buffers, message.channel);
    peer.repeats = 0;
    this.#outbox.confirmed(peer, control.seen, now);
    const sent = Object.entries(control.sent);
    for (const [comm_id, last] of sent) this.#arrivals.hearOf(peer, comm_id, last, now);
    // It has not heard what we have.
    if (sent.length > 0 && control.profile === 0) this.#arrivals.acknowledge(peer, now);
    for (const [comm_id, [first, last]] of Object.entries(control.want)) {
      this.#outbox.sendAgain(peer, comm_id, first, last, now);
    }
    const handedOn = again.flatMap((one) => this.#arrivals.receive(one, now));
    for (const [comm_id, upto] of Object.entries(control.gone)) {
      this.#arrivals.giveUp(peer, comm_id, upto, now);
    }
    handedOn.push(...this.released());
    const { session } = peer;
    const { accepted, refused } = control;
    for (const comm_id of accepted) peer.open.add(comm_id);
    for (const comm_id of refused) peer.open.delete(comm_id);
    if (accepted.length > 0) this.#events.push({ type: "accepted", session, comm_ids: accepted });
    if (refused.length > 0) this.#events.push({ type: "refused", session, comm_ids: refused });
    for (const [comm_id, req] of control.cancel) {
      this.#events.push({ type: "cancelled", session, comm_id, req });
    }
    for (const [comm_id, req, taken] of control.credit) {
      this.#events.push({ type: "credited", session, comm_id, req, taken });
    }
    if (control.restore.length > 0 && this.isKernel) {
      this.#events.push({ type: "restore asked", session, comm_ids: control.restore });
    }
    for (const [comm_id, number] of Object.entries(control.restored)) {
      handedOn.push(...this.taking.take(peer, comm_id, number, kept, now));
    }
    for (const comm_id of control.withheld) this.taking.end(comm_id, null);
    this.laning.takeIn(peer, control, now);
    return handedOn;
  }
}
