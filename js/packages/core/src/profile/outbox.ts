/**
 * What one end sends of its users' messages: numbered, no more than peers can take, kept until they have it; the
 * twin of `src/tsushin/profile/outbox.py`.
 *
 * A message for one session, or in pieces, does not travel on its own comm, where a plain peer would take it for
 * its own: it is carried on a control comm, as what is sent again is. Its number is one of the same sequence, so
 * that everything a session gets of a comm is in order.
 *
 * A peer with a lane gets by that what is for it, whole, and nothing of the other route but each `comm_open`.
 *
 * Spec: spec/profile.md, "Sequence", "Flow", "One session", "Pieces" and "Lane".
 */
import { LimitExceeded } from "../errors.js";
import { keptBytes } from "../protocol/inbox.js";
import type { Limits } from "../protocol/limits.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { msgType } from "../protocol/messages.js";
import type { Numbers } from "./control.js";
import {
  TARGET,
  addressee,
  againData,
  controlId,
  isControl,
  withEntry,
  withoutBody,
} from "./control.js";
import type { ProfileEvent } from "./events.js";
import type { Waiting } from "./flow.js";
import { Queue, waitingFor } from "./flow.js";
import { Kept } from "./kept.js";
import type { Peer } from "./peer.js";
import { CUT_ABOVE_BYTES, cut, dropped } from "./pieces.js";
import type { Routes } from "./routes.js";
import type { Kept as KeptMessage } from "./sequence.js";
import { History } from "./sequence.js";
import type { Voice } from "./voice.js";

// A sender says how far it is when nobody said they have it, and again with twice the pause.
export const REPEAT = 1.0; // seconds
const AGAIN_MESSAGES = 256; // at most in one carrier
const AGAIN_BYTES = 2 ** 20;

export interface OutboxOptions {
  /** Of this end. */
  readonly session: string;
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Who was there and may come back, by session; the caller's. */
  readonly silent: ReadonlyMap<string, Peer>;
  /** This is a kernel end: what it sends reaches every frontend. */
  readonly isKernel: boolean;
  readonly limits: Limits;
  /** What the route takes in one message; null for no bound. */
  readonly max_whole_bytes: number | null;
  /** Which way a message goes. */
  readonly routes: Routes;
  /** Says something on a control comm. */
  readonly voice: Pick<Voice, "message" | "say">;
  /** Takes an event. */
  readonly event: (event: ProfileEvent) => void;
}

