/**
 * Which way a message goes: by the lanes of those peers that have one, by the standard route, or by both; the twin
 * of `src/tsushin/profile/routes.py`.
 *
 * The standard route of a kernel end is a broadcast: plain frontends hear it too. So it is used as long as somebody
 * may listen there who has no lane.
 *
 * Spec: spec/profile.md, "Lane", "What goes where".
 */
import type { Message } from "../protocol/messages.js";
import { msgType } from "../protocol/messages.js";
import type { Peer } from "./peer.js";

const MAX_PLAIN = 1000; // sessions that are remembered: plain ones, and those that are not
// What opens and closes a comm is of interest to frontends that never said a word.
const TOLD_TO_ALL: readonly string[] = ["comm_open", "comm_close"];

/** Takes a message, and the session by whose lane it goes; null for the standard route. */
export type Emit = (message: Message, lane: string | null) => void;

export interface RoutesOptions {
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** This is a kernel end: what it sends by the standard route reaches every frontend. */
  readonly isKernel: boolean;
  /** Sends a message one way. */
  readonly emit: Emit;
}

/** The ways of one end. */
export class Routes {
  /** The peers that have a lane. */
  laned: readonly Peer[] = [];
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #isKernel: boolean;
  readonly #emit: Emit;
  readonly #plain = new Set<string>();
  readonly #notPlain = new Set<string>();

  constructor({ peers, isKernel, emit }: RoutesOptions) {
    this.#peers = peers;
    this.#isKernel = isKernel;
    this.#emit = emit;
  }

  /** Peers came or went, or got or lost a lane. */
  update(): void {
    this.laned = [...this.#peers.values()].filter(({ hasLane }) => hasLane);
  }

  // ---------------------------------------------------------------- plain sessions

  /** A session sent what a frontend sends; it is a plain one as long as it says no hello. */
  heardPlain(session: string): void {
    const isKnown = this.#notPlain.has(session) || this.#peers.has(session);
    if (!isKnown) remember(this.#plain, session);
  }

  /** These are no plain sessions: they said hello, or belong to one that did. */
  met(sessions: Iterable<string>): void {
    for (const session of sessions) {
      this.#plain.delete(session);
      remember(this.#notPlain, session);
    }
  }

  // ---------------------------------------------------------------- sending

  /** Send a message for all. */
  send(message: Message): void {
    if (this.laned.length === 0) {
      this.sendPlain(message);
      return;
    }
    if (msgType(message) !== "comm_open") {
      for (const peer of this.laned) this.#emit(message, peer.session);
    }
    if (this.#isForOthers(message)) this.sendPlain(message);
  }

  /** Send a message by the standard route, whoever has a lane. */
  sendPlain(message: Message): void {
    this.#emit(message, null);
  }

  /** Send a message to one peer, as it is; by the standard route others hear it too. */
  sendTo(peer: Peer | null, message: Message): void {
    this.#emit(message, peer?.hasLane === true ? peer.session : null);
  }

  /** Say whether a peer is there that has no lane. */
  hasUnlaned(): boolean {
    return this.laned.length < this.#peers.size;
  }

  /** Say whether somebody without a lane may want a message. */
  #isForOthers(message: Message): boolean {
    const kind = msgType(message);
    if (!this.#isKernel) return kind === "comm_open";
    if (TOLD_TO_ALL.includes(kind) || this.#plain.size > 0 || this.hasUnlaned()) return true;
    const comm_id = String(message.content.comm_id);
    return !this.laned.some(({ open }) => open.has(comm_id));
  }
}

function remember(sessions: Set<string>, session: string): void {
  sessions.add(session);
  if (sessions.size <= MAX_PLAIN) return;
  for (const oldest of sessions) {
    sessions.delete(oldest);
    return;
  }
}
