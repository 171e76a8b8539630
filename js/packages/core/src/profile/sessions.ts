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
 * Spec: spec/profile.md, "Sessions" and "Sequence".
 */
import { RemoteProtocolError } from "../errors.js";
import { keptBytes } from "../protocol/inbox.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Channel, Header, JsonObject, Message } from "../protocol/messages.js";
import { msgType, newMessage, sessionOf } from "../protocol/messages.js";
import type { Control, Numbers } from "./control.js";
import {
  FEATURES,
  PROFILE,
  TARGET,
  againData,
  controlId,
  isControl,
  messagesAgain,
  numberOf,
  readControl,
  withNumber,
  withoutNumber,
} from "./control.js";
import type { LeftWhy, ProfileEvent } from "./events.js";
import type { Waiting } from "./flow.js";
import { Flight, Queue } from "./flow.js";
import { History, Incoming } from "./sequence.js";

// Seconds. A receiver says what it has when 64 messages are new, or after the first of these two.
const ACK_EVERY = 64; // messages
const ACK_BYTES = 2 ** 20; // of buffers
const ACK_MANY = 8; // messages; from here on soon
const ACK_SOON = 0.05;
const ACK_LATE = 0.5;
// A sender says how far it is when nobody said they have it, and again with twice the pause.
export const REPEAT = 1.0;
const LAGGING = 5.0; // without a word about what is under way; then nobody waits for that peer
export const MAX_REPEATS = 6; // then, after 63 s in all, the peer counts as gone
// A receiver asks for what is missing at once, and again with twice the pause.
const ASK = 1.0;
export const MAX_ASKS = 5; // then, after 31 s in all, what is missing is given up
const MAX_HELD = 4096; // messages behind a hole
const MAX_SILENT = 64; // peers that are remembered although they answer no more
const AGAIN_MESSAGES = 256; // at most in one carrier
const AGAIN_BYTES = 2 ** 20;

/** What is known of one peer. */
class Peer {
  readonly session: string;
  readonly control: string;
  readonly features: readonly string[];
  readonly epoch: string;
  /** Comm id -> number of ours it has. */
  readonly has: Map<string, number>;
  /** Comm id -> number of its own before which nothing was heard. */
  readonly began: Map<string, number>;
  readonly incoming = new Map<string, Incoming>();
  /** What is under way to it. */
  flight = new Flight();
  /** Since when it has confirmed nothing of what is under way. */
  quietSince = Infinity;
  /** So long that nobody waits for it any more. */
  isLagging = false;
  /** Comms that it closed, oldest first. */
  readonly ended = new Set<string>();
  /** Comms of which it has to be told what arrived. */
  readonly due = new Set<string>();
  /** Comms of its own of which it has to be told that. */
  accepted: string[] = [];
  refused: string[] = [];
  pending = 0;
  pendingBytes = 0;
  ackAt = Infinity;
  repeatAt = Infinity;
  repeats = 0;
  askAt = Infinity;

  constructor(hello: Control, control: string, has: Map<string, number>) {
    this.session = hello.session;
    this.features = hello.features;
    this.epoch = hello.epoch;
    this.control = control;
    this.has = has;
    this.began = new Map(Object.entries(hello.sent));
  }

  /** Return the sequence of a comm as it arrives from this peer. */
  sequence(comm_id: string): Incoming {
    let found = this.incoming.get(comm_id);
    if (found === undefined) {
      found = new Incoming((this.began.get(comm_id) ?? 0) + 1);
      this.incoming.set(comm_id, found);
    }
    return found;
  }

  /** Return comm id -> the number up to which everything arrived. */
  seen(): Record<string, number> {
    const seen = Object.fromEntries(this.began);
    for (const [id, sequence] of this.incoming) seen[id] = sequence.next - 1;
    return seen;
  }

  /** Return when something is due to be said to it. */
  deadline(): number {
    return Math.min(this.ackAt, this.repeatAt, this.askAt);
  }
}

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
}

export interface SendWays {
  /** Of the messages of one comm that wait and have the same key, only the newest is sent. */
  readonly coalesce?: string | null;
  /** It may wait however much does already. */
  readonly always?: boolean;
}

