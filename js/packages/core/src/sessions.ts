/**
 * The profile at work at one end: its clock, its timer, and what its events mean for comms; the twin of
 * `src/tsushin/sessions.py`.
 *
 * `profile/sessions.ts` has the rules and touches nothing; here they are driven: messages leave by the host's
 * `send`, deadlines become timers of the `Runtime`, and events reach who has to know.
 */
import { RemoteProtocolError, TransportError } from "./errors.js";
import type { WaitOptions } from "./expected.js";
import { Expected } from "./expected.js";
import type { Peer } from "./peers.js";
import { Peers } from "./peers.js";
import type { Declined, Joined, Left, ProfileEvent, Restarted } from "./profile/events.js";
import type { Profile, SendWays } from "./profile/sessions.js";
import type { Message } from "./protocol/messages.js";
import type { Runtime } from "./runtime.js";

export type PeerHandler = (peer: Peer, is_live: boolean) => unknown;

/** Seconds after this end became known in which a peer may still say hello. */
export const GRACE = 2;

/** What the manager does about what the sessions find out. */
export interface Hooks {
  /** Takes a message to the link. */
  send(message: Message): void;
  /** Hands on messages that nothing brought just now. */
  deliver(messages: readonly Message[]): void;
  /** So many messages of a comm are missing for good. */
  gap(comm_id: string, missed: number): void;
  /** Nobody waits for the answer to a request of a comm. */
  cancelled(comm_id: string, req: string): void;
  /** So many parts of the answer to a request of a comm were taken. */
  credited(comm_id: string, req: string, taken: number): void;
  /** Who may answer is not who could before. */
  peersChanged(): void;
  /** At a frontend: the kernel end is another one than before. */
  newLife(): void;
}

export interface SessionsOptions {
  /** Returns the time in seconds. */
  readonly clock: () => number;
  readonly runtime: Runtime;
  /** A first peer may come at any time, as far as is known. */
  readonly hopes: boolean;
}

/** The peers of one manager, and what was promised to them. */
export class Sessions {
  readonly peers = new Peers();
  readonly #profile: Profile;
  readonly #hooks: Hooks;
  readonly #clock: () => number;
  readonly #runtime: Runtime;
  #armed = Infinity;
  #onPeer: PeerHandler | null = null;
  #wantsDrained: { comm_id: string; expected: Expected<null> }[] = [];
  #hopesUntil: number;

  constructor(profile: Profile, hooks: Hooks, { clock, runtime, hopes }: SessionsOptions) {
    this.#profile = profile;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#runtime = runtime;
    this.#hopesUntil = hopes ? Infinity : -Infinity;
  }

  // ---------------------------------------------------------------- messages

  /** Send messages of the router's. Throws what `Hooks.send` throws, and `QueueFull` unless `always`. */
  send(messages: readonly Message[], ways: SendWays = { always: true }): void {
    const now = this.#clock();
    for (const message of messages) this.#profile.send(message, now, ways);
    this.#push();
  }

  /** Return a promise of the moment when all that was sent on a comm has arrived. */
  drained(comm_id: string, about: string, options: WaitOptions): Promise<null> {
    const expected = new Expected<null>(about, options);
    this.#wantsDrained.push({ comm_id, expected });
    this.#lookAtQueue();
    return expected.promise;
  }

  /** Take a message of the peer; return what can be handed on now, in order. */
  arrive(message: Message): Message[] {
    let arrived: Message[] = [];
    let fault: RemoteProtocolError | null = null;
    try {
      arrived = this.#profile.receive(message, this.#clock());
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      fault = error;
    }
    this.#pushQuietly();
    const events = this.#profile.events();
    if (fault !== null) this.#runtime.fault(fault);
    this.#meet(events);
    return arrived;
  }

  // ---------------------------------------------------------------- coming and going

  /** At a kernel end: say that it is here. */
  announce(): void {
    this.#hopesUntil = this.#clock() + GRACE;
    this.#do((now) => this.#profile.announce(now));
  }

  /** At a frontend: say hello to a kernel end that knows the profile. */
  join(): void {
    this.#do((now) => this.#profile.join(now));
  }

