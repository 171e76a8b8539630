/**
 * The sessions of one end: who is there, what they have, and what has to be sent again; the twin of
 * `src/tsushin/profile/sessions.py`.
 *
 * Sans-IO, as the router is, with deadlines: messages and `now` (seconds) go in; messages to send, messages
 * to hand on and events come out. It stands between the router and the link, in both directions.
 *
 * Without a peer (plain mode, the start state) messages pass as they are; only their number is counted.
 *
 * At a kernel end many frontends are peers; at a frontend the kernel end is the only one. The rules are the
 * same.
 *
 * A peer may have a lane: then what is for it is to be sent by that (`messagesToSend` says which), and when it comes
 * or goes, what the peer has not confirmed is sent again by the new route.
 *
 * Spec: spec/profile.md, "Sessions", "Sequence" and "Lane".
 */
import { RemoteProtocolError, quote } from "../errors.js";
import { keptBytes } from "../protocol/inbox.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Channel, Header, JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject, msgType, newMessage, sessionOf } from "../protocol/messages.js";
import { ACK_SOON, Arrivals } from "./arrivals.js";
import type { Control, Numbers } from "./control.js";
import {
  FEATURES,
  LANE,
  PROFILE,
  TARGET,
  addressee,
  carried,
  controlId,
  isControl,
  numberOf,
  readControl,
} from "./control.js";
import type { LeftWhy, ProfileEvent } from "./events.js";
import { Flight, waitingFor } from "./flow.js";
import { Outbox, REPEAT, peerOf } from "./outbox.js";
import type { Tell } from "./peer.js";
import { Peer } from "./peer.js";
import type { Emit } from "./routes.js";
import { Routes } from "./routes.js";
import { Taking } from "./taking.js";

