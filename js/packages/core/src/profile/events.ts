/**
 * What the profile tells its caller, beside the messages it hands on. A tagged union: `switch` on `type`; the
 * twin of `src/tsushin/profile/events.py`.
 */
import type { RemoteProtocolError } from "../errors.js";
import type { Message } from "../protocol/messages.js";

export type LeftWhy = "goodbye" | "silent" | "new life";

/** A peer said hello. */
export interface Joined {
  readonly type: "joined";
  readonly session: string;
  readonly features: readonly string[];
  /** False where it comes back and what it had is lost. */
  readonly recovered: boolean;
  /** Of a page: the same before and after it was loaded again. */
  readonly tab: string;
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

/** So much of a message has left; `token` is as given to `Profile.send`. */
export interface Sent {
  readonly type: "sent";
  readonly token: number;
  /** Of it, in bytes. */
  readonly nbytes: number;
  /** Of the whole message. */
  readonly total: number;
}

/** A message in pieces is not sent to its end: nobody is left who joins them. */
export interface Unsent {
  readonly type: "unsent";
  readonly comm_id: string;
  /** As given to `Profile.send`. */
  readonly token: number | null;
  /** Of the whole message, in bytes. */
  readonly nbytes: number;
}

/** A message of a peer cannot be put together; it is dropped. */
export interface Malformed {
  readonly type: "malformed";
  readonly error: RemoteProtocolError;
}

/** At a kernel end: a peer takes up comms. `Profile.restored` is the answer. */
export interface RestoreAsked {
  readonly type: "restore asked";
  readonly session: string;
  readonly comm_ids: readonly string[];
}

/** At a frontend: how a comm stands that was to be taken up. */
export interface Taken {
  readonly type: "taken";
  readonly comm_id: string;
  /**
   * Its open and what is kept of its messages; empty where the open is not kept, null where the comm is not to be
   * had.
   */
  readonly messages: readonly Message[] | null;
}

/** At a frontend: a kernel end is there, or there anew, that can have lanes. `Profile.askLane` asks. */
export interface LaneWanted {
  readonly type: "lane wanted";
  readonly session: string;
}

/** At a kernel end: a peer asks for a lane. `Profile.offerLane` answers. */
export interface LaneAsked {
  readonly type: "lane asked";
  readonly session: string;
  /** Of its page; "" where it is no page. */
  readonly origin: string;
}

/** At a frontend: how to get the lane. */
export interface LaneOffered {
  readonly type: "lane offered";
  readonly session: string;
  /** On loopback, where the kernel is; 0 where there is no lane. */
  readonly port: number;
  /** Opens it once. */
  readonly token: string;
}

/** Nothing of what goes by a peer's lane is confirmed, or the peer says that it has none: it is to be ended. */
export interface LaneSilent {
  readonly type: "lane silent";
  readonly session: string;
}

/** All that was sent to a peer before a mark has arrived (`Profile.mark`). */
export interface Marked {
  readonly type: "marked";
  readonly session: string;
  readonly mark: number;
}

export type ProfileEvent =
  | Joined
  | Left
  | Declined
  | Restarted
  | Gap
  | Accepted
  | Refused
  | Cancelled
  | Credited
  | Sent
  | Unsent
  | Malformed
  | RestoreAsked
  | Taken
  | LaneWanted
  | LaneAsked
  | LaneOffered
  | LaneSilent
  | Marked;
