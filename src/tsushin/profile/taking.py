"""Comms that are taken up: what a frontend asks its kernel end for, and what a kernel end answers.

Spec: spec/profile.md, "Taking up".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tsushin.profile.arrivals import Arrivals
from tsushin.profile.control import again_data
from tsushin.profile.events import ProfileEvent, Taken
from tsushin.profile.outbox import Outbox
from tsushin.profile.peer import Peer, Tell
from tsushin.protocol.messages import CommId, Message


class Taking:
    """The comms of one end's sessions that are taken up.

    Args:
        peers: who is there, by session; the caller's.
        tell: says something to a peer that has to arrive.
        event: takes an event.
        open_comms: returns the ids of the comms that are open here.
    """

    def __init__(
        self,
        peers: dict[str, Peer],
        outbox: Outbox,
        arrivals: Arrivals,
        *,
        tell: Tell,
        event: Callable[[ProfileEvent], None],
        open_comms: Callable[[], Iterable[str]],
    ) -> None:
        self._peers = peers
        self._outbox = outbox
        self._arrivals = arrivals
        self._tell = tell
        self._event = event
        self._open_comms = open_comms
        self._wanted: dict[str, None] = {}  # a frontend: ids of comms that it takes up

    def can_restore(self) -> bool:
        """At a frontend: say whether the kernel end tells how its comms stand."""
        return any("restore" in peer.features for peer in self._peers.values())

    def restore(self, comm_ids: Iterable[str], now: float) -> None:
        """At a frontend: take up comms of the kernel end's, or what was missed of them: ``Taken``."""
        self._wanted.update(dict.fromkeys(comm_ids))
        self._ask(self._wanted, now)

    def restored(self, session: str, comm_ids: Iterable[str], now: float) -> None:
        """At a kernel end: tell a peer how comms stand, with what is kept of each."""
        peer = self._peers.get(session)
        for comm_id in comm_ids:
            self._say_restored(peer, comm_id, self._outbox.kept(comm_id), now)

    def reopened(self, session: str, opening: Message, now: float) -> None:
        """At a kernel end: tell a peer how a comm stands that a frontend has opened."""
        peer = self._peers.get(session)
        self._say_restored(peer, opening.content["comm_id"], [opening], now)

    def withhold(self, session: str, comm_ids: Iterable[str], now: float) -> None:
        """At a kernel end: tell a peer that it cannot take up these comms."""
        peer = self._peers.get(session)
        if peer is not None:
            self._tell(peer, {"withheld": list(comm_ids)}, now)

    def _say_restored(
        self, peer: Peer | None, comm_id: str, kept: Iterable[Message], now: float
    ) -> None:
        if peer is None:
            return
        data, buffers = again_data(kept, "kept")
        data["restored"] = {comm_id: self._outbox.number.get(comm_id, 0)}
        self._tell(peer, data, now, buffers=buffers)

    def _ask(self, comm_ids: Iterable[str], now: float) -> None:
        for peer in self._peers.values():
            self._tell(peer, {"restore": list(comm_ids)}, now)
        if not self._peers:
            for comm_id in list(comm_ids):
                self.end(comm_id, ())

    def end(self, comm_id: str, messages: tuple[Message, ...] | None) -> None:
        """It is known how a comm stands, or that it is not to be known (``Taken``)."""
        if comm_id in self._wanted:
            del self._wanted[comm_id]
            self._event(Taken(CommId(comm_id), messages))

    def take(
        self, peer: Peer, comm_id: str, number: int, kept: list[Message], now: float
    ) -> list[Message]:
        """At a frontend: a kernel end says how a comm stands; return what is behind that already."""
        if comm_id not in self._wanted:
            return []
        if number < peer.sequence(comm_id).next - 1:  # older than what was here since
            self._ask((comm_id,), now)
            return []
        messages = tuple(one for one in kept if one.content.get("comm_id") == comm_id)
        self.end(comm_id, messages)
        if comm_id in self._open_comms():
            return []  # it was missed in part only, and goes on where it is
        return self._arrivals.restart(peer, comm_id, number, now)

    def end_all(self) -> None:
        """Nobody is left to ask."""
        for comm_id in list(self._wanted):
            self.end(comm_id, ())
