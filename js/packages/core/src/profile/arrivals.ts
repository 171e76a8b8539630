/**
 * What one end receives of its peers' messages: in order, each once, and what is missing is asked for; the twin of
 * `src/tsushin/profile/arrivals.py`.
 *
 * Numbered messages of users' comms are handed on without their number; those of control comms go to who reads
 * them.
 *
 * Spec: spec/profile.md, "Sequence", "One session" and "Pieces".
 */
import { RemoteProtocolError } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import { msgType, sessionOf } from "../protocol/messages.js";
import { addressee, isControl, numberOf, withoutNumber } from "./control.js";
import type { ProfileEvent } from "./events.js";
import type { Peer, Say, Tell } from "./peer.js";
import { Joiner, pieceOf } from "./pieces.js";
import type { Incoming } from "./sequence.js";

// Seconds. A receiver says what it has when 64 messages are new, or after the first of these two.
const ACK_EVERY = 64; // messages
const ACK_BYTES = 2 ** 20; // of buffers
const ACK_MANY = 8; // messages; from here on soon
export const ACK_SOON = 0.05;
const ACK_LATE = 0.5;
// A receiver asks for what is missing at once (where there is a lane, after the first pause: it may be under way by
// the other route), and again with twice the pause.
const ASK = 1.0;
export const MAX_ASKS = 5; // then, after 31 s in all, what is missing is given up
const MAX_HELD = 4096; // messages behind a hole
const MAX_HELD_BYTES = 64 * 2 ** 20; // the same, of their buffers

export interface ArrivalsOptions {
  /** Of this end. */
  readonly session: string;
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  readonly limits: Limits;
  /** Says something on a control comm. */
  readonly say: Say;
  /** Says something to a peer that has to arrive. */
  readonly tell: Tell;
  /** Takes an event. */
  readonly event: (event: ProfileEvent) => void;
  /** Reads a message on a control comm, in its turn; returns users' messages that it brings. */
  readonly takeIn: (peer: Peer, message: Message, now: number) => Message[];
}

