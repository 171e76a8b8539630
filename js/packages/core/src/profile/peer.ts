/**
 * What one end knows of one of its peers, and the two ways to speak to it; the twin of `src/tsushin/profile/peer.py`.
 *
 * Spec: spec/profile.md, "Sessions", "Sequence" and "Flow".
 */
import type { JsonObject } from "../protocol/messages.js";
import type { Control } from "./control.js";
import { Flight } from "./flow.js";
import { Incoming } from "./sequence.js";

/** What is known of one peer. */
export class Peer {
  readonly session: string;
  readonly control: string;
  readonly features: readonly string[];
  readonly epoch: string;
  /** Of a page: the same before and after it was loaded again. */
  readonly tab: string;
  /** Comm id -> number of ours it has. */
  readonly has: Map<string, number>;
  /** Comm id -> number of its own before which nothing was heard. */
  readonly began: Map<string, number>;
  readonly incoming = new Map<string, Incoming>();
  /** Ids of the comms that it has open, as far as it has told. */
  open: Set<string>;
  /** What is for it goes by its lane. */
  hasLane = false;
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
  /** How often it was told how far we are, since anything was heard of it. */
  repeats = 0;
  /** The same, since it said what it has. */
  inVain = 0;
  askAt = Infinity;

  constructor(hello: Control, control: string, has: Map<string, number>) {
    this.session = hello.session;
    this.features = hello.features;
    this.epoch = hello.epoch;
    this.tab = hello.tab;
    this.open = new Set(hello.open);
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

/** Says something on a control comm that is out of date soon, or is asked for again where it is missed. */
export type Say = (
  comm_id: string,
  data: JsonObject,
  now: number,
  buffers?: readonly Uint8Array[],
) => void;

/** Says something that has to arrive. */
export type Tell = (
  peer: Peer,
  data: JsonObject,
  now: number,
  buffers?: readonly Uint8Array[],
) => void;

/** Return whose control comm this is; null where it is nobody's. */
export function peerOf(peers: ReadonlyMap<string, Peer>, comm_id: string): Peer | null {
  for (const peer of peers.values()) if (peer.control === comm_id) return peer;
  return null;
}
