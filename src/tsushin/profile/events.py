"""What the profile tells its caller, beside the messages it hands on. A tagged union: ``match`` on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import CommId, Message, SessionId

LeftWhy = Literal["goodbye", "silent", "new life"]


@dataclass(frozen=True, slots=True)
class Joined:
    """A peer said hello.

    Attributes:
        recovered: False where it comes back and what it had is lost.
        tab: of a page: the same before and after it was loaded again.
    """

    session: SessionId
    features: tuple[str, ...]
    recovered: bool
    tab: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A peer is gone: it said so, answers nothing any more, or began a new life."""

    session: SessionId
    why: LeftWhy


@dataclass(frozen=True, slots=True)
class Declined:
    """The kernel has no kernel end that knows the profile: plain mode."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The kernel end is another one than before; its comms went with the one before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of a comm are missing for good.

    Attributes:
        missed: how many.
    """

    comm_id: CommId
    missed: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A peer has these comms open."""

    session: SessionId
    comm_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A peer has no target for these comms."""

    session: SessionId
    comm_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A peer waits for the answer to a request no longer."""

    session: SessionId
    comm_id: CommId
    req: str


@dataclass(frozen=True, slots=True)
class Credited:
    """A peer has taken so many parts, in all, of the answer to a request."""

    session: SessionId
    comm_id: CommId
    req: str
    taken: int


@dataclass(frozen=True, slots=True)
class Sent:
    """So much of a message has left.

    Attributes:
        token: as given to ``Profile.send``.
        nbytes: of it, in bytes.
        total: of the whole message.
    """

    token: int
    nbytes: int
    total: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message in pieces is not sent to its end: nobody is left who joins them.

    Attributes:
        token: as given to ``Profile.send``.
        nbytes: of the whole message.
    """

    comm_id: CommId
    token: int | None
    nbytes: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message of a peer cannot be put together; it is dropped."""

    error: RemoteProtocolError


@dataclass(frozen=True, slots=True)
class RestoreAsked:
    """At a kernel end: a peer takes up comms. ``Profile.restored`` is the answer."""

    session: SessionId
    comm_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """At a frontend: how a comm stands that was to be taken up.

    Attributes:
        messages: its open and what is kept of its messages; empty where the open is not kept, None where the
            comm is not to be had.
    """

    comm_id: CommId
    messages: tuple[Message, ...] | None


@dataclass(frozen=True, slots=True)
class LaneWanted:
    """At a frontend: a kernel end is there, or there anew, that can have lanes. ``Profile.ask_lane`` asks."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class LaneAsked:
    """At a kernel end: a peer asks for a lane. ``Profile.offer_lane`` answers.

    Attributes:
        origin: of its page; "" where it is none.
    """

    session: SessionId
    origin: str


@dataclass(frozen=True, slots=True)
class LaneOffered:
    """At a frontend: how to get the lane.

    Attributes:
        port: on loopback, where the kernel is; 0 where there is no lane.
        token: opens it once.
    """

    session: SessionId
    port: int
    token: str


@dataclass(frozen=True, slots=True)
class LaneSilent:
    """Nothing that goes by a peer's lane is confirmed, or the peer says that it has none: to be ended."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Marked:
    """All that was sent to a peer before a mark has arrived (``Profile.mark``)."""

    session: SessionId
    mark: int


ProfileEvent = (
    Joined
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
    | Marked
)