/** The sessions of one end. */
export class Profile {
  /** Who is there, by session. */
  readonly peers = new Map<string, Peer>();
  /** This is a kernel end. */
  readonly isKernel: boolean;
  readonly limits: Limits;
  readonly #options: ProfileOptions;
  #hasOpened = false; // a frontend: its control comm
  #isAsking = false; // a frontend: it said hello and has no answer
  readonly #number = new Map<string, number>(); // comm id -> of the last message sent
  readonly #closed = new Set<string>(); // comms whose close is not yet seen by all
  readonly #history = new Map<string, History>();
  #nbytes = 0; // of all histories
  #outgoing: Message[] = [];
  #released: Message[] = [];
  #events: ProfileEvent[] = [];
  #queue = new Queue();
  #now = 0; // of the last call
  readonly #silent = new Map<string, Peer>(); // gone without a word; they may come back

  constructor(options: ProfileOptions) {
    this.#options = options;
    this.isKernel = options.channel === "iopub";
    this.limits = options.limits ?? DEFAULT_LIMITS;
  }

  // ---------------------------------------------------------------- asking

  /** Return when `tick` is due next; infinity while nothing is. */
  deadline(): number {
    let deadline = Infinity;
    for (const peer of this.peers.values()) deadline = Math.min(deadline, peer.deadline());
    return deadline;
  }

  /** Take everything to be sent, in order. */
  messagesToSend(): Message[] {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    return outgoing;
  }

  /** Take what can be handed on although no message brought it: something was given up. */
  released(): Message[] {
    const released = this.#released;
    this.#released = [];
    return released;
  }

  /** Take every event there is, in order. */
  events(): ProfileEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** How much is kept for peers that may have missed it, in bytes. */
  get keptBytes(): number {
    return this.#nbytes;
  }

  // ---------------------------------------------------------------- users' messages

  /**
   * Number a message of the router's and have it sent; while too much is under way, it waits. Throws
   * `QueueFull`: too much waits already. Nothing was done.
   */
  send(message: Message, now: number, { coalesce = null, always = false }: SendWays = {}): void {
    if (!this.#isNumbering()) {
      this.#count(message);
      this.#outgoing.push(message);
      return;
    }
    const waiting = { message, nbytes: keptBytes(message), coalesce };
    if (this.#queue.length > 0 || !this.#hasRoom(waiting.nbytes)) {
      this.#queue.put(waiting, always ? null : this.limits.max_queue_bytes);
    } else {
      this.#sendNumbered(waiting, now);
    }
  }

  /** Return how much waits to be sent, in bytes. */
  queuedBytes(): number {
    return this.#queue.nbytes;
  }

  /** Say whether every peer that keeps up has everything that was sent on a comm. */
  isDrained(comm_id: string): boolean {
    const last = this.#number.get(comm_id) ?? 0;
    const keepingUp = [...this.peers.values()].filter((peer) => !peer.isLagging);
    return (
      !this.#queue.has(comm_id) && keepingUp.every((peer) => (peer.has.get(comm_id) ?? 0) >= last)
    );
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
      if (this.#options.joins === true && !this.#isAsking && isShown) this.join(now);
      return [message];
    }
    return this.#receiveNumbered(message, now);
  }

