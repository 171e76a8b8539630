"""Who is there: hellos, what they are answered, goodbyes, peers gone silent, and lives that are over.

At a kernel end many frontends are peers; at a frontend the kernel end is the only one. The rules are the
same.

Spec: spec/profile.md, "Sessions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from tsushin.errors import RemoteProtocolError, quote
from tsushin.profile.arrivals import Arrivals
from tsushin.profile.control import (
    FEATURES,
    LANE,
    PROFILE,
    TARGET,
    Control,
    Resume,
    control_id,
)
from tsushin.profile.events import (
    Accepted,
    Declined,
    Gap,
    Joined,
    LaneWanted,
    Left,
    LeftWhy,
    ProfileEvent,
    Restarted,
)
from tsushin.profile.outbox import REPEAT_S, Outbox
from tsushin.profile.peer import Peer, peer_of
from tsushin.profile.routes import Routes
from tsushin.profile.taking import Taking
from tsushin.profile.voice import Voice
from tsushin.protocol.messages import CommId, SessionId

MAX_SILENT: Final = 64  # peers that are remembered although they answer no more


class Presence:
    """The peers of one end.

    Args:
        session: of this end.
        epoch: an id made anew for each life of this end.
        peers: who is there, by session.
        silent: who was there, is gone without a word, and may come back, by session.
        is_kernel: this is a kernel end.
        event: takes an event.
        open_comms: returns the ids of the comms that are open here.
        tab: of a page: the same before and after it was loaded again.
        left: of a page: the sessions that the page before it in its tab had. Their goodbye is said again.

    Attributes:
        also: of a page: other sessions of the same page, which are no plain ones.
        has_lanes: this end can have lanes.
    """

    def __init__(  # noqa: PLR0913 (what it keeps in step, each by name)
        self,
        session: SessionId,
        epoch: str,
        peers: dict[str, Peer],
        silent: dict[str, Peer],
        *,
        is_kernel: bool,
        routes: Routes,
        voice: Voice,
        outbox: Outbox,
        arrivals: Arrivals,
        taking: Taking,
        event: Callable[[ProfileEvent], None],
        open_comms: Callable[[], Iterable[str]],
        tab: str,
        left: Iterable[str],
    ) -> None:
        self.also: tuple[str, ...] = ()
        self.has_lanes: bool = False
        self._session = session
        self._epoch = epoch
        self._peers = peers
        self._silent = silent
        self._is_kernel = is_kernel
        self._routes = routes
        self._voice = voice
        self._outbox = outbox
        self._arrivals = arrivals
        self._taking = taking
        self._event = event
        self._open_comms = open_comms
        self._tab = tab
        self._left = tuple(left)
        self._has_opened = False  # a frontend: its control comm
        self._told_open: tuple[str, ...] = ()  # a frontend: comms that its hello said are open

    # ------------------------------------------------------------------ what this end says

    def announce(self, now: float) -> None:
        """Say that a kernel end is here. A frontend that knows the profile answers with its hello."""
        self._voice.say(TARGET, {"profile": PROFILE}, now)

    def join(self, now: float) -> None:
        """Say hello to the kernel end: the first time, or because the link was away."""
        for session in self._left:
            self._voice.say_goodbye(control_id(session), now)
        self._left = ()
        [peer] = self._peers.values() or [None]
        self._told_open = tuple(self._open_comms())
        hello = Control(
            profile=PROFILE,
            features=self._features(),
            session=self._session,
            epoch=self._epoch,
            tab=self._tab,
            also=self.also,
            open=self._told_open,
            sent=self._outbox.numbers_on(control_id(self._session)),
            resume=None if peer is None else Resume(peer.epoch, peer.seen()),
        )
        msg_type = "comm_msg" if self._has_opened else "comm_open"
        self._has_opened = self._outbox.awaits_peer = True
        self._voice.say_beside_lanes(control_id(self._session), hello, now, msg_type=msg_type)

    def leave(self, now: float) -> None:
        """Say goodbye: nothing is waited for any more, here or there."""
        if self._has_opened:
            self._voice.say_goodbye(control_id(self._session), now)
        for peer in list(self._peers.values()):
            if self._is_kernel:
                self._voice.say_goodbye(peer.control, now)
            self.drop(peer, "goodbye", now)
        self._end_asking()

    def reset(self, now: float) -> None:
        """Forget everything: the other end's life is over, or ours is."""
        self._outbox.reset()
        for peer in list(self._peers.values()):
            self.drop(peer, "new life", now)
        self._silent.clear()
        self._end_asking()

    def _end_asking(self) -> None:
        self._outbox.awaits_peer = self._has_opened = False
        if not self._peers:
            self._outbox.forget_history()

    def _features(self) -> tuple[str, ...]:
        return (*FEATURES, LANE) if self.has_lanes else FEATURES

    # ------------------------------------------------------------------ what a peer says

    def heard(self, comm_id: str) -> Peer | None:
        """Return whose control comm something came on; who was silent is here again."""
        for peer in self._silent.values():
            if peer.control == comm_id:
                self._peers[peer.session] = self._silent.pop(peer.session)
                self._routes.update()
                self._event(Joined(peer.session, peer.features, recovered=True, tab=peer.tab))
                self._want_lane(peer)
                return peer
        return peer_of(self._peers, comm_id)

    def part(self, peer: Peer | None, now: float) -> None:
        """A peer says goodbye, or the kernel end says that it knows no profile any more."""
        was_asking = self._outbox.awaits_peer
        if peer is not None:
            self.drop(peer, "goodbye", now)
        if not self._is_kernel:
            self._end_asking()
            if was_asking:
                self._event(Declined())

    def meet(self, hello: Control, comm_id: str, now: float) -> Peer | None:
        """Take in a hello. None where everything has to begin anew.

        Raises:
            RemoteProtocolError: it does not say who says it, or comes on the comm of another.
        """
        if not hello.session or not hello.epoch:
            raise RemoteProtocolError(f"{TARGET}: hello: expected session and epoch")
        if self._is_kernel and comm_id != control_id(hello.session):
            about = f"expected the comm id {quote(control_id(hello.session))}, got {quote(comm_id)}"
            raise RemoteProtocolError(f"{TARGET}: hello: {about}")
        known = self._silent.pop(hello.session, None) or self._peers.get(hello.session)
        if known is not None:
            self._peers[known.session] = known
            self._routes.update()
        self._routes.met((hello.session, *hello.also))
        self._outbox.awaits_peer = False
        meet = self._meet_frontend if self._is_kernel else self._meet_kernel
        peer = meet(hello, comm_id, known, now)
        if peer is not None:
            peer.open = set(self._outbox.as_known(hello.open))
            if hello.open:
                self._event(Accepted(peer.session, hello.open))
            self._want_lane(peer)
            peer.repeats = 0
            peer.repeat_at = now + REPEAT_S if self._outbox.is_ahead_of(peer) else inf
        return peer

    def _meet_frontend(self, hello: Control, comm_id: str, known: Peer | None, now: float) -> Peer:
        """At a kernel end: a frontend is here, or here again; it gets our hello."""
        resume = hello.resume
        is_ours = resume is not None and resume.epoch == self._epoch
        if known is not None and not (is_ours and known.epoch == hello.epoch):
            self.drop(known, "new life", now)
            known = None
        if known is None:
            peer = self._new_peer(hello, comm_id, has=dict(self._outbox.number))
        else:
            peer = known
            self._outbox.confirmed(peer, resume.seen if resume else {}, now)
        is_recovered = known is not None or resume is None
        self._event(Joined(peer.session, hello.features, is_recovered, hello.tab))
        answer = Control(
            profile=PROFILE,
            features=self._features(),
            session=self._session,
            epoch=self._epoch,
            open=tuple(self._open_comms()),
            recovered=is_recovered,
            sent=self._outbox.numbers_on(comm_id),
            seen=peer.seen(),
        )
        self._voice.say_beside_lanes(comm_id, answer, now)
        return peer

    def _meet_kernel(
        self, hello: Control, comm_id: str, known: Peer | None, now: float
    ) -> Peer | None:
        """At a frontend: the kernel end answers our hello."""
        # A frontend has one kernel end; the next one may have another session, too.
        if any(peer.epoch != hello.epoch for peer in self._peers.values()):
            self.reset(now)
            self._event(Restarted())
            return None
        if known is not None and not hello.recovered:
            self._tell_gaps(known.seen(), hello.sent)
            self.drop(known, "new life", now, keep_history=True)
            known = None
        # What left since our hello is on its way; the hello says what has come of the rest.
        peer = known or self._new_peer(hello, comm_id, has={})
        self._event(Joined(peer.session, hello.features, hello.recovered))
        # What opened between the hello and now, nobody was there to be told.
        if opened := tuple(i for i in self._open_comms() if i not in self._told_open):
            self._arrivals.accept(opened, now)
        return peer

    def _new_peer(self, hello: Control, comm_id: str, has: dict[str, int]) -> Peer:
        session = SessionId(hello.session)
        began = dict(hello.sent)
        peer = Peer(session, comm_id, hello.features, hello.epoch, has, began, hello.tab)
        self._peers[session] = peer
        self._routes.update()
        return peer

    def _tell_gaps(self, seen: dict[str, int], sent: dict[str, int]) -> None:
        for comm_id, last in sent.items():
            if comm_id in seen and last > seen[comm_id]:
                self._event(Gap(CommId(comm_id), last - seen[comm_id]))

    def _want_lane(self, peer: Peer) -> None:
        if not self._is_kernel and self.has_lanes and LANE in peer.features:
            self._event(LaneWanted(peer.session))

    # ------------------------------------------------------------------ who is gone

    def drop(self, peer: Peer, why: LeftWhy, now: float, *, keep_history: bool = False) -> None:
        """A peer is gone; one that was silent may come back."""
        del self._peers[peer.session]
        peer.has_lane = False
        peer.flight.change_route(is_safe=False)
        self._routes.update()
        self._event(Left(peer.session, why))
        if why == "silent":
            self._remember_silent(peer)
        if not self._peers:
            self._taking.end_all()
        if not keep_history:
            self._outbox.peer_left(peer, now, may_return=why == "silent")

    def _remember_silent(self, peer: Peer) -> None:
        peer.ack_at = peer.repeat_at = peer.ask_at = inf
        self._silent[peer.session] = peer
        if len(self._silent) > MAX_SILENT:
            oldest = self._silent.pop(next(iter(self._silent)))
            self._outbox.forget_number(oldest.control)
