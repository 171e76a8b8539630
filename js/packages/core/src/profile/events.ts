/**
 * What the profile tells its caller, beside the messages it hands on. A tagged union: `switch` on `type`; the
 * twin of `src/tsushin/profile/events.py`.
 */

export type LeftWhy = "goodbye" | "silent" | "new life";

/** A peer said hello. `recovered` is false where it comes back and what it had is lost. */
export interface Joined {
  readonly type: "joined";
  readonly session: string;
  readonly features: readonly string[];
  readonly recovered: boolean;
}

/** A peer is gone: it said so, answers nothing any more, or began a new life. */
export interface Left {
  readonly type: "left";
  readonly session: string;
  readonly why: LeftWhy;
}

/** The kernel has no kernel end that knows the profile: plain mode. */
export interface Declined {
  readonly type: "declined";
}

/** The kernel end is another one than before; its comms went with the one before. */
export interface Restarted {
  readonly type: "restarted";
}

/** So many messages of a comm are missing for good. */
export interface Gap {
  readonly type: "gap";
  readonly comm_id: string;
  readonly missed: number;
}

/** A peer has these comms open. */
export interface Accepted {
  readonly type: "accepted";
  readonly session: string;
  readonly comm_ids: readonly string[];
}

/** A peer has no target for these comms. */
export interface Refused {
  readonly type: "refused";
  readonly session: string;
  readonly comm_ids: readonly string[];
}

/** A peer waits for the answer to a request no longer. */
export interface Cancelled {
  readonly type: "cancelled";
  readonly session: string;
  readonly comm_id: string;
  readonly req: string;
}

/** A peer has taken so many parts, in all, of the answer to a request. */
export interface Credited {
  readonly type: "credited";
  readonly session: string;
  readonly comm_id: string;
  readonly req: string;
  readonly taken: number;
}

export type ProfileEvent =
  Joined | Left | Declined | Restarted | Gap | Accepted | Refused | Cancelled | Credited;
