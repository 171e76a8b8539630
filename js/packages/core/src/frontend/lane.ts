/**
 * A frontend's lane: asked for, connected, fed and looked after; the twin of `src/tsushin/frontend/lane.py`.
 *
 * A kernel end that can have lanes is asked for one, and the ways to it are tried in turn. While nothing works, and
 * whenever the lane is away, comm messages go by the standard route.
 *
 * Spec: spec/profile.md, "Lane".
 */
import { TransportError } from "../errors.js";
import type { RemoteProtocolError } from "../errors.js";
import { Expected } from "../expected.js";
import type { Message } from "../protocol/messages.js";
import { COMM_TYPES, msgType } from "../protocol/messages.js";
import type { LaneSend, Lanes, Sessions } from "../sessions.js";
import type { Transport } from "../transports/base.js";
import { sleep } from "./come_back.js";
import type { LaneWay, Offer } from "./lane_ways.js";
import { pageOrigin } from "./lane_ways.js";

const OFFER_TIMEOUT = 10; // seconds; a busy kernel of the old design answers later, and is asked again
const FIRST_PAUSE_MS = 100; // between two tries, doubling
const LAST_PAUSE_MS = 60_000;
// In a row: then nothing is tried before the next hello. Who asks for ever keeps an idle kernel alive.
const MAX_FAILURES = 5;
const MAX_FAILURES_LATER = 12; // where it has worked: 4 minutes

export interface LaneKeeping {
  readonly sessions: Pick<Sessions, "askLane" | "laneUp" | "laneDown">;
  /** This frontend's. */
  readonly session: string;
  /** To be tried in this order. */
  readonly ways: readonly LaneWay[];
  /** Returns the kernel end's session; null where there is none. */
  readonly peer: () => string | null;
  /** Sees what is sent by the lane. */
  readonly sent: (message: Message) => void;
  /** Takes messages that came by the lane, in order. */
  readonly receive: (message: Message) => void;
  /** Hears what the kernel end did wrong; that ends the lane. */
  readonly fault: (error: RemoteProtocolError) => void;
}

/** The lane of one frontend. `Lanes` for its sessions. */
export class FrontendLane implements Lanes {
  readonly #options: LaneKeeping;
  #keeping: AbortController | null = null; // ends all that is done for a lane
  #asked: string | null = null; // the kernel end that this was begun for
  #offer: Expected<Offer> | null = null;
  #link: Transport | null = null;

  constructor(options: LaneKeeping) {
    this.#options = options;
  }

  // ---------------------------------------------------------------- Lanes

  /** What was asked of a kernel end before this one is answered by nobody. */
  wanted(): void {
    const peer = this.#options.peer();
    if (this.#keeping !== null && (this.#link !== null || this.#asked === peer)) return;
    this.#keeping?.abort();
    this.#asked = peer;
    const keeping = (this.#keeping = new AbortController());
    void this.#keep(keeping.signal).finally(() => {
      if (this.#keeping === keeping) this.#keeping = null;
    });
  }

  asked(): void {
    // At a kernel end only.
  }

  offered(port: number, token: string): void {
    this.#offer?.settle({ port, token });
  }

  /** A kernel end that is gone takes everything with it; a silent lane is followed by another one. */
  end(): void {
    if (this.#options.peer() === null) {
      this.#keeping?.abort();
      this.#keeping = null;
    }
    this.#link?.close();
  }

  // ---------------------------------------------------------------- inside

  /** Have a lane, as long as there is a kernel end that has lanes. Never rejects. */
  async #keep(signal: AbortSignal): Promise<void> {
    let [failures, pause, hasWorked] = [0, FIRST_PAUSE_MS, false];
    const isOver = () => signal.aborted;
    while (!isOver()) {
      const link = await this.#connect(signal);
      const peer = this.#options.peer();
      if (isOver() || peer === null) {
        link?.close();
        return;
      }
      if (link === null) {
        failures += 1;
        if (failures >= (hasWorked ? MAX_FAILURES_LATER : MAX_FAILURES)) return;
      } else {
        [failures, pause, hasWorked] = [0, FIRST_PAUSE_MS, true];
        await this.#use(link, peer);
      }
      await sleep(pause, signal);
      pause = Math.min(2 * pause, LAST_PAUSE_MS);
    }
  }

  /** Ask, and try what is offered; null where nothing works just now. */
  async #connect(signal: AbortSignal): Promise<Transport | null> {
    const expected = new Expected<Offer>("a lane's offer", { timeout: OFFER_TIMEOUT, signal });
    this.#offer = expected;
    this.#options.sessions.askLane(pageOrigin());
    const offer = await expected.promise.catch(() => null);
    if (offer === null || offer.port === 0) return null;
    for (const way of this.#options.ways) {
      try {
        return await way(this.#options.session, offer, signal);
      } catch {
        if (signal.aborted) return null;
      }
    }
    return null;
  }

  /** Send and receive by a lane until it ends. */
  #use(link: Transport, peer: string): Promise<void> {
    const { sessions, sent, receive, fault } = this.#options;
    this.#link = link;
    const send: LaneSend = (message) => {
      try {
        link.send(message);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        return; // it came too late: that is found out beside it
      }
      sent(message);
    };
    return new Promise((resolve) => {
      if (!sessions.laneUp(peer, send)) link.close();
      link.start({
        message: (message) => {
          if (this.#link === link && COMM_TYPES.includes(msgType(message))) receive(message);
        },
        fault: (error) => {
          fault(error);
          link.close();
        },
        end: () => {
          if (this.#link === link) this.#link = null;
          sessions.laneDown(peer, send);
          resolve();
        },
      });
    });
  }
}
