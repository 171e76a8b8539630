"""Lanes, as far as peers speak of them: asked for, offered, begun, ended, and not believed in any more.

What goes by a lane is in ``routes.py``.

Spec: spec/profile.md, "Lane".
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from tsushin.profile.control import LANE, Control, LaneAsk, LaneOffer, control_id
from tsushin.profile.events import LaneAsked, LaneOffered, LaneSilent, Marked, ProfileEvent
from tsushin.profile.outbox import REPEAT_S, Outbox
from tsushin.profile.peer import Peer
from tsushin.profile.routes import Routes
from tsushin.profile.voice import Voice
from tsushin.protocol.messages import SessionId

LANE_REPEATS: Final = 3  # without a confirmation, then the lane is not believed in: 7 s


class Laning:
    """The lanes of one end's sessions.

    Args:
        session: of this end.
        peers: who is there, by session; the caller's.
        is_kernel: this is a kernel end.
        event: takes an event.
    """

    def __init__(
        self,
        session: SessionId,
        peers: dict[str, Peer],
        *,
        is_kernel: bool,
        routes: Routes,
        voice: Voice,
        outbox: Outbox,
        event: Callable[[ProfileEvent], None],
    ) -> None:
        self._session = session
        self._peers = peers
        self._is_kernel = is_kernel
        self._routes = routes
        self._voice = voice
        self._outbox = outbox
        self._event = event
        self._marks = 0

    def ask(self, origin: str, now: float) -> None:
        """At a frontend: ask for a lane (``LaneOffered``)."""
        if not self._peers:
            return
        ask = Control(lane_ask=LaneAsk(origin))
        self._voice.say_beside_lanes(control_id(self._session), ask, now)

    def offer(self, session: str, port: int, token: str, now: float) -> None:
        """At a kernel end: tell a peer how to get its lane; port 0 says that there is none."""
        peer = self._peers.get(session)
        if peer is not None:
            offer = Control(lane_offer=LaneOffer(port, token))
            self._voice.say_beside_lanes(peer.control, offer, now)

    def up(self, session: str, now: float) -> bool:
        """A peer has a lane from now on; False where it is not there."""
        return self._change_route(session, now, has_lane=True)

    def down(self, session: str, now: float) -> bool:
        """A peer has no lane any more; False where it is not there."""
        return self._change_route(session, now, has_lane=False)

    def _change_route(self, session: str, now: float, *, has_lane: bool) -> bool:
        peer = self._peers.get(session)
        if peer is None:
            return False
        peer.has_lane = has_lane
        self._routes.update()
        if has_lane or peer.in_vain < LANE_REPEATS:
            peer.quiet_since = (
                now  # else its time began before its lane was left: it lags after REPEAT_S
            )
        peer.repeats, peer.in_vain = 0, 0
        peer.repeat_at = now + REPEAT_S if self._outbox.is_ahead_of(peer) else inf
        self._outbox.change_route(peer, now)
        return True

    def mark(self, session: str, now: float) -> int:
        """Ask a peer to say when all that was sent to it has arrived (``Marked``); return the mark."""
        peer = self._peers[session]
        self._marks += 1
        self._voice.say(peer.control, {"mark": self._marks}, now)
        return self._marks

    def doubt(self, peer: Peer, now: float) -> None:
        """A peer has confirmed nothing since it was told how far we are: it may be its lane that is silent.

        Whether the peer is shows without that.
        """
        if self._is_kernel and peer.in_vain == LANE_REPEATS and LANE in peer.features:
            self.offer(peer.session, 0, "", now)  # it may believe in one that is not there
        if peer.has_lane and peer.in_vain >= LANE_REPEATS:
            self._event(LaneSilent(peer.session))

    def take_in(self, peer: Peer, control: Control, now: float) -> None:
        """Take in what a peer says of lanes and marks."""
        if control.mark:
            self._voice.say(peer.control, {"marked": control.mark}, now)
        if control.marked:
            self._event(Marked(peer.session, control.marked))
        if control.lane_ask is not None and self._is_kernel:
            self._event(LaneAsked(peer.session, control.lane_ask.origin))
        if control.lane_offer is not None and not self._is_kernel:
            offer = control.lane_offer
            is_withdrawn = offer.port == 0 and peer.has_lane
            self._event(
                LaneSilent(peer.session)
                if is_withdrawn
                else LaneOffered(peer.session, offer.port, offer.token)
            )
