"""Who is at the other end: the live sessions, and what each of them thinks of our comms."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from tsushin.errors import NoPeer, TsushinError
from tsushin.expected import Expected, Wait
from tsushin.protocol.messages import SessionId


@dataclass(frozen=True, slots=True)
class Peer:
    """A live session at the other end.

    Attributes:
        session: the ``session`` in the header of each message it sends.
        features: what it knows of the profile.
    """

    session: SessionId
    features: frozenset[str]


class Peers:
    """The peers of one end. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, Peer] = {}
        # Session -> comm ids: sessions are few, comms may be very many.
        self._accepted: dict[str, set[str]] = {}
        self._refused: dict[str, set[str]] = {}
        self._waiting: dict[str, list[Expected[Peer]]] = {}

    def live(self) -> tuple[Peer, ...]:
        """Return the peers that are there now."""
        return tuple(self._live.values())

    def may_answer(self, comm_id: str) -> set[str]:
        """Return the sessions of the peers that did not refuse a comm."""
        with self._lock:
            return {s for s in self._live if comm_id not in self._refused.get(s, ())}

    def accepted_by(self, session: str) -> tuple[str, ...]:
        """Return the ids of the comms that a peer has open."""
        with self._lock:
            return tuple(self._accepted.get(session, ()))

    def with_open(self, comm_id: str) -> tuple[Peer, ...]:
        """Return the peers that have a comm open."""
        with self._lock:
            return tuple(p for s, p in self._live.items() if comm_id in self._accepted.get(s, ()))

    def ready(
        self, comm_id: str, about: str, timeout_s: float | None, wait: Wait
    ) -> Expected[Peer]:
        """Return the first peer, here or to come, that has accepted a comm."""
        expected: Expected[Peer] = Expected(about, timeout_s=timeout_s, wait=wait)
        with self._lock:
            self._waiting.setdefault(comm_id, []).append(expected)
        if there := self.with_open(comm_id):
            self._settle((comm_id,), there[0])
        return expected

    # ------------------------------------------------------------------ what the profile tells

    def joined(self, peer: Peer) -> bool:
        """A peer said hello; return whether it was not there before."""
        with self._lock:
            is_new = peer.session not in self._live
            self._live[peer.session] = peer
        return is_new

    def left(self, session: str) -> Peer | None:
        """A peer is gone; return what it was."""
        with self._lock:
            self._accepted.pop(session, None)
            self._refused.pop(session, None)
            return self._live.pop(session, None)

    def accepted(self, session: str, comm_ids: Iterable[str]) -> None:
        """A peer has these comms open."""
        with self._lock:
            peer = self._live.get(session)
            self._accepted.setdefault(session, set()).update(comm_ids)
            self._refused.get(session, set()).difference_update(comm_ids)
        if peer is not None:
            self._settle(comm_ids, peer)

    def _settle(self, comm_ids: Iterable[str], peer: Peer) -> None:
        with self._lock:
            waiting = [one for comm_id in comm_ids for one in self._waiting.pop(comm_id, [])]
        for expected in waiting:
            expected.settle(peer)

    def refused(self, session: str, comm_ids: Iterable[str]) -> None:
        """A peer has no target for these comms."""
        with self._lock:
            self._refused.setdefault(session, set()).update(comm_ids)

    def forget(self, comm_id: str, error: TsushinError) -> None:
        """A comm has ended: nobody becomes ready for it."""
        with self._lock:
            for comm_ids in (*self._accepted.values(), *self._refused.values()):
                comm_ids.discard(comm_id)
            waiting = self._waiting.pop(comm_id, [])
        for expected in waiting:
            expected.fail(error)

    def none_to_come(self) -> None:
        """There is nobody, and nobody is expected: who waits for a peer learns it."""
        with self._lock:
            waiting = [e for queue in self._waiting.values() for e in queue]
            self._waiting.clear()
        for expected in waiting:
            expected.fail(NoPeer(f"{expected.about}: nobody at the other end knows the profile"))

    def renew_lock(self) -> None:
        """See ``CommManager.renew_locks``."""
        self._lock = threading.Lock()