const LAGGING = 5.0; // without a word about what is under way; then nobody waits for that peer
// Then, after 127 s in all, the peer counts as gone. A frontend takes up to 40 s to notice that its link is dead
// (the WebSocket's pings), and 60 s to make it anew: until then what it missed is kept.
export const MAX_REPEATS = 6;
const MAX_SILENT = 64; // peers that are remembered although they answer no more
const LANE_REPEATS = 3; // without a confirmation, then the lane is not believed in: 7 s
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
  /** This end can have lanes. Set before the first hello. */
  hasLanes = false;
  /** Of a page: returns other sessions of the same page, which are no plain ones. */
  also: () => readonly string[] = () => [];
  readonly limits: Limits;
  readonly #options: ProfileOptions;
  readonly #left: string[];
  #hasOpened = false; // a frontend: its control comm
  readonly #outbox: Outbox;
  #toldOpen: readonly string[] = []; // a frontend: comms that its hello said are open
  #outgoing: Outgoing[] = [];
  #events: ProfileEvent[] = [];
  readonly #arrivals: Arrivals;
  /** The comms that are taken up. */
  readonly taking: Taking;
  #now = 0; // of the last call
  #isAway = false; // a frontend: there is no link, or none that the kernel end was met on
  readonly #routes: Routes;
  #marks = 0;
  readonly #silent = new Map<string, Peer>(); // gone without a word; they may come back

  constructor(options: ProfileOptions) {
    this.#options = options;
    this.isKernel = options.channel === "iopub";
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.#left = [...(options.left ?? [])];
    const emit: Emit = (message, lane) => void this.#outgoing.push([message, lane]);
    this.#routes = new Routes({ peers: this.peers, isKernel: this.isKernel, emit });
    this.#outbox = new Outbox({
      session: options.session,
      peers: this.peers,
      silent: this.#silent,
      isKernel: this.isKernel,
      limits: this.limits,
      max_whole_bytes: options.max_whole_bytes ?? null,
      routes: this.#routes,
      say: (comm_id, data, now, buffers) => this.#say(comm_id, data, now, "comm_msg", buffers),
      event: (event) => this.#events.push(event),
    });
    const tell: Tell = (peer, data, now, buffers) => this.#tell(peer, data, now, buffers);
    const event = (one: ProfileEvent) => void this.#events.push(one);
    this.#arrivals = new Arrivals({
      session: options.session,
      peers: this.peers,
      limits: this.limits,
      say: (comm_id, data, now) => this.#say(comm_id, data, now),
      tell,
      event,
      takeIn: (peer, message, now) => this.#takeIn(peer, message, now),
    });
    const { openComms } = options;
    const halves = { outbox: this.#outbox, arrivals: this.#arrivals };
    this.taking = new Taking({ peers: this.peers, ...halves, tell, event, openComms });
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
    this.#say(TARGET, { profile: PROFILE }, now);
  }

  /** Say hello to the kernel end: the first time, or because the link was away. */
  join(now: number): void {
    for (const session of this.#left.splice(0)) {
      this.#say(controlId(session), {}, now, "comm_close");
    }
    const [peer] = this.peers.values();
    const control = controlId(this.#options.session);
    const hello = this.#hello(
      control,
      peer === undefined ? {} : { resume: { epoch: peer.epoch, seen: peer.seen() } },
    );
    if (this.#options.tab !== undefined) hello.tab = this.#options.tab;
    const also = this.also();
    if (also.length > 0) hello.also = also;
    this.#toldOpen = this.#options.openComms();
    const msg_type = this.#hasOpened ? "comm_msg" : "comm_open";
    this.#hasOpened = this.#outbox.awaitsPeer = true;
    this.#sayBesideLanes(control, hello, now, msg_type);
    this.resume(now);
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

  /** Say goodbye: nothing is waited for any more, here or there. */
  leave(now: number): void {
    if (this.#hasOpened) this.#say(controlId(this.#options.session), {}, now, "comm_close");
    for (const peer of [...this.peers.values()]) {
      if (this.isKernel) this.#say(peer.control, {}, now, "comm_close");
      this.#drop(peer, "goodbye");
    }
    this.#endAsking();
  }

  /** Forget everything: the other end's life is over, or ours is. */
  reset(): void {
    this.#isAway = false;
    this.#outbox.reset();
    for (const peer of [...this.peers.values()]) this.#drop(peer, "new life");
    this.#silent.clear();
    this.#endAsking();
  }

  #endAsking(): void {
    this.#outbox.awaitsPeer = this.#hasOpened = false;
    if (this.peers.size === 0) this.#outbox.forgetHistory();
  }

  #hello(control: string, rest: JsonObject): JsonObject {
    const { session, epoch, openComms } = this.#options;
    const sent = this.#outbox.numbersOn(control);
    const open = openComms();
    const features = this.hasLanes ? [...FEATURES, LANE] : FEATURES;
    return { profile: PROFILE, features, session, epoch, open, sent, ...rest };
  }

  // ---------------------------------------------------------------- lanes

  /** At a kernel end: a session sent a request that frontends send, and it may know no profile. */
  heardPlain(session: string): void {
    this.#routes.heardPlain(session);
  }

  /** At a frontend: ask for a lane (the event "lane offered"); `origin` is the page's, "" where it is none. */
  askLane(origin: string, now: number): void {
    if (this.peers.size > 0)
      this.#sayBesideLanes(controlId(this.#options.session), { lane_ask: { origin } }, now);
  }

  /** At a kernel end: tell a peer how to get its lane; port 0 says that there is none. */
  offerLane(session: string, port: number, token: string, now: number): void {
    const peer = this.peers.get(session);
    if (peer !== undefined)
      this.#sayBesideLanes(peer.control, { lane_offer: { port, token } }, now);
  }

  /** A peer has a lane from now on; false where it is not there. */
  laneUp(session: string, now: number): boolean {
    return this.#changeRoute(session, now, true);
  }

  /** A peer has no lane any more; false where it is not there. */
  laneDown(session: string, now: number): boolean {
    return this.#changeRoute(session, now, false);
  }

  #changeRoute(session: string, now: number, hasLane: boolean): boolean {
    const peer = this.peers.get(session);
    if (peer === undefined) return false;
    peer.hasLane = hasLane;
    this.#routes.update();
    peer.repeats = peer.inVain = 0;
    peer.quietSince = now;
    peer.repeatAt = this.#outbox.isAheadOf(peer) ? now + REPEAT : Infinity;
    this.#outbox.changeRoute(peer, now);
    return true;
  }

  /** Say whether a lane has taken messages of users' that are not confirmed. */
  isAheadByLane(): boolean {
    return this.#routes.laned.some((peer) => this.#outbox.isAheadByLane(peer));
  }

  /** Ask a peer to say when all that was sent to it has arrived (the event "marked"); return the mark. */
  mark(session: string, now: number): number {
    this.#marks += 1;
    this.#say(this.peers.get(session)?.control ?? "", { mark: this.#marks }, now);
    return this.#marks;
  }

  #wantLane({ session, features }: Peer): void {
    if (this.isKernel || !this.hasLanes || !features.includes(LANE)) return;
    this.#events.push({ type: "lane wanted", session });
  }

  /** At a frontend: nobody can be told anything. */
  #isPaused(): boolean {
    return this.#isAway && this.#routes.laned.length === 0;
  }

  // ---------------------------------------------------------------- saying

  /** Tell peers (one, or all) that these comms, which they opened, are open here. */
  accept(comm_ids: readonly string[], now: number, session: string | null = null): void {
    for (const peer of this.peers.values()) {
      if (session !== null && session !== peer.session) continue;
      peer.accepted.push(...comm_ids);
      peer.ackAt = Math.min(peer.ackAt, now + ACK_SOON);
    }
  }

  /** Tell peers that there is no target here for these comms. */
  refuse(comm_ids: readonly string[], now: number): void {
    for (const peer of this.peers.values()) {
      peer.refused.push(...comm_ids);
      peer.ackAt = Math.min(peer.ackAt, now + ACK_SOON);
    }
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
      if (peer.session !== but) this.#tell(peer, { cancel: [[comm_id, req]] }, now);
    }
  }

  /** Tell a peer how many parts of its answer were taken in all. */
  credit(comm_id: string, req: string, taken: number, now: number, session: string): void {
    const peer = this.peers.get(session);
    if (peer !== undefined) this.#tell(peer, { credit: [[comm_id, req, taken]] }, now);
  }

  /** Say something that is out of date soon, or was asked for and is asked for again. */
  #say(
    comm_id: string,
    data: JsonObject,
    now: number,
    msg_type = "comm_msg",
    buffers: readonly Uint8Array[] = [],
  ): void {
    const message = this.#controlMessage(comm_id, data, now, msg_type, buffers);
    this.#routes.sendTo(peerOf(this.peers, comm_id), message);
  }

  /** Say something by the standard route: the peer's lane may be gone, and only the peer knows. */
  #sayBesideLanes(comm_id: string, data: JsonObject, now: number, msg_type = "comm_msg"): void {
    this.#outgoing.push([this.#controlMessage(comm_id, data, now, msg_type, []), null]);
  }

  /** Say something that has to arrive. */
  #tell(peer: Peer, data: JsonObject, now: number, buffers: readonly Uint8Array[] = []): void {
    this.#outbox.tell(this.#controlMessage(peer.control, data, now, "comm_msg", buffers), now);
  }

  #controlMessage(
    comm_id: string,
    data: JsonObject,
    now: number,
    msg_type: string,
    buffers: readonly Uint8Array[],
  ): Message {
    const target = msg_type === "comm_open" ? { target_name: TARGET } : {};
    const content = { comm_id, data, ...target };
    const header = this.#options.newHeader(msg_type, now);
    return newMessage(this.#options.channel, header, { content, buffers });
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
      this.#drop(peer, "silent");
    } else {
      peer.repeats += 1;
      peer.inVain += 1;
      if (this.isKernel && peer.inVain === LANE_REPEATS && peer.features.includes(LANE)) {
        this.offerLane(peer.session, 0, "", now); // it may believe in one that is not there
      }
      if (peer.hasLane) {
        // It may be the lane alone that is silent: whether the peer is shows without it.
        if (peer.inVain >= LANE_REPEATS) {
          this.#events.push({ type: "lane silent", session: peer.session });
        }
        // A frontend has nobody else to go on for: what it sends waits.
      } else if (this.isKernel && now - peer.quietSince >= LAGGING) {
        peer.isLagging = true;
        peer.flight = new Flight();
        this.#outbox.sendQueued(now);
      }
      peer.repeatAt = now + REPEAT * 2 ** peer.repeats;
      this.#say(peer.control, { sent: ahead }, now);
    }
  }

  // ---------------------------------------------------------------- inside: control comms

  #receiveControl(message: Message, comm_id: string, now: number): Message[] {
    if (comm_id === TARGET) return this.#receiveForAll(message, now);
    if (!this.isKernel && comm_id !== controlId(this.#options.session)) return []; // another's
    let peer: Peer | null = this.#peerOf(comm_id);
    if (msgType(message) === "comm_close") {
      this.#receiveGoodbye(peer);
      return [];
    }
    const control = readControl(message);
    if (control.profile > 0) peer = this.#meet(control, comm_id, now);
    if (peer === null) {
      // It knows us from before; what it says can mean nothing here. It shall begin anew.
      if (this.isKernel) this.#say(comm_id, {}, now, "comm_close");
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

  /** Return whose control comm this is; one that was silent is here again. */
  #peerOf(comm_id: string): Peer | null {
    for (const peer of this.#silent.values()) {
      if (peer.control !== comm_id) continue;
      this.#silent.delete(peer.session);
      this.peers.set(peer.session, peer);
      this.#routes.update();
      const { session, features, tab } = peer;
      this.#events.push({ type: "joined", session, features, recovered: true, tab });
      this.#wantLane(peer);
      return peer;
    }
    return peerOf(this.peers, comm_id);
  }

  #receiveGoodbye(peer: Peer | null): void {
    const wasAsking = this.#outbox.awaitsPeer;
    if (peer !== null) this.#drop(peer, "goodbye");
    if (this.isKernel) return;
    this.#endAsking();
    if (wasAsking) this.#events.push({ type: "declined" });
  }

  /** Take in a hello. Null where everything has to begin anew. */
  #meet(hello: Control, comm_id: string, now: number): Peer | null {
    if (hello.session === "" || hello.epoch === "") {
      throw new RemoteProtocolError(`${TARGET}: hello: expected session and epoch`);
    }
    const control = controlId(hello.session);
    if (this.isKernel && comm_id !== control) {
      const about = `expected the comm id ${quote(control)}, got ${quote(comm_id)}`;
      throw new RemoteProtocolError(`${TARGET}: hello: ${about}`);
    }
    this.#routes.met([hello.session, ...hello.also]);
    const known = this.#silent.get(hello.session) ?? this.peers.get(hello.session) ?? null;
    this.#silent.delete(hello.session);
    if (known !== null) {
      this.peers.set(known.session, known);
      this.#routes.update();
    }
    this.#outbox.awaitsPeer = false;
    const peer = this.isKernel
      ? this.#meetFrontend(hello, comm_id, known, now)
      : this.#meetKernel(hello, comm_id, known, now);
    if (peer === null) return null;
    if (hello.open.length > 0) {
      this.#events.push({ type: "accepted", session: peer.session, comm_ids: hello.open });
    }
    this.#wantLane(peer);
    peer.repeats = 0;
    peer.repeatAt = this.#outbox.isAheadOf(peer) ? now + REPEAT : Infinity;
    return peer;
  }

  /** At a kernel end: a frontend is here, or here again; it gets our hello. */
  #meetFrontend(hello: Control, comm_id: string, before: Peer | null, now: number): Peer {
    const { resume } = hello;
    let known = before;
    if (known !== null && !(resume?.epoch === this.#options.epoch && known.epoch === hello.epoch)) {
      this.#drop(known, "new life");
      known = null;
    }
    const peer = known ?? this.#newPeer(hello, comm_id, new Map(this.#outbox.number));
    if (known !== null) {
      peer.open = new Set(hello.open);
      this.#receiveSeen(peer, resume?.seen ?? {}, now);
    }
    const recovered = known !== null || resume === null;
    const { session } = peer;
    const { features, tab } = hello;
    this.#events.push({ type: "joined", session, features, recovered, tab });
    this.#sayBesideLanes(comm_id, this.#hello(comm_id, { recovered, seen: peer.seen() }), now);
    return peer;
  }

  /** At a frontend: the kernel end answers our hello. */
  #meetKernel(hello: Control, comm_id: string, before: Peer | null, now: number): Peer | null {
    let known = before;
    // A frontend has one kernel end; the next one may have another session, too.
    const isAnother = [...this.peers.values()].some(({ epoch }) => epoch !== hello.epoch);
    if (isAnother) {
      this.reset();
      this.#events.push({ type: "restarted" });
      return null;
    }
    if (known !== null && !hello.recovered) {
      this.#tellGaps(known.seen(), hello.sent);
      this.#drop(known, "new life", true);
      known = null;
    }
    // What left since our hello is on its way; the hello says what has come of the rest.
    const peer = known ?? this.#newPeer(hello, comm_id, new Map());
    const { features, recovered, tab } = hello;
    this.#events.push({ type: "joined", session: peer.session, features, recovered, tab });
    // What opened between the hello and now, nobody was there to be told.
    const opened = this.#options.openComms().filter((id) => !this.#toldOpen.includes(id));
    if (opened.length > 0) this.accept(opened, now);
    return peer;
  }

  #newPeer(hello: Control, comm_id: string, has: Map<string, number>): Peer {
    const peer = new Peer(hello, comm_id, has);
    this.peers.set(peer.session, peer);
    this.#routes.update();
    return peer;
  }

  #tellGaps(seen: Numbers, sent: Numbers): void {
    for (const [comm_id, last] of Object.entries(sent)) {
      const missed = last - (seen[comm_id] ?? last);
      if (missed > 0) this.#events.push({ type: "gap", comm_id, missed });
    }
  }

  /** Take in a message on a control comm; return users' messages that it brings. */
  #takeIn(peer: Peer, message: Message, now: number): Message[] {
    const control = readControl(message);
    const { again, kept } = carried(control, message.buffers, message.channel);
    peer.repeats = 0;
    this.#receiveSeen(peer, control.seen, now);
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
    this.#takeInRoute(peer, control, now);
    return handedOn;
  }

  /** Take in what is said of lanes and marks. */
  #takeInRoute(peer: Peer, control: Control, now: number): void {
    const { mark, marked, lane_ask: ask, lane_offer: offer } = control;
    const { session } = peer;
    if (mark > 0) this.#say(peer.control, { marked: mark }, now);
    if (marked > 0) this.#events.push({ type: "marked", session, mark: marked });
    if (ask !== null && this.isKernel) {
      this.#events.push({ type: "lane asked", session, origin: ask.origin });
    }
    if (offer !== null && !this.isKernel) {
      const isWithdrawn = offer.port === 0 && peer.hasLane;
      this.#events.push(
        isWithdrawn
          ? { type: "lane silent", session }
          : { type: "lane offered", session, ...offer },
      );
    }
  }

  #receiveSeen(peer: Peer, seen: Numbers, now: number): void {
    for (const [comm_id, number] of Object.entries(seen)) {
      peer.inVain = 0;
      if (number <= (peer.has.get(comm_id) ?? 0)) continue;
      peer.has.set(comm_id, number);
      peer.flight.arrived(comm_id, number);
      peer.quietSince = now;
      peer.repeatAt = now + REPEAT; // only for this: who talks may still miss what is repeated
      this.#outbox.free(comm_id);
    }
    if (!this.#outbox.isAheadOf(peer)) {
      peer.repeatAt = Infinity;
      peer.inVain = 0;
      peer.isLagging = false;
    }
    this.#outbox.sendQueued(now);
  }

  // ---------------------------------------------------------------- inside: who is gone

  #drop(peer: Peer, why: LeftWhy, keepsHistory = false): void {
    this.peers.delete(peer.session);
    peer.hasLane = false;
    peer.flight.changeRoute(false);
    this.#routes.update();
    this.#events.push({ type: "left", session: peer.session, why });
    if (why === "silent") this.#rememberSilent(peer);
    if (this.peers.size === 0) this.taking.endAll();
    if (!keepsHistory) this.#outbox.peerLeft(peer, this.#now, why === "silent");
  }

  #rememberSilent(peer: Peer): void {
    peer.ackAt = peer.repeatAt = peer.askAt = Infinity;
    this.#silent.set(peer.session, peer);
    if (this.#silent.size <= MAX_SILENT) return;
    for (const oldest of this.#silent.values()) {
      this.#silent.delete(oldest.session);
      this.#outbox.forgetNumber(oldest.control);
      return;
    }
  }
}
