"""What one end knows of one of its peers, and the two ways to speak to it.

Spec: spec/profile.md, "Sessions", "Sequence" and "Flow".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from tsushin.profile.flow import Flight
from tsushin.profile.sequence import Incoming
from tsushin.protocol.messages import JsonObject, SessionId


@dataclass(slots=True)
class Peer:
    """What is known of one peer.

    Attributes:
        has: comm id -> number of ours it has.
        began: comm id -> number of its own before which nothing was heard.
        tab: of a page: the same before and after it was loaded again.
        flight: what is under way to it.
        quiet_since: since when it has confirmed nothing of what is under way.
        is_lagging: so long that nobody waits for it any more.
        due: comms of which it has to be told what arrived.
        accepted, refused: comms of its own of which it has to be told that.
        ended: comms that it closed, oldest first.
        open: comms that it has open, as far as it told.
        has_lane: messages to it go by a lane of its own.
        repeats: how often it was told how far we are, since anything was heard of it.
        in_vain: the same, since it said what it has.
    """

    session: SessionId
    control: str
    features: tuple[str, ...]
    epoch: str
    has: dict[str, int]
    began: dict[str, int]
    tab: str = ""
    incoming: dict[str, Incoming] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    flight: Flight = field(default_factory=Flight)
    quiet_since: float = inf
    is_lagging: bool = False
    ended: dict[str, None] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    has_lane: bool = False
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pending: int = 0
    pending_bytes: int = 0
    ack_at: float = inf
    repeat_at: float = inf
    repeats: int = 0
    in_vain: int = 0
    ask_at: float = inf

    def sequence(self, comm_id: str) -> Incoming:
        """Return the sequence of a comm as it arrives from this peer."""
        found = self.incoming.get(comm_id)
        if found is None:
            found = self.incoming[comm_id] = Incoming(self.began.get(comm_id, 0) + 1)
        return found

    def seen(self) -> dict[str, int]:
        """Return comm id -> the number up to which everything arrived."""
        return {**self.began, **{i: sequence.next - 1 for i, sequence in self.incoming.items()}}


class Say(Protocol):
    """Says something on a control comm that is out of date soon, or is asked for again where it is missed."""

    def __call__(
        self, comm_id: str, data: JsonObject, now: float, *, buffers: tuple[memoryview, ...] = ()
    ) -> None:
        """Send it."""


class Tell(Protocol):
    """Says something that has to arrive."""

    def __call__(
        self, peer: Peer, data: JsonObject, now: float, *, buffers: tuple[memoryview, ...] = ()
    ) -> None:
        """Send it, numbered."""


def peer_of(peers: dict[str, Peer], control: str) -> Peer | None:
    """Return whose control comm this is; None where it is nobody's."""
    return next((peer for peer in peers.values() if peer.control == control), None)