  /** At a frontend: the kernel has said that it has no such end. */
  decline(): void {
    if (this.#profile.peers.size === 0) this.#meet([{ type: "declined" }]);
  }

  /** Say goodbye. */
  leave(): void {
    this.#do((now) => this.#profile.leave(now));
  }

  /** The other end's life is over, or ours: no peer is left. */
  reset(): void {
    this.#profile.reset();
    this.#lookAtQueue(); // nothing waits to arrive any more
    this.#meet(this.#profile.events());
  }

  /** A comm that a peer opened has found its target. */
  accept(comm_id: string, opener: string): void {
    if (this.#profile.peers.size === 0) return;
    const session = this.#profile.isKernel ? opener : null;
    this.#do((now) => this.#profile.accept([comm_id], now, session));
  }

  /** A comm that a peer opened has no target here. */
  refuse(comm_id: string): void {
    if (this.#profile.peers.size > 0) this.#do((now) => this.#profile.refuse([comm_id], now));
  }

  /** Nobody waits for the answer to a request any more; `but` has given it. */
  cancel(comm_id: string, req: string, but: string | null = null): void {
    if (this.#profile.peers.size === 0) return;
    this.#do((now) => this.#profile.cancel(comm_id, req, now, but));
  }

  /** So many parts of an answer of this peer were taken. */
  credit(comm_id: string, req: string, taken: number, session: string): void {
    this.#do((now) => this.#profile.credit(comm_id, req, taken, now, session));
  }

  /** Say whether a first peer may still say hello. */
  mayCome(): boolean {
    return this.#clock() < this.#hopesUntil;
  }

  /** Call `callback(peer, is_live)` when one comes or goes. */
  onPeer(callback: PeerHandler | null): void {
    this.#onPeer = callback;
  }

  // ---------------------------------------------------------------- inside

  #do(work: (now: number) => void): void {
    work(this.#clock());
    this.#pushQuietly();
    this.#meet(this.#profile.events());
  }

  #push(): void {
    try {
      for (const message of this.#profile.messagesToSend()) this.#hooks.send(message);
    } finally {
      this.#arm();
      this.#lookAtQueue();
    }
  }

  /** The link's own end is told by its host. */
  #pushQuietly(): void {
    try {
      this.#push();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
  }

  #arm(): void {
    const deadline = this.#profile.deadline();
    if (deadline >= this.#armed) return;
    this.#armed = deadline;
    this.#runtime.later(Math.max(0, deadline - this.#clock()), () => this.#tick());
  }

  #tick(): void {
    this.#armed = Infinity;
    this.#profile.tick(this.#clock());
    this.#pushQuietly();
    const released = this.#profile.released();
    const events = this.#profile.events();
    if (released.length > 0) this.#hooks.deliver(released);
    this.#meet(events);
  }

  /** Settle what was waited for. */
  #lookAtQueue(): void {
    this.#wantsDrained = this.#wantsDrained.filter(({ comm_id, expected }) => {
      if (this.#profile.isDrained(comm_id)) expected.settle(null);
      return expected.isWaiting;
    });
  }

  #meet(events: readonly ProfileEvent[]): void {
    for (const event of events) {
      switch (event.type) {
        case "accepted": {
          this.peers.accepted(event.session, event.comm_ids);
          break;
        }
        case "refused": {
          this.peers.refused(event.session, event.comm_ids);
          this.#hooks.peersChanged();
          break;
        }
        case "gap": {
          this.#hooks.gap(event.comm_id, event.missed);
          break;
        }
        case "cancelled": {
          this.#hooks.cancelled(event.comm_id, event.req);
          break;
        }
        case "credited": {
          this.#hooks.credited(event.comm_id, event.req, event.taken);
          break;
        }
        default:
          this.#meetPeer(event);
      }
    }
  }

  #meetPeer(event: Joined | Left | Restarted | Declined): void {
    switch (event.type) {
      case "joined": {
        const { session, features } = event;
        this.peers.joined({ session, features });
        this.#tell({ session, features }, true);
        return;
      }
      case "left": {
        const gone = this.peers.left(event.session);
        if (gone !== null) this.#tell(gone, false);
        return;
      }
      case "restarted": {
        this.#hooks.newLife();
        this.join();
        return;
      }
      case "declined": {
        this.#hopesUntil = -Infinity;
        this.peers.noneToCome();
        this.#hooks.peersChanged();
      }
    }
  }

  #tell(peer: Peer, is_live: boolean): void {
    this.#hooks.peersChanged();
    const callback = this.#onPeer;
    if (callback === null) return;
    this.#runtime.soon(() => {
      try {
        callback(peer, is_live);
      } catch (error) {
        this.#runtime.report(error, "on_peer", null);
      }
    });
  }
}
