/**
 * Who is there: hellos, what they are answered, goodbyes, peers gone silent, and lives that are over; the twin of
 * `src/tsushin/profile/presence.py`.
 *
 * At a kernel end many frontends are peers; at a frontend the kernel end is the only one. The rules are the
 * same.
 *
 * Spec: spec/profile.md, "Sessions".
 */
import { RemoteProtocolError, quote } from "../errors.js";
import type { JsonObject } from "../protocol/messages.js";
import type { Arrivals } from "./arrivals.js";
import type { Control, Numbers } from "./control.js";
import { FEATURES, LANE, PROFILE, TARGET, controlId } from "./control.js";
import type { LeftWhy, ProfileEvent } from "./events.js";
import type { Outbox } from "./outbox.js";
import { REPEAT } from "./outbox.js";
import { Peer, peerOf } from "./peer.js";
import type { Routes } from "./routes.js";
import type { Taking } from "./taking.js";
import type { Voice } from "./voice.js";

const MAX_SILENT = 64; // peers that are remembered although they answer no more

export interface PresenceOptions {
  /** Of this end. */
  readonly session: string;
  /** An id made anew for each life of this end. */
  readonly epoch: string;
  /** Who is there, by session. */
  readonly peers: Map<string, Peer>;
  /** Who was there, is gone without a word, and may come back, by session. */
  readonly silent: Map<string, Peer>;
  /** This is a kernel end. */
  readonly isKernel: boolean;
  readonly routes: Routes;
  readonly voice: Voice;
  readonly outbox: Outbox;
  readonly arrivals: Arrivals;
  readonly taking: Taking;
  /** Takes an event. */
  readonly event: (event: ProfileEvent) => void;
  /** Returns the ids of the comms that are open here. */
  readonly openComms: () => readonly string[];
  /** Of a page: the same before and after it was loaded again. */
  readonly tab: string | undefined;
  /** Of a page: the sessions that the page before it in its tab had. Their goodbye is said again. */
  readonly left: readonly string[];
}

