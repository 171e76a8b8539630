"""Which way a message goes: by the lanes of those peers that have one, by the standard route, or by both.

The standard route of a kernel end is a broadcast: plain frontends hear it too. So it is used as long as
somebody may listen there who has no lane.

Spec: spec/profile.md, "Lane", "What goes where".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from tsushin.profile.peer import Peer
from tsushin.protocol.messages import Message, SessionId

MAX_PLAIN: Final = 1000  # sessions that are remembered: plain ones, and those that are not
# What opens and closes a comm is of interest to frontends that never said a word.
_TOLD_TO_ALL: Final = ("comm_open", "comm_close")

# Takes a message, and the session by whose lane it goes; None for the standard route.
Emit = Callable[[Message, SessionId | None], None]


class Routes:
    """The ways of one end.

    Args:
        peers: who is there, by session; the caller's.
        is_kernel: this is a kernel end: what it sends by the standard route reaches every frontend.
        emit: sends a message one way.

    Attributes:
        laned: the peers that have a lane.
        has_unlaned: a peer is there that has none.
    """

    def __init__(self, peers: dict[str, Peer], *, is_kernel: bool, emit: Emit) -> None:
        self.laned: tuple[Peer, ...] = ()
        self.has_unlaned: bool = False
        self._peers = peers
        self._is_kernel = is_kernel
        self._emit = emit
        self._plain: dict[str, None] = {}
        self._not_plain: dict[str, None] = {}

    def update(self) -> None:
        """Peers came or went, or got or lost a lane."""
        self.laned = tuple(peer for peer in self._peers.values() if peer.has_lane)
        self.has_unlaned = len(self.laned) < len(self._peers)

    # ------------------------------------------------------------------ plain sessions

    def heard_plain(self, session: str) -> None:
        """A session sent what a frontend sends; it is a plain one as long as it says no hello."""
        if session in self._plain or session in self._not_plain or session in self._peers:
            return
        _remember(self._plain, session)

    def met(self, sessions: Iterable[str]) -> None:
        """These are no plain sessions: they said hello, or belong to one that did."""
        for session in sessions:
            self._plain.pop(session, None)
            _remember(self._not_plain, session)

    # ------------------------------------------------------------------ sending

    def send(self, message: Message) -> None:
        """Send a message for all."""
        if not self.laned:
            self._emit(message, None)
            return
        if message.msg_type != "comm_open":
            for peer in self.laned:
                self._emit(message, peer.session)
        if self._is_for_others(message.msg_type, str(message.content["comm_id"])):
            self._emit(message, None)

    def send_to(self, peer: Peer | None, message: Message) -> None:
        """Send a message to one peer, as it is; by the standard route others hear it too."""
        self._emit(message, peer.session if peer is not None and peer.has_lane else None)

    def is_for_plain(self, comm_id: str) -> bool:
        """Say whether what is sent on a comm now goes by the standard route for plain frontends only."""
        if not self._is_kernel or self.has_unlaned:
            return False
        return not self._peers or self._is_for_others("comm_msg", comm_id)

    def _is_for_others(self, msg_type: str, comm_id: str) -> bool:
        """Say whether somebody without a lane may want a message."""
        if not self._is_kernel:
            return msg_type == "comm_open"
        if msg_type in _TOLD_TO_ALL or self._plain or self.has_unlaned:
            return True
        return not any(comm_id in peer.open for peer in self.laned)


def _remember(sessions: dict[str, None], session: str) -> None:
    sessions[session] = None
    if len(sessions) > MAX_PLAIN:
        del sessions[next(iter(sessions))]