/** The sending half of one end's sessions. */
export class Outbox {
  /** Somebody may join and ask for what was sent since now. */
  awaitsPeer = false;
  /** Of all messages kept because a peer may have missed them. */
  nbytes = 0;
  /** Comm id -> number of the last message sent. */
  readonly number = new Map<string, number>();
  readonly #options: OutboxOptions;
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #carrier: string;
  readonly #closed = new Set<string>(); // comms whose close is not yet seen by all
  readonly #history = new Map<string, History>();
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0; // of all of them
  readonly #queue = new Queue();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#peers = options.peers;
    this.#carrier = options.isKernel ? TARGET : controlId(options.session);
  }

  // ---------------------------------------------------------------- asking

  /** Say whether messages carry numbers: somebody may ask for them again. */
  isNumbering(): boolean {
    return this.#peers.size > 0 || this.awaitsPeer;
  }

  /** Return how much waits to be sent, in bytes. */
  queuedBytes(): number {
    return this.#queue.nbytes;
  }

  /** Return the number of what had to wait last; see `hasLeft`. */
  lastQueued(): number {
    return this.#queue.last;
  }

  /** Say whether nothing waits any more of what did when `lastQueued` said that number. */
  hasLeft(queued: number): boolean {
    return this.#queue.hasLeft(queued);
  }

  /** Say whether something of a comm waits to be sent. */
  hasQueued(comm_id: string): boolean {
    return this.#queue.has(comm_id);
  }

  /** Return comm id -> number of the last message, where a peer has not said that it has it. */
  aheadOf(peer: Peer): Record<string, number> {
    return Object.fromEntries(this.#ahead(peer));
  }

  /** Say whether a peer has not said that it has all there is for it. */
  isAheadOf(peer: Peer): boolean {
    return this.#ahead(peer).next().done !== true;
  }

  /** Say whether a peer has not confirmed a message of a user's that goes by its lane. */
  isAheadByLane(peer: Peer): boolean {
    for (const [comm_id] of this.#ahead(peer)) {
      const newest = this.#history.get(comm_id)?.newest;
      // What opens a comm goes by the other route.
      if (!isControl(comm_id) && newest !== undefined && !isOpen(newest.message)) return true;
    }
    return false;
  }

  /** Return comm id -> number of the last message sent, of all comms and this one control comm. */
  numbersOn(control: string): Record<string, number> {
    const numbers = [...this.number].filter(([id]) => !isControl(id) || id === control);
    return Object.fromEntries(numbers);
  }

  /** Return what a session gets that takes up a comm now: its open first, then the newest messages. */
  kept(comm_id: string): Message[] {
    return this.#kept.get(comm_id)?.messages() ?? [];
  }

  // ---------------------------------------------------------------- sending

  /** Keep the open and the last `count` messages of a comm. To be called before it is opened. */
  keep(comm_id: string, count: number): void {
    this.forgetKept(comm_id);
    this.#kept.set(comm_id, new Kept(count, this.#options.limits));
  }

  /**
   * Send a message, or let it wait while too much is under way; `max_bytes` is what may wait, null for any. Throws
   * `QueueFull`: too much waits already. `LimitExceeded`: the route takes no message of that size, and there is no
   * peer that joins pieces. Nothing was done then.
   */
  send(waiting: Waiting, now: number, max_bytes: number | null): void {
    const { isKernel, max_whole_bytes } = this.#options;
    // At a frontend there is one peer only.
    if (!isKernel || !this.#peers.has(waiting.to ?? "")) waiting.to = null;
    if (waiting.nbytes > CUT_ABOVE_BYTES && this.#joinsPieces(waiting.to)) {
      const { total, pieces } = cut(waiting.message);
      waiting.nbytes = total;
      waiting.pieces = pieces;
    } else if (max_whole_bytes !== null) {
      checkSize(waiting, max_whole_bytes);
    }
    if (!this.isNumbering()) {
      this.#sendPlain(waiting);
    } else if (waiting.pieces === null && this.#queue.length === 0 && this.#hasRoom()) {
      this.#sendWhole(waiting, now);
    } else {
      this.#queue.put(waiting, max_bytes);
      this.sendQueued(now);
    }
  }

  /** Send what waits, as far as there is room now. */
  sendQueued(now: number): void {
    for (;;) {
      const { first } = this.#queue;
      if (first === null || !this.#hasRoom()) return;
      if (first.pieces !== null) {
        this.#sendPiece(first, first.pieces, now);
        continue;
      }
      this.#queue.take();
      if (this.isNumbering()) this.#sendWhole(first, now);
      else this.#sendPlain(first);
    }
  }

  /**
   * Say something on a control comm that has to arrive: it is confirmed and repaired as any other. It does not wait:
   * what is said there is little, and others wait for it.
   */
  tell(peer: Peer, data: JsonObject, now: number, buffers: readonly Uint8Array[] = []): void {
    const message = this.#options.voice.message(peer.control, data, now, { buffers });
    const waiting = waitingFor(message, keptBytes(message));
    this.#sendNumbered(waiting, message, waiting.nbytes, now);
  }

  /** Do not send what nobody wants and what has not left; of a message in pieces, the rest. */
  drop(isUnwanted: (waiting: Waiting) => boolean, now: number): void {
    this.#queue.drop(isUnwanted);
    this.sendQueued(now);
  }

  /** Send these numbers once more, or say which are gone. */
  sendAgain(peer: Peer, comm_id: string, first: number, last: number, now: number): void {
    peer.flight.lost(now);
    const kept = this.#history.get(comm_id)?.between(first, last) ?? [];
    const oldest = kept[0]?.number ?? Math.min(last, this.number.get(comm_id) ?? last) + 1;
    if (oldest > first) {
      this.#options.voice.say(peer.control, { gone: { [comm_id]: oldest - 1 } }, now);
    }
    this.#carryAll(peer, kept, now);
  }

  /**
   * Messages to a peer go another way from now on: what it has not confirmed goes that way too. But for what opens a
   * comm, while that is still on its way by the standard route: it keeps its place among other requests there.
   */
  changeRoute(peer: Peer, now: number): void {
    peer.flight.changeRoute(peer.hasLane);
    for (const [comm_id, last] of [...this.#ahead(peer)]) {
      const first = (peer.has.get(comm_id) ?? 0) + 1;
      const kept = this.#history.get(comm_id)?.between(first, last) ?? [];
      const moved = peer.hasLane ? kept.filter(({ message }) => !isOpen(message)) : kept;
      this.#carryAll(peer, moved, now);
    }
    this.sendQueued(now);
  }

  /** Carry what is kept to a peer, so much at a time. */
  #carryAll(peer: Peer, kept: readonly KeptMessage[], now: number): void {
    let batch: Message[] = [];
    let nbytes = 0;
    for (const { message, nbytes: size } of kept) {
      const isFull = batch.length >= AGAIN_MESSAGES || nbytes + size > AGAIN_BYTES;
      if (batch.length > 0 && isFull) {
        this.#carry(peer.control, batch, now);
        [batch, nbytes] = [[], 0];
      }
      // Of what was for another session, it learns that it missed nothing.
      const isIts = [null, peer.session].includes(addressee(message));
      batch.push(isIts ? message : withoutBody(message));
      nbytes += isIts ? size : 0;
    }
    if (batch.length > 0) this.#carry(peer.control, batch, now);
  }

  /** A peer says up to which number of each comm it has everything; that makes room for more. */
  confirmed(peer: Peer, seen: Numbers, now: number): void {
    for (const [comm_id, number] of Object.entries(seen)) {
      peer.inVain = 0;
      if (number <= (peer.has.get(comm_id) ?? 0)) continue;
      peer.has.set(comm_id, number);
      peer.flight.arrived(comm_id, number);
      peer.quietSince = now;
      peer.repeatAt = now + REPEAT; // only for this: who talks may still miss what is repeated
      this.free(comm_id);
    }
    if (!this.isAheadOf(peer)) {
      peer.repeatAt = Infinity;
      peer.inVain = 0;
      peer.isLagging = false;
    }
    this.sendQueued(now);
  }

  // ---------------------------------------------------------------- forgetting

  /** Forget what every peer has of a comm. */
  free(comm_id: string): void {
    const history = this.#history.get(comm_id);
    if (history === undefined) return;
    const have = this.#audience(comm_id).map(({ has }) => has.get(comm_id) ?? 0);
    this.nbytes -= history.free(Math.min(history.last, ...have));
    if (history.length === 0) this.#forget(comm_id);
  }

  /**
   * One peer less: nobody keeps or waits for anything for its sake. `mayReturn` is with the same numbers on its
   * control comm.
   */
  peerLeft(peer: Peer, now: number, mayReturn: boolean): void {
    if (!mayReturn) this.forgetNumber(peer.control);
    if (this.#peers.size > 0) for (const comm_id of [...this.#history.keys()]) this.free(comm_id);
    else if (!this.awaitsPeer) this.forgetHistory();
    this.sendQueued(now);
  }

  /** Nothing more is said on a control comm. */
  forgetNumber(control: string): void {
    this.number.delete(control);
  }

  /** Forget what was kept for peers. */
  forgetHistory(): void {
    for (const comm_id of [...this.#history.keys()]) this.#forget(comm_id);
  }

  /** Forget what was kept for who takes up a comm. */
  forgetKept(comm_id: string): void {
    this.#keptBytes -= this.#kept.get(comm_id)?.nbytes ?? 0;
    this.#kept.delete(comm_id);
  }

  /** Forget everything: the other end's life is over, or ours is. */
  reset(): void {
    this.#queue.clear();
    this.forgetHistory();
    this.number.clear();
    this.#kept.clear();
    this.#keptBytes = 0;
  }

  // ---------------------------------------------------------------- inside

  /** Say whether all who get a message join its pieces. A kernel's own reach plain frontends, too. */
  #joinsPieces(to: string | null): boolean {
    const all = this.#options.isKernel ? [] : [...this.#peers.values()];
    const peers = to === null ? all : [this.#peers.get(to)];
    return peers.length > 0 && peers.every((peer) => peer?.features.includes("pieces") === true);
  }

  *#ahead(peer: Peer): Generator<[string, number]> {
    for (const [id, { last }] of this.#history) {
      const isIts = !isControl(id) || id === peer.control;
      if (isIts && last > (peer.has.get(id) ?? 0)) yield [id, last];
    }
  }

  /** Return who gets what is sent on a comm: on a control comm one peer. */
  #audience(comm_id: string): Peer[] {
    const peers = [...this.#peers.values()];
    return isControl(comm_id) ? peers.filter(({ control }) => control === comm_id) : peers;
  }

  /** Say whether more may be under way to the slowest peer that keeps up. */
  #hasRoom(): boolean {
    for (const { isLagging, flight } of this.#peers.values()) {
      if (!isLagging && !flight.hasRoom()) return false;
    }
    return true;
  }

  #sendPlain(waiting: Waiting): void {
    const { message } = waiting;
    const n = this.#count(message);
    // Who comes back may have got it in another way, from a server that keeps what it could not deliver.
    const { silent, routes } = this.#options;
    routes.sendPlain(silent.size > 0 ? withEntry(message, { n }) : message);
    this.#left(waiting);
  }

  #sendWhole(waiting: Waiting, now: number): void {
    this.#sendNumbered(waiting, waiting.message, waiting.nbytes, now);
    this.#left(waiting);
  }

  /** Send the next piece of the first one in the queue. */
  #sendPiece(
    waiting: Waiting,
    pieces: Iterator<{ message: Message; nbytes: number }>,
    now: number,
  ): void {
    const following = waiting.isDropped ? null : pieces.next();
    if (following === null || following.done === true || this.#peers.size === 0) {
      this.#queue.take();
      const { comm_id, token, nbytes, isDropped } = waiting;
      if (this.#peers.size > 0) this.#sendNumbered(waiting, dropped(waiting.message), 0, now);
      // Nobody is left who joins them.
      else if (!isDropped) this.#options.event({ type: "unsent", comm_id, token, nbytes });
      return;
    }
    const { message, nbytes } = following.value;
    this.#sendNumbered(waiting, message, nbytes, now);
    this.#queue.sent(nbytes);
    if (waiting.sent < waiting.nbytes) {
      this.#tellSent(waiting, waiting.sent);
    } else {
      this.#queue.take();
      this.#left(waiting);
    }
  }

  /** The whole of a message has left. */
  #left(waiting: Waiting): void {
    const { comm_id, message, nbytes, to } = waiting;
    this.#tellSent(waiting, nbytes);
    if (msgType(message) === "comm_close") {
      this.forgetKept(comm_id);
      for (const { open } of this.#peers.values()) open.delete(comm_id);
      if (this.isNumbering()) this.#closed.add(comm_id);
    } else if (to === null) {
      this.#putKept(waiting);
    }
  }

  #putKept({ comm_id, message, nbytes }: Waiting): void {
    const kept = this.#kept.get(comm_id);
    if (kept === undefined) return;
    const before = kept.nbytes;
    kept.put(message, nbytes);
    this.#keptBytes += kept.nbytes - before;
    // What is there already stays.
    if (this.#keptBytes > this.#options.limits.max_all_history_bytes) this.forgetKept(comm_id);
  }

  #tellSent({ token, nbytes: total }: Waiting, nbytes: number): void {
    if (token !== null) this.#options.event({ type: "sent", token, nbytes, total });
  }

  #sendNumbered(waiting: Waiting, plain: Message, nbytes: number, now: number): void {
    const { comm_id, to, pieces } = waiting;
    const n = this.#count(plain);
    const message = withEntry(plain, to === null ? { n } : { n, to });
    this.#remember(comm_id, n, message, nbytes);
    for (const peer of this.#audience(comm_id)) {
      if (!peer.isLagging) peer.flight.left(comm_id, n, nbytes);
      if (peer.repeatAt === Infinity) {
        peer.repeatAt = now + REPEAT;
        peer.quietSince = now;
      }
    }
    const { routes, isKernel } = this.#options;
    if (isControl(comm_id)) routes.sendTo(this.#audience(comm_id)[0] ?? null, message);
    else if (waiting.isPlain) routes.sendPlain(message);
    else if (to === null && pieces === null) routes.send(message);
    else if (isKernel) this.#sendTo(to ?? "", message, now);
    else this.#carry(this.#carrier, [message], now);
  }

  /** At a kernel end: send a message for one session; the others count it too. */
  #sendTo(session: string, message: Message, now: number): void {
    const { routes } = this.#options;
    const peer = this.#peers.get(session);
    for (const laned of routes.laned) {
      routes.sendTo(laned, laned === peer ? message : withoutBody(message));
    }
    if (peer?.hasLane !== true) {
      if (routes.hasUnlaned()) this.#carry(this.#carrier, [message], now);
      return;
    }
    // Not for all to hear: the session itself would take that for the message.
    for (const other of this.#peers.values()) {
      if (!other.hasLane) this.#carry(other.control, [withoutBody(message)], now);
    }
  }

  #carry(carrier: string, messages: readonly Message[], now: number): void {
    const [data, buffers] = againData(messages);
    this.#options.voice.say(carrier, data, now, buffers);
  }

  #count(message: Message): number {
    const comm_id = String(message.content.comm_id);
    const number = (this.number.get(comm_id) ?? 0) + 1;
    if (msgType(message) === "comm_close" && !this.isNumbering()) this.number.delete(comm_id);
    else this.number.set(comm_id, number);
    return number;
  }

  #remember(comm_id: string, number: number, message: Message, nbytes: number): void {
    const { max_history_messages, max_history_bytes, max_all_history_bytes } = this.#options.limits;
    let history = this.#history.get(comm_id);
    if (history === undefined) this.#history.set(comm_id, (history = new History()));
    history.put({ number, message, nbytes });
    this.nbytes += nbytes;
    while (
      history.length > max_history_messages ||
      (history.length > 1 &&
        (history.nbytes > max_history_bytes || this.nbytes > max_all_history_bytes))
    ) {
      this.nbytes -= history.dropOldest();
    }
  }

  #forget(comm_id: string): void {
    this.nbytes -= this.#history.get(comm_id)?.nbytes ?? 0;
    this.#history.delete(comm_id);
    if (!this.#closed.delete(comm_id)) return;
    this.number.delete(comm_id);
    for (const peer of this.#peers.values()) peer.has.delete(comm_id);
  }
}

function isOpen(message: Message): boolean {
  return msgType(message) === "comm_open";
}

function checkSize({ comm_id, nbytes: actual }: Waiting, allowed: number): void {
  if (actual <= allowed) return;
  const where = `comm ${comm_id}: one message to a peer that joins no pieces`;
  throw new LimitExceeded({ limit: "max_whole_bytes", allowed, actual, unit: "bytes", where });
}