/** The peers of one end. */
export class Presence {
  /** This end can have lanes. Set before the first hello. */
  hasLanes = false;
  /** Of a page: returns other sessions of the same page, which are no plain ones. */
  also: () => readonly string[] = () => [];
  readonly #options: PresenceOptions;
  readonly #left: string[];
  #hasOpened = false; // a frontend: its control comm
  #toldOpen: readonly string[] = []; // a frontend: comms that its hello said are open

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#left = [...options.left];
  }

  // ---------------------------------------------------------------- what this end says

  /** Say that a kernel end is here. A frontend that knows the profile answers with its hello. */
  announce(now: number): void {
    this.#options.voice.say(TARGET, { profile: PROFILE }, now);
  }

  /** Say hello to the kernel end: the first time, or because the link was away. */
  join(now: number): void {
    const { session, tab, peers, voice, outbox, openComms } = this.#options;
    for (const old of this.#left.splice(0)) voice.sayGoodbye(controlId(old), now);
    const [peer] = peers.values();
    const control = controlId(session);
    const resume = peer === undefined ? {} : { resume: { epoch: peer.epoch, seen: peer.seen() } };
    const hello = this.#hello(control, resume);
    if (tab !== undefined) hello.tab = tab;
    const also = this.also();
    if (also.length > 0) hello.also = also;
    this.#toldOpen = openComms();
    const msg_type = this.#hasOpened ? "comm_msg" : "comm_open";
    this.#hasOpened = outbox.awaitsPeer = true;
    voice.sayBesideLanes(control, hello, now, msg_type);
  }

  /** Say goodbye: nothing is waited for any more, here or there. */
  leave(now: number): void {
    const { session, peers, isKernel, voice } = this.#options;
    if (this.#hasOpened) voice.sayGoodbye(controlId(session), now);
    for (const peer of [...peers.values()]) {
      if (isKernel) voice.sayGoodbye(peer.control, now);
      this.drop(peer, "goodbye", now);
    }
    this.#endAsking();
  }

  /** Forget everything: the other end's life is over, or ours is. */
  reset(now: number): void {
    const { peers, silent, outbox } = this.#options;
    outbox.reset();
    for (const peer of [...peers.values()]) this.drop(peer, "new life", now);
    silent.clear();
    this.#endAsking();
  }

  #endAsking(): void {
    const { peers, outbox } = this.#options;
    outbox.awaitsPeer = this.#hasOpened = false;
    if (peers.size === 0) outbox.forgetHistory();
  }

  #hello(control: string, rest: JsonObject): JsonObject {
    const { session, epoch, openComms, outbox } = this.#options;
    const sent = outbox.numbersOn(control);
    const open = openComms();
    const features = this.hasLanes ? [...FEATURES, LANE] : FEATURES;
    return { profile: PROFILE, features, session, epoch, open, sent, ...rest };
  }

  // ---------------------------------------------------------------- what a peer says

  /** Return whose control comm something came on; who was silent is here again. */
  heard(comm_id: string): Peer | null {
    const { peers, silent, routes, event } = this.#options;
    for (const peer of silent.values()) {
      if (peer.control !== comm_id) continue;
      silent.delete(peer.session);
      peers.set(peer.session, peer);
      routes.update();
      const { session, features, tab } = peer;
      event({ type: "joined", session, features, recovered: true, tab });
      this.#wantLane(peer);
      return peer;
    }
    return peerOf(peers, comm_id);
  }

  /** A peer says goodbye, or the kernel end says that it knows no profile any more. */
  part(peer: Peer | null, now: number): void {
    const { isKernel, outbox, event } = this.#options;
    const wasAsking = outbox.awaitsPeer;
    if (peer !== null) this.drop(peer, "goodbye", now);
    if (isKernel) return;
    this.#endAsking();
    if (wasAsking) event({ type: "declined" });
  }

  /**
   * Take in a hello. Null where everything has to begin anew. Throws `RemoteProtocolError`: it does not say who says
   * it, or comes on the comm of another.
   */
  meet(hello: Control, comm_id: string, now: number): Peer | null {
    const { peers, silent, isKernel, routes, outbox, event } = this.#options;
    if (hello.session === "" || hello.epoch === "") {
      throw new RemoteProtocolError(`${TARGET}: hello: expected session and epoch`);
    }
    const control = controlId(hello.session);
    if (isKernel && comm_id !== control) {
      const about = `expected the comm id ${quote(control)}, got ${quote(comm_id)}`;
      throw new RemoteProtocolError(`${TARGET}: hello: ${about}`);
    }
    const known = silent.get(hello.session) ?? peers.get(hello.session) ?? null;
    silent.delete(hello.session);
    if (known !== null) {
      peers.set(known.session, known);
      routes.update();
    }
    routes.met([hello.session, ...hello.also]);
    outbox.awaitsPeer = false;
    const peer = isKernel
      ? this.#meetFrontend(hello, comm_id, known, now)
      : this.#meetKernel(hello, comm_id, known, now);
    if (peer === null) return null;
    peer.open = new Set(hello.open);
    if (hello.open.length > 0) {
      event({ type: "accepted", session: peer.session, comm_ids: hello.open });
    }
    this.#wantLane(peer);
    peer.repeats = 0;
    peer.repeatAt = outbox.isAheadOf(peer) ? now + REPEAT : Infinity;
    return peer;
  }

  /** At a kernel end: a frontend is here, or here again; it gets our hello. */
  #meetFrontend(hello: Control, comm_id: string, before: Peer | null, now: number): Peer {
    const { epoch, voice, outbox, event } = this.#options;
    const { resume, features, tab } = hello;
    let known = before;
    if (known !== null && !(resume?.epoch === epoch && known.epoch === hello.epoch)) {
      this.drop(known, "new life", now);
      known = null;
    }
    const peer = known ?? this.#newPeer(hello, comm_id, new Map(outbox.number));
    if (known !== null) outbox.confirmed(peer, resume?.seen ?? {}, now);
    const recovered = known !== null || resume === null;
    event({ type: "joined", session: peer.session, features, recovered, tab });
    voice.sayBesideLanes(comm_id, this.#hello(comm_id, { recovered, seen: peer.seen() }), now);
    return peer;
  }

  /** At a frontend: the kernel end answers our hello. */
  #meetKernel(hello: Control, comm_id: string, before: Peer | null, now: number): Peer | null {
    const { peers, arrivals, event, openComms } = this.#options;
    const { features, recovered, tab } = hello;
    let known = before;
    // A frontend has one kernel end; the next one may have another session, too.
    if ([...peers.values()].some(({ epoch }) => epoch !== hello.epoch)) {
      this.reset(now);
      event({ type: "restarted" });
      return null;
    }
    if (known !== null && !recovered) {
      this.#tellGaps(known.seen(), hello.sent);
      this.drop(known, "new life", now, true);
      known = null;
    }
    // What left since our hello is on its way; the hello says what has come of the rest.
    const peer = known ?? this.#newPeer(hello, comm_id, new Map());
    event({ type: "joined", session: peer.session, features, recovered, tab });
    // What opened between the hello and now, nobody was there to be told.
    const opened = openComms().filter((id) => !this.#toldOpen.includes(id));
    if (opened.length > 0) arrivals.accept(opened, now);
    return peer;
  }

  #newPeer(hello: Control, comm_id: string, has: Map<string, number>): Peer {
    const { peers, routes } = this.#options;
    const peer = new Peer(hello, comm_id, has);
    peers.set(peer.session, peer);
    routes.update();
    return peer;
  }

  #tellGaps(seen: Numbers, sent: Numbers): void {
    for (const [comm_id, last] of Object.entries(sent)) {
      const missed = last - (seen[comm_id] ?? last);
      if (missed > 0) this.#options.event({ type: "gap", comm_id, missed });
    }
  }

  #wantLane({ session, features }: Peer): void {
    if (this.#options.isKernel || !this.hasLanes || !features.includes(LANE)) return;
    this.#options.event({ type: "lane wanted", session });
  }

  // ---------------------------------------------------------------- who is gone

  /** A peer is gone; one that was silent may come back. */
  drop(peer: Peer, why: LeftWhy, now: number, keepsHistory = false): void {
    const { peers, routes, taking, outbox, event } = this.#options;
    peers.delete(peer.session);
    peer.hasLane = false;
    peer.flight.changeRoute(false);
    routes.update();
    event({ type: "left", session: peer.session, why });
    if (why === "silent") this.#rememberSilent(peer);
    if (peers.size === 0) taking.endAll();
    if (!keepsHistory) outbox.peerLeft(peer, now, why === "silent");
  }

  #rememberSilent(peer: Peer): void {
    const { silent, outbox } = this.#options;
    peer.ackAt = peer.repeatAt = peer.askAt = Infinity;
    silent.set(peer.session, peer);
    if (silent.size <= MAX_SILENT) return;
    for (const oldest of silent.values()) {
      silent.delete(oldest.session);
      outbox.forgetNumber(oldest.control);
      return;
    }
  }
}
