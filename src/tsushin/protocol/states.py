"""The life of one comm, as a table.

Rules of this file:

1. It does not know whether it is a kernel or a frontend: ends differ in data, never in states.
2. There is no opening and no closing state. Jupyter messages have no acknowledgement, so a comm is
   open as soon as ``comm_open`` has left; the peer may still answer it with ``comm_close``.
3. Who opened (``primary``) and who closed (``closed_by``) are facts about a comm, not states.
4. A missing cell *is* the illegal move. ``LATE`` marks what crossed a close on its way: normal.

``spec/comm-states.json`` holds the same table for both languages; a test compares them cell by cell.

Spec: Jupyter messaging, "Custom Messages" (Opening a Comm, Comm Messages, Tearing Down Comms).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """Where a comm is in its life."""

    UNOPENED = "UNOPENED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Input(Enum):
    """What can happen to a comm: we send, the peer's message arrives, or the link is gone."""

    SEND_OPEN = "SEND_OPEN"
    RECV_OPEN = "RECV_OPEN"
    ADOPT = "ADOPT"
    SEND_MSG = "SEND_MSG"
    RECV_MSG = "RECV_MSG"
    SEND_CLOSE = "SEND_CLOSE"
    RECV_CLOSE = "RECV_CLOSE"
    LOSE = "LOSE"


class Late(Enum):
    """The one outcome that is no state: the message arrived after the close and is only counted."""

    LATE = "late"


LATE: Final = Late.LATE

TABLE: Final[dict[State, dict[Input, State | Late]]] = {
    State.UNOPENED: {
        Input.SEND_OPEN: State.OPEN,
        Input.RECV_OPEN: State.OPEN,
        Input.ADOPT: State.OPEN,
        Input.LOSE: State.CLOSED,
    },
    State.OPEN: {
        Input.SEND_MSG: State.OPEN,
        Input.RECV_MSG: State.OPEN,
        Input.SEND_CLOSE: State.CLOSED,
        Input.RECV_CLOSE: State.CLOSED,
        Input.LOSE: State.CLOSED,
    },
    State.CLOSED: {
        Input.RECV_MSG: LATE,
        Input.RECV_CLOSE: LATE,
        Input.LOSE: State.CLOSED,
    },
}


def advance(state: State, given: Input) -> State | Late | None:
    """Return the next state, ``LATE``, or None where the move is illegal."""
    return TABLE[state].get(given)