  #isNumbering(): boolean {
    return this.peers.size > 0 || this.#isAsking;
  }

  #count(message: Message): number {
    const comm_id = String(message.content.comm_id);
    const number = (this.#number.get(comm_id) ?? 0) + 1;
    if (msgType(message) === "comm_close" && !this.#isNumbering()) this.#number.delete(comm_id);
    else this.#number.set(comm_id, number);
    return number;
  }

  /** Say whether so many bytes more may be under way to the slowest peer that keeps up. */
  #hasRoom(nbytes: number): boolean {
    for (const peer of this.peers.values()) {
      if (!peer.isLagging && !peer.flight.hasRoom(nbytes)) return false;
    }
    return true;
  }

  #sendNumbered({ message: plain, nbytes }: Waiting, now: number): void {
    const comm_id = String(plain.content.comm_id);
    const number = this.#count(plain);
    if (msgType(plain) === "comm_close") this.#closed.add(comm_id);
    const message = withNumber(plain, number);
    this.#keep(comm_id, number, message, nbytes);
    for (const peer of this.peers.values()) {
      if (!peer.isLagging) peer.flight.left(comm_id, number, nbytes);
      if (peer.repeatAt === Infinity) {
        peer.repeatAt = now + REPEAT;
        peer.quietSince = now;
      }
    }
    this.#outgoing.push(message);
  }

  /** Send what waits, as far as there is room now. */
  #sendQueued(now: number): void {
    for (;;) {
      const { first } = this.#queue;
      if (first === null || !this.#hasRoom(first.nbytes)) return;
      this.#queue.take();
      if (this.#isNumbering()) {
        this.#sendNumbered(first, now);
      } else {
        this.#count(first.message);
        this.#outgoing.push(first.message);
      }
    }
  }

  // ---------------------------------------------------------------- joining and leaving

  /** Say that a kernel end is here. A frontend that knows the profile answers with its hello. */
  announce(now: number): void {
    this.#say(TARGET, { profile: PROFILE }, now);
  }

  /** Say hello to the kernel end: the first time, or because the link was away. */
  join(now: number): void {
    const [peer] = this.peers.values();
    const hello = this.#hello(
      peer === undefined ? {} : { resume: { epoch: peer.epoch, seen: peer.seen() } },
    );
    const msg_type = this.#hasOpened ? "comm_msg" : "comm_open";
    this.#hasOpened = this.#isAsking = true;
    this.#say(controlId(this.#options.session), hello, now, msg_type);
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
    this.#queue = new Queue();
    for (const peer of [...this.peers.values()]) this.#drop(peer, "new life");
    this.#silent.clear();
    this.#endAsking();
    this.#number.clear();
  }

  #endAsking(): void {
    this.#isAsking = this.#hasOpened = false;
    if (this.peers.size === 0) this.#forgetHistory();
  }

  #hello(rest: JsonObject): JsonObject {
    const { session, epoch, openComms } = this.#options;
    const sent = Object.fromEntries(this.#number);
    const open = openComms();
    return { profile: PROFILE, features: FEATURES, session, epoch, open, sent, ...rest };
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

  /** Tell all peers but one that nobody waits for the answer to a request any more. */
  cancel(comm_id: string, req: string, now: number, but: string | null = null): void {
    for (const peer of this.peers.values()) {
      if (peer.session !== but) this.#say(peer.control, { cancel: [[comm_id, req]] }, now);
    }
  }

  /** Tell a peer how many parts of its answer were taken in all. */
  credit(comm_id: string, req: string, taken: number, now: number, session: string): void {
    const peer = this.peers.get(session);
    if (peer !== undefined) this.#say(peer.control, { credit: [[comm_id, req, taken]] }, now);
  }

  #say(
    comm_id: string,
    data: JsonObject,
    now: number,
    msg_type = "comm_msg",
    buffers: readonly Uint8Array[] = [],
  ): void {
    const target = msg_type === "comm_open" ? { target_name: TARGET } : {};
    const content = { comm_id, data, ...target };
    const header = this.#options.newHeader(msg_type, now);
    this.#outgoing.push(newMessage(this.#options.channel, header, { content, buffers }));
  }

  // ---------------------------------------------------------------- time

  /** Do what is due: tell what arrived, repeat how far we are, ask for what is missing. */
  tick(now: number): void {
    this.#now = now;
    for (const peer of [...this.peers.values()]) {
      if (peer.ackAt <= now) this.#acknowledge(peer, now);
      if (peer.askAt <= now) this.#askAgain(peer, now);
      if (peer.repeatAt <= now) this.#repeat(peer, now);
    }
  }

  #acknowledge(peer: Peer, now: number): void {
    [peer.ackAt, peer.pending, peer.pendingBytes] = [Infinity, 0, 0];
    const seen: Record<string, number> = {};
    for (const comm_id of peer.due) {
      const sequence = peer.incoming.get(comm_id);
      if (sequence !== undefined) seen[comm_id] = sequence.next - 1;
    }
    const { accepted, refused } = peer;
    peer.due.clear();
    peer.accepted = [];
    peer.refused = [];
    const data = {
      ...(Object.keys(seen).length > 0 ? { seen } : {}),
      ...(accepted.length > 0 ? { accepted } : {}),
      ...(refused.length > 0 ? { refused } : {}),
    };
    if (Object.keys(data).length > 0) this.#say(peer.control, data, now);
  }

  /** Tell a peer how far we are, so that it finds out when the last messages were lost. */
  #repeat(peer: Peer, now: number): void {
    const ahead = this.#ahead(peer);
    if (Object.keys(ahead).length === 0) {
      peer.repeatAt = Infinity;
    } else if (peer.repeats >= MAX_REPEATS) {
      this.#drop(peer, "silent");
    } else {
      peer.repeats += 1;
      if (now - peer.quietSince >= LAGGING) {
        peer.isLagging = true;
        peer.flight = new Flight();
        this.#sendQueued(now);
      }
      peer.repeatAt = now + REPEAT * 2 ** peer.repeats;
      this.#say(peer.control, { sent: ahead }, now);
    }
  }

  /** Return comm id -> number of our last message, where a peer does not have it. */
  #ahead(peer: Peer): Record<string, number> {
    const ahead: Record<string, number> = {};
    for (const [id, history] of this.#history) {
      if (history.last > (peer.has.get(id) ?? 0)) ahead[id] = history.last;
    }
    return ahead;
  }

  #askAgain(peer: Peer, now: number): void {
    const want: Record<string, [number, number]> = {};
    let most = 0;
    for (const [comm_id, sequence] of peer.incoming) {
      let hole = sequence.missing();
      if (hole === null) continue;
      if (sequence.asked >= MAX_ASKS) {
        this.#giveUp(peer, comm_id, hole[1], now);
        hole = sequence.missing();
      }
      if (hole === null) continue;
      want[comm_id] = hole;
      sequence.asked += 1;
      most = Math.max(most, sequence.asked);
    }
    peer.askAt = Infinity;
    if (most === 0) return;
    peer.askAt = now + ASK * 2 ** (most - 1);
    this.#say(peer.control, { want }, now);
  }

  #giveUp(peer: Peer, comm_id: string, upto: number, now: number): void {
    const [missed, released] = peer.sequence(comm_id).skip(upto);
    if (missed > 0) this.#events.push({ type: "gap", comm_id, missed });
    this.#released.push(...released);
    this.#note(peer, comm_id, now);
  }

  // ---------------------------------------------------------------- inside: numbered messages

  #keep(comm_id: string, number: number, message: Message, nbytes: number): void {
    const { max_history_messages, max_history_bytes, max_all_history_bytes } = this.limits;
    let history = this.#history.get(comm_id);
    if (history === undefined) this.#history.set(comm_id, (history = new History()));
    history.put({ number, message, nbytes });
    this.#nbytes += nbytes;
    while (
      history.length > max_history_messages ||
      (history.length > 1 &&
        (history.nbytes > max_history_bytes || this.#nbytes > max_all_history_bytes))
    ) {
      this.#nbytes -= history.dropOldest();
    }
  }

  #receiveNumbered(message: Message, now: number): Message[] {
    const number = numberOf(message);
    const peer = this.peers.get(sessionOf(message));
    const { comm_id } = message.content;
    if (number === null || peer === undefined || typeof comm_id !== "string") return [message];
    const sequence = peer.sequence(comm_id);
    const handedOn = sequence.take(number, withoutNumber(message));
    const last = handedOn.at(-1);
    if (last !== undefined && msgType(last) === "comm_close") this.#end(peer, comm_id);
    if (sequence.held.size > MAX_HELD) {
      this.#giveUp(peer, comm_id, sequence.firstHeld() - 1, now);
    }
    this.#look(peer, comm_id, now);
    const nbytes = message.buffers.reduce((sum, view) => sum + view.byteLength, 0);
    this.#note(peer, comm_id, now, nbytes);
    return handedOn;
  }

  /** A comm was closed; its sequence is remembered for a while, so that nothing arrives twice. */
  #end(peer: Peer, comm_id: string): void {
    peer.ended.add(comm_id);
    if (peer.ended.size <= this.limits.max_closed_ids) return;
    for (const oldest of peer.ended) {
      for (const known of [peer.ended, peer.incoming, peer.began, peer.has]) known.delete(oldest);
      return;
    }
  }

  /** Something of a comm arrived: the peer is told, soon if it is much. */
  #note(peer: Peer, comm_id: string, now: number, nbytes = 0): void {
    peer.due.add(comm_id);
    peer.pending += 1;
    peer.pendingBytes += nbytes;
    if (peer.pending >= ACK_EVERY || peer.pendingBytes >= ACK_BYTES) {
      this.#acknowledge(peer, now);
    } else {
      const pause = peer.pending >= ACK_MANY ? ACK_SOON : ACK_LATE;
      peer.ackAt = Math.min(peer.ackAt, now + pause);
    }
  }

  /** Ask at once for what is missing, if that was not done. */
  #look(peer: Peer, comm_id: string, now: number): void {
    const sequence = peer.sequence(comm_id);
    const hole = sequence.missing();
    if (hole === null || sequence.asked > 0) return;
    sequence.asked = 1;
    peer.askAt = Math.min(peer.askAt, now + ASK);
    this.#say(peer.control, { want: { [comm_id]: hole } }, now);
  }

  // ---------------------------------------------------------------- inside: control comms

  #receiveControl(message: Message, comm_id: string, now: number): Message[] {
    if (comm_id === TARGET) {
      if (this.#options.joins === true && !this.#isNumbering()) this.join(now);
      return [];
    }
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
    return this.#takeIn(peer, control, message, now);
  }

  /** Return whose control comm this is; one that was silent is here again. */
  #peerOf(comm_id: string): Peer | null {
    for (const peer of this.#silent.values()) {
      if (peer.control !== comm_id) continue;
      this.#silent.delete(peer.session);
      this.peers.set(peer.session, peer);
      const { session, features } = peer;
      this.#events.push({ type: "joined", session, features, recovered: true });
      return peer;
    }
    for (const peer of this.peers.values()) if (peer.control === comm_id) return peer;
    return null;
  }

  #receiveGoodbye(peer: Peer | null): void {
    const wasAsking = this.#isAsking;
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
    const known = this.#silent.get(hello.session) ?? this.peers.get(hello.session) ?? null;
    this.#silent.delete(hello.session);
    if (known !== null) this.peers.set(known.session, known);
    this.#isAsking = false;
    const peer = this.isKernel
      ? this.#meetFrontend(hello, comm_id, known, now)
      : this.#meetKernel(hello, comm_id, known);
    if (peer === null) return null;
    if (hello.open.length > 0) {
      this.#events.push({ type: "accepted", session: peer.session, comm_ids: hello.open });
    }
    peer.repeats = 0;
    peer.repeatAt = this.#history.size > 0 ? now + REPEAT : Infinity;
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
    const peer = known ?? this.#newPeer(hello, comm_id, new Map(this.#number));
    if (known !== null) this.#receiveSeen(peer, resume?.seen ?? {}, now);
    const recovered = known !== null || resume === null;
    const { session } = peer;
    this.#events.push({ type: "joined", session, features: hello.features, recovered });
    this.#say(comm_id, this.#hello({ recovered, seen: peer.seen() }), now);
    return peer;
  }

  /** At a frontend: the kernel end answers our hello. */
  #meetKernel(hello: Control, comm_id: string, before: Peer | null): Peer | null {
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
    const { features, recovered } = hello;
    this.#events.push({ type: "joined", session: peer.session, features, recovered });
    return peer;
  }

  #newPeer(hello: Control, comm_id: string, has: Map<string, number>): Peer {
    const peer = new Peer(hello, comm_id, has);
    this.peers.set(peer.session, peer);
    return peer;
  }

  #tellGaps(seen: Numbers, sent: Numbers): void {
    for (const [comm_id, last] of Object.entries(sent)) {
      const missed = last - (seen[comm_id] ?? last);
      if (missed > 0) this.#events.push({ type: "gap", comm_id, missed });
    }
  }

  #takeIn(peer: Peer, control: Control, message: Message, now: number): Message[] {
    const again = messagesAgain(control, message.buffers, message.channel);
    peer.repeats = 0;
    this.#receiveSeen(peer, control.seen, now);
    const sent = Object.entries(control.sent);
    for (const [comm_id, last] of sent) this.#receiveSent(peer, comm_id, last, now);
    // It has not heard what we have.
    if (sent.length > 0 && control.profile === 0) this.#acknowledge(peer, now);
    for (const [comm_id, [first, last]] of Object.entries(control.want)) {
      this.#sendAgain(peer, comm_id, first, last, now);
    }
    const handedOn = again.flatMap((one) => this.#receiveNumbered(one, now));
    for (const [comm_id, upto] of Object.entries(control.gone)) {
      this.#giveUp(peer, comm_id, upto, now);
    }
    handedOn.push(...this.released());
    const { session } = peer;
    const { accepted, refused } = control;
    if (accepted.length > 0) this.#events.push({ type: "accepted", session, comm_ids: accepted });
    if (refused.length > 0) this.#events.push({ type: "refused", session, comm_ids: refused });
    for (const [comm_id, req] of control.cancel) {
      this.#events.push({ type: "cancelled", session, comm_id, req });
    }
    for (const [comm_id, req, taken] of control.credit) {
      this.#events.push({ type: "credited", session, comm_id, req, taken });
    }
    return handedOn;
  }

  #receiveSeen(peer: Peer, seen: Numbers, now: number): void {
    for (const [comm_id, number] of Object.entries(seen)) {
      if (number <= (peer.has.get(comm_id) ?? 0)) continue;
      peer.has.set(comm_id, number);
      peer.flight.arrived(comm_id, number);
      peer.quietSince = now;
      this.#free(comm_id);
    }
    if (Object.keys(this.#ahead(peer)).length > 0) {
      peer.repeatAt = now + REPEAT;
    } else {
      peer.repeatAt = Infinity;
      peer.isLagging = false;
    }
    this.#sendQueued(now);
  }

  #receiveSent(peer: Peer, comm_id: string, last: number, now: number): void {
    const sequence = peer.sequence(comm_id);
    sequence.known = Math.max(sequence.known, last);
    peer.due.add(comm_id);
    this.#look(peer, comm_id, now);
  }

  #sendAgain(peer: Peer, comm_id: string, first: number, last: number, now: number): void {
    peer.flight.lost(now);
    const kept = this.#history.get(comm_id)?.between(first, last) ?? [];
    const oldest = kept[0]?.number ?? Math.min(last, this.#number.get(comm_id) ?? last) + 1;
    if (oldest > first) this.#say(peer.control, { gone: { [comm_id]: oldest - 1 } }, now);
    let batch: Message[] = [];
    let nbytes = 0;
    for (const { message, nbytes: size } of kept) {
      const isFull = batch.length >= AGAIN_MESSAGES || nbytes + size > AGAIN_BYTES;
      if (batch.length > 0 && isFull) {
        this.#sendBatch(peer, batch, now);
        [batch, nbytes] = [[], 0];
      }
      batch.push(message);
      nbytes += size;
    }
    if (batch.length > 0) this.#sendBatch(peer, batch, now);
  }

  #sendBatch(peer: Peer, batch: readonly Message[], now: number): void {
    const [data, buffers] = againData(batch);
    this.#say(peer.control, data, now, "comm_msg", buffers);
  }

  // ---------------------------------------------------------------- inside: who is gone

  #drop(peer: Peer, why: LeftWhy, keepsHistory = false): void {
    this.peers.delete(peer.session);
    this.#events.push({ type: "left", session: peer.session, why });
    if (why === "silent") this.#rememberSilent(peer);
    if (keepsHistory) return;
    if (this.peers.size > 0) for (const comm_id of [...this.#history.keys()]) this.#free(comm_id);
    else if (!this.#isAsking) this.#forgetHistory();
    this.#sendQueued(this.#now); // nobody waits for it any more
  }

  #rememberSilent(peer: Peer): void {
    peer.ackAt = peer.repeatAt = peer.askAt = Infinity;
    this.#silent.set(peer.session, peer);
    if (this.#silent.size <= MAX_SILENT) return;
    for (const oldest of this.#silent.keys()) {
      this.#silent.delete(oldest);
      return;
    }
  }

  #free(comm_id: string): void {
    const history = this.#history.get(comm_id);
    if (history === undefined) return;
    let lowest = Infinity;
    for (const peer of this.peers.values()) lowest = Math.min(lowest, peer.has.get(comm_id) ?? 0);
    this.#nbytes -= history.free(lowest);
    if (history.length === 0) this.#forget(comm_id);
  }

  #forget(comm_id: string): void {
    this.#nbytes -= this.#history.get(comm_id)?.nbytes ?? 0;
    this.#history.delete(comm_id);
    if (!this.#closed.delete(comm_id)) return;
    this.#number.delete(comm_id);
    for (const peer of this.peers.values()) peer.has.delete(comm_id);
  }

  #forgetHistory(): void {
    for (const comm_id of [...this.#history.keys()]) this.#forget(comm_id);
  }
}
