/**
 * Comms that are taken up: what a frontend asks its kernel end for, and what a kernel end answers; the twin of
 * `src/tsushin/profile/taking.py`.
 *
 * Spec: spec/profile.md, "Taking up".
 */
import type { Message } from "../protocol/messages.js";
import type { Arrivals } from "./arrivals.js";
import { againData } from "./control.js";
import type { ProfileEvent } from "./events.js";
import type { Outbox } from "./outbox.js";
import type { Peer, Tell } from "./peer.js";

export interface TakingOptions {
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  readonly outbox: Pick<Outbox, "kept" | "number">;
  readonly arrivals: Pick<Arrivals, "restart">;
  /** Says something to a peer that has to arrive. */
  readonly tell: Tell;
  /** Takes an event. */
  readonly event: (event: ProfileEvent) => void;
  /** Returns the ids of the comms that are open here. */
  readonly openComms: () => readonly string[];
}

/** The comms of one end's sessions that are taken up. */
export class Taking {
  readonly #options: TakingOptions;
  readonly #wanted = new Set<string>(); // a frontend: ids of comms that it takes up

  constructor(options: TakingOptions) {
    this.#options = options;
  }

  /** At a frontend: say whether the kernel end tells how its comms stand. */
  canRestore(): boolean {
    return [...this.#options.peers.values()].some(({ features }) => features.includes("restore"));
  }

  /** At a frontend: take up comms of the kernel end's, or what was missed of them; the event is "taken". */
  restore(comm_ids: readonly string[], now: number): void {
    for (const comm_id of comm_ids) this.#wanted.add(comm_id);
    this.#ask([...this.#wanted], now);
  }

  /** At a kernel end: tell a peer how comms stand, with what is kept of each. */
  restored(session: string, comm_ids: readonly string[], now: number): void {
    const peer = this.#options.peers.get(session);
    for (const comm_id of comm_ids) {
      this.#sayRestored(peer, comm_id, this.#options.outbox.kept(comm_id), now);
    }
  }

  /** At a kernel end: tell a peer how a comm stands that a frontend has opened. */
  reopened(session: string, opening: Message, now: number): void {
    const comm_id = String(opening.content.comm_id);
    this.#sayRestored(this.#options.peers.get(session), comm_id, [opening], now);
  }

  /** At a kernel end: tell a peer that it cannot take up these comms. */
  withhold(session: string, comm_ids: readonly string[], now: number): void {
    const peer = this.#options.peers.get(session);
    if (peer !== undefined) this.#options.tell(peer, { withheld: comm_ids }, now);
  }

  #sayRestored(
    peer: Peer | undefined,
    comm_id: string,
    kept: readonly Message[],
    now: number,
  ): void {
    if (peer === undefined) return;
    const [data, buffers] = againData(kept, "kept");
    const restored = { [comm_id]: this.#options.outbox.number.get(comm_id) ?? 0 };
    this.#options.tell(peer, { ...data, restored }, now, buffers);
  }

  #ask(comm_ids: readonly string[], now: number): void {
    for (const peer of this.#options.peers.values())
      this.#options.tell(peer, { restore: comm_ids }, now);
    if (this.#options.peers.size > 0) return;
    for (const comm_id of comm_ids) this.end(comm_id, []);
  }

  /** It is known how a comm stands, or that it is not to be known (the event "taken"). */
  end(comm_id: string, messages: readonly Message[] | null): void {
    if (this.#wanted.delete(comm_id)) this.#options.event({ type: "taken", comm_id, messages });
  }

  /** At a frontend: a kernel end says how a comm stands; return what is behind that already. */
  take(
    peer: Peer,
    comm_id: string,
    number: number,
    kept: readonly Message[],
    now: number,
  ): Message[] {
    if (!this.#wanted.has(comm_id)) return [];
    if (number < peer.sequence(comm_id).next - 1) {
      this.#ask([comm_id], now); // this is older than what was here since
      return [];
    }
    const messages = kept.filter(({ content }) => content.comm_id === comm_id);
    this.end(comm_id, messages);
    // It was missed in part only, and goes on where it is.
    if (this.#options.openComms().includes(comm_id)) return [];
    return this.#options.arrivals.restart(peer, comm_id, number, now);
  }

  /** Nobody is left to ask. */
  endAll(): void {
    for (const comm_id of [...this.#wanted]) this.end(comm_id, []);
  }
}
