/**
 * Lanes, as far as peers speak of them: asked for, offered, begun, ended, and not believed in any more; the twin of
 * `src/tsushin/profile/laning.py`.
 *
 * What goes by a lane is in `routes.ts`.
 *
 * Spec: spec/profile.md, "Lane".
 */
import type { Control } from "./control.js";
import { LANE, controlId } from "./control.js";
import type { ProfileEvent } from "./events.js";
import type { Outbox } from "./outbox.js";
import { REPEAT } from "./outbox.js";
import type { Peer } from "./peer.js";
import type { Routes } from "./routes.js";
import type { Voice } from "./voice.js";

const LANE_REPEATS = 3; // without a confirmation, then the lane is not believed in: 7 s

export interface LaningOptions {
  /** Of this end. */
  readonly session: string;
  /** Who is there, by session; the caller's. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** This is a kernel end. */
  readonly isKernel: boolean;
  readonly routes: Pick<Routes, "laned" | "update">;
  readonly voice: Pick<Voice, "say" | "sayBesideLanes">;
  readonly outbox: Pick<Outbox, "changeRoute" | "isAheadByLane" | "isAheadOf">;
  /** Takes an event. */
  readonly event: (event: ProfileEvent) => void;
}

/** The lanes of one end's sessions. */
export class Laning {
  readonly #options: LaningOptions;
  #marks = 0;

  constructor(options: LaningOptions) {
    this.#options = options;
  }

  /** At a frontend: ask for a lane (the event "lane offered"); `origin` is the page's, "" where it is none. */
  ask(origin: string, now: number): void {
    const { peers, session, voice } = this.#options;
    if (peers.size > 0) voice.sayBesideLanes(controlId(session), { lane_ask: { origin } }, now);
  }

  /** At a kernel end: tell a peer how to get its lane; port 0 says that there is none. */
  offer(session: string, port: number, token: string, now: number): void {
    const { peers, voice } = this.#options;
    const peer = peers.get(session);
    if (peer !== undefined) {
      voice.sayBesideLanes(peer.control, { lane_offer: { port, token } }, now);
    }
  }

  /** A peer has a lane from now on; false where it is not there. */
  up(session: string, now: number): boolean {
    return this.#changeRoute(session, now, true);
  }

  /** A peer has no lane any more; false where it is not there. */
  down(session: string, now: number): boolean {
    return this.#changeRoute(session, now, false);
  }

  #changeRoute(session: string, now: number, hasLane: boolean): boolean {
    const { peers, routes, outbox } = this.#options;
    const peer = peers.get(session);
    if (peer === undefined) return false;
    peer.hasLane = hasLane;
    routes.update();
    // Else its time began before its lane was left: it lags after REPEAT.
    if (hasLane || peer.inVain < LANE_REPEATS) peer.quietSince = now;
    peer.repeats = peer.inVain = 0;
    peer.repeatAt = outbox.isAheadOf(peer) ? now + REPEAT : Infinity;
    outbox.changeRoute(peer, now);
    return true;
  }

  /** Say whether a lane has taken messages of users' that are not confirmed. */
  isAheadByLane(): boolean {
    const { routes, outbox } = this.#options;
    return routes.laned.some((peer) => outbox.isAheadByLane(peer));
  }

  /** Ask a peer to say when all that was sent to it has arrived (the event "marked"); return the mark. */
  mark(session: string, now: number): number {
    this.#marks += 1;
    const control = this.#options.peers.get(session)?.control ?? "";
    this.#options.voice.say(control, { mark: this.#marks }, now);
    return this.#marks;
  }

  /**
   * A peer has confirmed nothing since it was told how far we are: it may be its lane that is silent. Whether the
   * peer is shows without that.
   */
  doubt(peer: Peer, now: number): void {
    const { isKernel, event } = this.#options;
    if (isKernel && peer.inVain === LANE_REPEATS && peer.features.includes(LANE)) {
      this.offer(peer.session, 0, "", now); // it may believe in one that is not there
    }
    if (peer.hasLane && peer.inVain >= LANE_REPEATS) {
      event({ type: "lane silent", session: peer.session });
    }
  }

  /** Take in what a peer says of lanes and marks. */
  takeIn(peer: Peer, control: Control, now: number): void {
    const { isKernel, voice, event } = this.#options;
    const { mark, marked, lane_ask: ask, lane_offer: offer } = control;
    const { session } = peer;
    if (mark > 0) voice.say(peer.control, { marked: mark }, now);
    if (marked > 0) event({ type: "marked", session, mark: marked });
    if (ask !== null && isKernel) event({ type: "lane asked", session, origin: ask.origin });
    if (offer !== null && !isKernel) {
      const isWithdrawn = offer.port === 0 && peer.hasLane;
      event(
        isWithdrawn
          ? { type: "lane silent", session }
          : { type: "lane offered", session, ...offer },
      );
    }
  }
}
