/**
 * The life of one comm, as a table; the twin of `src/tsushin/protocol/states.py`.
 *
 * 1. It does not know whether it is a kernel or a frontend: ends differ in data, never in states.
 * 2. There is no opening and no closing state: Jupyter messages have no acknowledgement, so a comm is
 *    open as soon as `comm_open` has left; the peer may still answer it with `comm_close`.
 * 3. Who opened (`primary`) and who closed (`closed_by`) are facts about a comm, not states.
 * 4. A missing cell *is* the illegal move. `late` marks what crossed a close on its way: normal.
 *
 * `spec/comm-states.json` holds the same table for both languages; a test compares them cell by cell.
 *
 * Spec: Jupyter messaging, "Custom Messages" (Opening a Comm, Comm Messages, Tearing Down Comms).
 */

export const STATES = ["UNOPENED", "OPEN", "CLOSED"] as const;
export const INPUTS = [
  "SEND_OPEN",
  "RECV_OPEN",
  "ADOPT",
  "SEND_MSG",
  "RECV_MSG",
  "SEND_CLOSE",
  "RECV_CLOSE",
  "LOSE",
] as const;

/** Where a comm is in its life. */
export type State = (typeof STATES)[number];

/** What can happen to a comm: we send, the peer's message arrives, or the link is gone. */
export type Input = (typeof INPUTS)[number];

/** The one outcome that is no state: the message arrived after the close and is only counted. */
export type Late = "late";

export const TABLE: Readonly<Record<State, Readonly<Partial<Record<Input, State | Late>>>>> = {
  UNOPENED: { SEND_OPEN: "OPEN", RECV_OPEN: "OPEN", ADOPT: "OPEN", LOSE: "CLOSED" },
  OPEN: {
    SEND_MSG: "OPEN",
    RECV_MSG: "OPEN",
    SEND_CLOSE: "CLOSED",
    RECV_CLOSE: "CLOSED",
    LOSE: "CLOSED",
  },
  CLOSED: { RECV_MSG: "late", RECV_CLOSE: "late", LOSE: "CLOSED" },
};

/** Return the next state, "late", or null where the move is illegal. */
export function advance(state: State, given: Input): State | Late | null {
  return TABLE[state][given] ?? null;
}