/** The receiving half of one end's sessions. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  #released: Message[] = [];

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Take what can be handed on although no message brought it: something was given up. */
  released(): Message[] {
    const released = this.#released;
    this.#released = [];
    return released;
  }

  // ---------------------------------------------------------------- receiving

  /** Take a message with a number; return what can be handed on now, in order. */
  receive(message: Message, now: number): Message[] {
    const number = numberOf(message);
    const peer = this.#options.peers.get(sessionOf(message));
    const { comm_id } = message.content;
    if (number === null || peer === undefined || typeof comm_id !== "string") return [message];
    const sequence = peer.sequence(comm_id);
    const isNew = number >= sequence.next && !sequence.held.has(number);
    const handedOn = this.#handOn(peer, comm_id, sequence.take(number, message), now);
    if (!isControl(comm_id)) this.#noteOpen(peer, comm_id, handedOn);
    if (sequence.held.size > MAX_HELD || sequence.heldBytes > MAX_HELD_BYTES) {
      this.giveUp(peer, comm_id, sequence.firstHeld() - 1, now);
    }
    this.#look(peer, comm_id, now);
    if (isNew) {
      const nbytes = message.buffers.reduce((sum, view) => sum + view.byteLength, 0);
      this.note(peer, comm_id, now, nbytes);
    } else {
      // The peer may not have heard that it is here; however many come, once is enough.
      peer.due.add(comm_id);
      peer.ackAt = Math.min(peer.ackAt, now + ACK_LATE);
    }
    return handedOn;
  }

  /** Return what is for this end's comms, without what the profile put on it; pieces joined. */
  #handOn(peer: Peer, comm_id: string, messages: readonly Message[], now: number): Message[] {
    const handedOn: Message[] = [];
    const sequence = peer.sequence(comm_id);
    for (const message of messages) {
      const to = addressee(message);
      if (to !== null && to !== this.#options.session) continue;
      try {
        if (isControl(comm_id)) {
          handedOn.push(...this.#options.takeIn(peer, message, now));
          continue;
        }
        const whole = this.#join(sequence, withoutNumber(message));
        if (whole !== null) handedOn.push(whole);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
        this.#options.event({ type: "malformed", error });
        if (!isControl(comm_id)) this.#options.event({ type: "gap", comm_id, missed: 1 });
      }
    }
    return handedOn;
  }

  #join(sequence: Incoming, message: Message): Message | null {
    if (sequence.joiner === null && pieceOf(message) === null) return message;
    sequence.joiner ??= new Joiner(this.#options.limits);
    const { joiner } = sequence;
    const whole = joiner.take(message);
    if (!joiner.isJoining) sequence.joiner = null;
    return whole;
  }

  /** Note what a peer has open. */
  #noteOpen(peer: Peer, comm_id: string, handedOn: readonly Message[]): void {
    const [first, last] = [handedOn[0], handedOn.at(-1)];
    if (first !== undefined && msgType(first) === "comm_open") peer.open.add(comm_id);
    if (last !== undefined && msgType(last) === "comm_close") this.#end(peer, comm_id);
  }

  /** A comm was closed; its sequence is remembered for a while, so that nothing arrives twice. */
  #end(peer: Peer, comm_id: string): void {
    peer.open.delete(comm_id);
    peer.ended.add(comm_id);
    if (peer.ended.size <= this.#options.limits.max_closed_ids) return;
    for (const oldest of peer.ended) {
      for (const known of [peer.ended, peer.incoming, peer.began, peer.has]) known.delete(oldest);
      return;
    }
  }

  /** Something of a comm arrived: the peer is told, soon if it is much. */
  note(peer: Peer, comm_id: string, now: number, nbytes = 0): void {
    peer.due.add(comm_id);
    peer.pending += 1;
    peer.pendingBytes += nbytes;
    if (peer.pending >= ACK_EVERY || peer.pendingBytes >= ACK_BYTES) {
      this.acknowledge(peer, now);
    } else {
      const pause = peer.pending >= ACK_MANY ? ACK_SOON : ACK_LATE;
      peer.ackAt = Math.min(peer.ackAt, now + pause);
    }
  }

  /** Ask at once for what is missing, as far as that was not done: an answer takes its time. */
  #look(peer: Peer, comm_id: string, now: number): void {
    const sequence = peer.sequence(comm_id);
    const hole = sequence.missing();
    if (hole === null) return;
    sequence.askAt ??= now + ASK;
    peer.askAt = Math.min(peer.askAt, sequence.askAt);
    if (peer.hasLane) return; // what is under way by the other route comes
    const [first, last] = [Math.max(hole[0], sequence.askedUpto + 1), hole[1]];
    if (first > last) return;
    sequence.asked = Math.max(sequence.asked, 1);
    sequence.askedUpto = last;
    this.#options.say(peer.control, { want: { [comm_id]: [first, last] } }, now);
  }

  /** A peer says up to which number it has sent. */
  hearOf(peer: Peer, comm_id: string, last: number, now: number): void {
    const sequence = peer.sequence(comm_id);
    sequence.known = Math.max(sequence.known, last);
    peer.due.add(comm_id);
    this.#look(peer, comm_id, now);
  }

  /** What was up to a number is known in another way; return what can be handed on after it. */
  restart(peer: Peer, comm_id: string, number: number, now: number): Message[] {
    this.note(peer, comm_id, now);
    return this.#handOn(peer, comm_id, peer.sequence(comm_id).restart(number), now);
  }

  // ---------------------------------------------------------------- telling

  /** Peers (one, or all) shall know that these comms, which they opened, are open here. */
  accept(comm_ids: readonly string[], now: number, session: string | null = null): void {
    for (const peer of this.#options.peers.values()) {
      if (session !== null && session !== peer.session) continue;
      peer.accepted.push(...comm_ids);
      peer.ackAt = Math.min(peer.ackAt, now + ACK_SOON);
    }
  }

  /** Peers shall know that there is no target here for these comms. */
  refuse(comm_ids: readonly string[], now: number): void {
    for (const peer of this.#options.peers.values()) {
      peer.refused.push(...comm_ids);
      peer.ackAt = Math.min(peer.ackAt, now + ACK_SOON);
    }
  }

  /** Tell a peer what arrived, and what became of its comms. */
  acknowledge(peer: Peer, now: number): void {
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
    if (Object.keys(seen).length > 0) this.#options.say(peer.control, { seen }, now);
    const news = {
      ...(accepted.length > 0 ? { accepted } : {}),
      ...(refused.length > 0 ? { refused } : {}),
    };
    if (Object.keys(news).length > 0) this.#options.tell(peer, news, now);
  }

  /** Ask a peer for what is missing, once more, or give it up. */
  askAgain(peer: Peer, now: number): void {
    const want: Record<string, [number, number]> = {};
    peer.askAt = Infinity;
    for (const [comm_id, sequence] of [...peer.incoming]) {
      let hole = sequence.missing();
      if (hole === null) continue;
      if ((sequence.askAt ?? now) <= now) {
        if (sequence.asked >= MAX_ASKS) {
          this.giveUp(peer, comm_id, hole[1], now);
          hole = sequence.missing();
        }
        if (hole === null) continue;
        want[comm_id] = hole;
        sequence.asked += 1;
        sequence.askedUpto = Math.max(sequence.askedUpto, hole[1]);
        sequence.askAt = now + ASK * 2 ** (sequence.asked - 1);
      }
      peer.askAt = Math.min(peer.askAt, sequence.askAt ?? now);
    }
    if (Object.keys(want).length > 0) this.#options.say(peer.control, { want }, now);
  }

  /** Do without what is missing up to a number; `released` has what was behind it. */
  giveUp(peer: Peer, comm_id: string, upto: number, now: number): void {
    const sequence = peer.sequence(comm_id);
    const [missed, released] = sequence.skip(upto);
    if (missed > 0 && !isControl(comm_id)) {
      this.#options.event({ type: "gap", comm_id, missed });
      sequence.joiner = null;
    }
    this.#released.push(...this.#handOn(peer, comm_id, released, now));
    this.note(peer, comm_id, now);
  }
}
