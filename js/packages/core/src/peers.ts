/**
 * Who is at the other end: the live sessions, and what each of them thinks of our comms; the twin of
 * `src/tsushin/peers.py`.
 */
import type { TsushinError } from "./errors.js";
import { NoPeer } from "./errors.js";
import type { WaitOptions } from "./expected.js";
import { Expected } from "./expected.js";

/** A live session at the other end. */
export interface Peer {
  /** The `session` in the header of each message it sends. */
  readonly session: string;
  /** What it knows of the profile. */
  readonly features: readonly string[];
}

/** The peers of one end. */
export class Peers {
  readonly #live = new Map<string, Peer>();
  readonly #accepted = new Map<string, Set<string>>(); // comm id -> sessions
  readonly #refused = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Expected<Peer>[]>();

  /** Return the peers that are there now. */
  live(): Peer[] {
    return [...this.#live.values()];
  }

  /** Return the sessions of the peers that did not refuse a comm. */
  mayAnswer(comm_id: string): Set<string> {
    const refused = this.#refused.get(comm_id);
    return new Set([...this.#live.keys()].filter((session) => refused?.has(session) !== true));
  }

  /** Return the ids of the comms that a peer has open. */
  acceptedBy(session: string): string[] {
    const accepted = [...this.#accepted].filter(([, sessions]) => sessions.has(session));
    return accepted.map(([comm_id]) => comm_id);
  }

  /** Return the peers that have a comm open. */
  withOpen(comm_id: string): Peer[] {
    const sessions = [...(this.#accepted.get(comm_id) ?? [])];
    return sessions.map((session) => this.#live.get(session)).filter((peer) => peer !== undefined);
  }

  /** Return a promise of the first peer, here or to come, that has accepted a comm. */
  ready(comm_id: string, about: string, options: WaitOptions): Promise<Peer> {
    const expected = new Expected<Peer>(about, options);
    const [there] = this.withOpen(comm_id);
    if (there !== undefined) expected.settle(there);
    else this.#waiting.set(comm_id, [...(this.#waiting.get(comm_id) ?? []), expected]);
    return expected.promise;
  }

  // ---------------------------------------------------------------- what the profile tells

  /** A peer said hello. Returns whether it was not there before. */
  joined(peer: Peer): boolean {
    const isNew = !this.#live.has(peer.session);
    this.#live.set(peer.session, peer);
    return isNew;
  }

  /** A peer is gone; return what it was. */
  left(session: string): Peer | null {
    for (const sessions of [...this.#accepted.values(), ...this.#refused.values()]) {
      sessions.delete(session);
    }
    const peer = this.#live.get(session) ?? null;
    this.#live.delete(session);
    return peer;
  }

  /** A peer has these comms open. */
  accepted(session: string, comm_ids: readonly string[]): void {
    const peer = this.#live.get(session);
    for (const comm_id of comm_ids) {
      add(this.#accepted, comm_id, session);
      this.#refused.get(comm_id)?.delete(session);
      if (peer === undefined) continue;
      for (const expected of this.#waiting.get(comm_id) ?? []) expected.settle(peer);
      this.#waiting.delete(comm_id);
    }
  }

  /** A peer has no target for these comms. */
  refused(session: string, comm_ids: readonly string[]): void {
    for (const comm_id of comm_ids) add(this.#refused, comm_id, session);
  }

  /** A comm has ended: nobody becomes ready for it. */
  forget(comm_id: string, error: TsushinError): void {
    this.#accepted.delete(comm_id);
    this.#refused.delete(comm_id);
    for (const expected of this.#waiting.get(comm_id) ?? []) expected.fail(error);
    this.#waiting.delete(comm_id);
  }

  /** There is nobody, and nobody is expected: who waits for a peer learns it. */
  noneToCome(): void {
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const expected of waiting) {
      expected.fail(new NoPeer(`${expected.about}: nobody at the other end knows the profile`));
    }
  }
}

function add(sets: Map<string, Set<string>>, comm_id: string, session: string): void {
  const sessions = sets.get(comm_id) ?? new Set();
  sets.set(comm_id, sessions.add(session));
}
