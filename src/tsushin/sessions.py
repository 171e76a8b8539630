"""The profile at work at one end: its clock, its timer, and what its events mean for comms.

``profile/sessions.py`` has the rules and touches nothing; here they are driven: messages leave by the host's
``send``, deadlines become timers of the ``Runtime``, and events reach who has to know.

One piece, because whatever is asked here takes the same lock, sends what came of it and meets its events.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

from tsushin.errors import NoPeer, RemoteProtocolError, TransportError, TsushinError, quote
from tsushin.expected import Expected
from tsushin.peers import Peer, Peers
from tsushin.profile.events import (
    Accepted,
    Cancelled,
    Credited,
    Declined,
    Gap,
    Joined,
    LaneAsked,
    LaneOffered,
    LaneSilent,
    LaneWanted,
    Left,
    Malformed,
    Marked,
    ProfileEvent,
    Refused,
    Restarted,
    RestoreAsked,
    Sent,
    Taken,
    Unsent,
)
from tsushin.profile.sessions import Profile
from tsushin.protocol.messages import Message, SessionId
from tsushin.runtime import Runtime

OnPeer = Callable[[Peer, bool], object]
# Called with bytes sent and bytes in all; False ends the sending. Anything else it returns is not looked at.
OnProgress = Callable[[int, int], object]

MAX_TABS: Final = 1000  # sessions whose tab is remembered
# Seconds after this end became known in which a peer may still say hello.
GRACE_S: Final = 2.0


class Lanes(Protocol):
    """What a host does about lanes. Called on the thread that found out; nothing here waits."""

    def wanted(self) -> None:
        """At a frontend: a kernel end is there that has lanes. Ask, unless there is one."""

    def asked(self, session: str, origin: str) -> None:
        """At a kernel end: a session asks for a lane, from a page of this origin; "" from no page."""

    def offered(self, port: int, token: str) -> None:
        """At a frontend: so the lane is to be had; port 0 says that it is not."""

    def end(self, session: str) -> None:
        """The session is gone, or its lane is silent: end that. Nothing happens where there is none."""


@dataclass(frozen=True)
class Hooks:
    """What the manager does about what the sessions find out. Called on the receiving thread.

    Attributes:
        send: takes a message to the link.
        deliver: hands on messages that nothing brought just now.
        gap: so many messages of a comm are missing for good.
        cancelled: nobody waits for the answer to a request of a comm.
        credited: so many parts of the answer to a request of a comm were taken.
        peers_changed: who may answer is not who could before.
        new_life: at a frontend: the kernel end is another one than before.
        peer_left: a session is gone, which had these comms open.
        restore_asked: at a kernel end: a session takes up comms.
        taken: at a frontend: how a comm stands that is taken up (``Taken``).
    """

    send: Callable[[Message], None]
    deliver: Callable[[list[Message]], None]
    gap: Callable[[str, int], None]
    cancelled: Callable[[str, str], None]
    credited: Callable[[str, str, int], None]
    peers_changed: Callable[[], None]
    new_life: Callable[[], None]
    peer_left: Callable[[str, tuple[str, ...]], None]
    restore_asked: Callable[[str, tuple[str, ...]], None]
    taken: Callable[[str, tuple[Message, ...] | None], None]


class Sessions:
    """The peers of one manager, and what was promised to them. Any thread may call.

    Args:
        lock: the manager's: the order of what is sent is settled under it.
        clock: returns the time in seconds.
        hopes: a first peer may come at any time, as far as is known.

    Attributes:
        peers: who is there, and what they have accepted.
    """

    def __init__(
        self,
        profile: Profile,
        hooks: Hooks,
        *,
        lock: threading.RLock,
        clock: Callable[[], float],
        runtime: Runtime,
        hopes: bool,
    ) -> None:
        self.peers: Peers = Peers()
        self._profile = profile
        self._hooks = hooks
        self._lock = lock
        self._clock = clock
        self._runtime = runtime
        self._armed = inf
        self._lanes: Lanes | None = None
        self._ways: dict[str, Callable[[Message], None]] = {}  # by session: into its lane
        self._marks: dict[tuple[str, int], Expected[None]] = {}
        self._on_peer: OnPeer | None = None
        self._wants_room: list[Expected[None]] = []
        self._wants_sent: list[tuple[int, Expected[None]]] = []  # by the last queued, in order
        self._wants_drained: list[tuple[str, Expected[None]]] = []
        self._wants_first: list[Expected[None]] = []
        self._progress: dict[int, OnProgress] = {}  # by token
        self._tokens = itertools.count(1)
        self._tabs: dict[str, str] = {}  # session -> tab, also of those that are gone
        self._max_queue_bytes = profile.limits.max_queue_bytes
        self._hopes_until = -inf
        if hopes:
            self.hope()

    # ------------------------------------------------------------------ messages

    def send(
        self,
        messages: Iterable[Message],
        *,
        coalesce: str | None = None,
        always: bool = True,
        to: str | None = None,
        on_progress: OnProgress | None = None,
        pause_s: float = 0.0,
    ) -> None:
        """Send messages of the router's. Call with the lock held. Errors are those of ``hooks.send``.

        Args:
            coalesce: see ``Profile.send``.
            always: see ``Profile.send``.
            to: see ``Profile.send``.
            on_progress: is told how far they are.
            pause_s: see ``Profile.send``.

        Raises:
            QueueFull: unless ``always``: too much waits to be sent.
            LimitExceeded: the route takes no message of that size.
        """
        now = self._clock()
        session = None if to is None else SessionId(to)
        token = None
        if on_progress is not None:
            token = next(self._tokens)
            self._progress[token] = on_progress
        try:
            for message in messages:
                self._profile.send(
                    message,
                    now,
                    coalesce=coalesce,
                    always=always,
                    to=session,
                    token=token,
                    pause_s=pause_s,
                )
        except TsushinError:
            self._progress.pop(token or 0, None)
            raise
        self._push()
        if token is not None:
            self._meet(self._profile.events())

    @property
    def is_kernel(self) -> bool:
        """This is a kernel end."""
        return self._profile.is_kernel

    def is_live(self, session: str) -> bool:
        """Say whether a session is there."""
        return session in self._profile.peers

    def check_live(self, session: str, about: str) -> None:
        """Raise NoPeer where a session is not there."""
        if not self.is_live(session):
            raise NoPeer(f"{about}: session {quote(session)} is not there")

    def keep(self, comm_id: str, count: int) -> None:
        """Keep a comm's open and last ``count`` messages; it is opened next. Call with the lock held."""
        self._profile.keep(comm_id, count)

    def forget(self, comm_id: str) -> None:
        """Keep nothing of a comm any more. Call with the lock held."""
        self._profile.forget(comm_id)

    def room(self, timeout_s: float) -> Expected[None]:
        """Return something that is settled once not much waits to be sent any more."""
        expected: Expected[None] = Expected("room in the send queue", timeout_s=timeout_s)
        with self._lock:
            self._wants_room.append(expected)
            self._look_at_queue()
        return expected

    @property
    def has_queued(self) -> bool:
        """Say whether something waits to be sent."""
        return self._profile.queued_bytes() > 0

    def all_sent(self, timeout_s: float | None) -> Expected[None]:
        """Return something that is settled once nothing waits of what was sent so far."""
        expected: Expected[None] = Expected("what was sent before to leave", timeout_s=timeout_s)
        with self._lock:
            self._wants_sent.append((self._profile.last_queued(), expected))
            self._look_at_queue()
        return expected

    def drained(self, comm_id: str, about: str, timeout_s: float | None) -> Expected[None]:
        """Return something that is settled once all that was sent on a comm has arrived."""
        expected: Expected[None] = Expected(about, timeout_s=timeout_s, wait=self._runtime.wait)
        with self._lock:
            self._wants_drained.append((comm_id, expected))
            self._look_at_queue()
        return expected

    def _look_at_queue(self) -> None:
        """Settle what was waited for. Call with the lock held."""
        if self._wants_room and self._profile.queued_bytes() <= self._max_queue_bytes // 2:
            wants_room, self._wants_room = self._wants_room, []
            for expected in wants_room:
                expected.settle(None)
        while self._wants_sent and self._profile.has_left(self._wants_sent[0][0]):
            self._wants_sent.pop(0)[1].settle(None)
        if not self._wants_drained:
            return
        for comm_id, expected in self._wants_drained:
            if self._profile.is_drained(comm_id):
                expected.settle(None)
        self._wants_drained = [one for one in self._wants_drained if one[1].is_waiting()]

    def arrive(self, message: Message) -> list[Message]:
        """Take a message of the peer; return what can be handed on now, in order."""
        fault = None
        with self._lock:
            try:
                arrived = self._profile.receive(message, self._clock())
            except RemoteProtocolError as error:
                arrived, fault = [], error
            try:  # noqa: SIM105 (for each message)
                self._push()
            except TransportError:  # the link's own end is told by its host
                pass
            events = self._profile.events()
        if fault is not None:
            self._runtime.fault(fault)
        if events:
            self._meet(events)
        return arrived

    # ------------------------------------------------------------------ coming and going

    def announce(self) -> None:
        """At a kernel end: say that it is here."""
        self._hopes_until = self._clock() + GRACE_S
        self._do(self._profile.announce)

    def join(self) -> None:
        """At a frontend: say hello to a kernel end that knows the profile."""
        self._do(self._profile.join)

    def hope(self) -> None:
        """At a frontend: it is about to find out whether the kernel has such an end."""
        self._hopes_until = inf

    def found(self) -> None:
        """At a frontend: the kernel has said that it has such an end. Say hello, if that is not under way."""
        if self._profile.peers or not self._profile.is_asking:
            self.join()

    def decline(self) -> None:
        """At a frontend: the kernel has said that it has no such end, or does not say."""
        if not self._profile.peers and not self._profile.is_asking:
            self._meet([Declined()])
        self._do(self._profile.resume)

    def pause(self) -> None:
        """At a frontend: the link is away; nothing is said or given up before ``join`` or ``decline``."""
        with self._lock:
            self._profile.pause()

    def leave(self) -> None:
        """Say goodbye."""
        self._do(self._profile.leave)

    def reset(self) -> None:
        """The other end's life is over, or ours: no peer is left."""
        with self._lock:
            self._profile.reset()
            self._look_at_queue()  # nothing waits to arrive any more
            events = self._profile.events()
        self._meet(events)

    def accept(self, comm_id: str, opener: str) -> None:
        """A comm that a peer opened has found its target."""
        if self._profile.peers:
            session = opener if self._profile.is_kernel else None
            self._do(lambda now: self._profile.accept((comm_id,), now, session=session))

    def refuse(self, comm_id: str) -> None:
        """A comm that a peer opened has no target here."""
        if self._profile.peers:
            self._do(lambda now: self._profile.refuse((comm_id,), now))

    def cancel(self, comm_id: str, req: str, but: str | None = None) -> None:
        """Nobody waits for the answer to a request any more; ``but`` has given it."""
        if self._profile.peers:
            self._do(lambda now: self._profile.cancel(comm_id, req, now, but=but))

    def credit(self, comm_id: str, req: str, taken: int, session: str) -> None:
        """So many parts of an answer of this peer were taken."""
        self._do(lambda now: self._profile.credit(comm_id, req, taken, now, session))

    # ------------------------------------------------------------------ lanes

    def use_lanes(self, lanes: Lanes, also: Iterable[str] = ()) -> None:
        """Have lanes from now on; call it before the first hello.

        Args:
            also: of a page: its other sessions, which are no plain ones.
        """
        self._lanes = lanes
        self._profile.use_lanes(also)

    def ask_lane(self, origin: str = "") -> None:
        """At a frontend: ask for a lane; ``Lanes.offered`` hears the answer."""
        self._do(lambda now: self._profile.laning.ask(origin, now))

    def offer_lane(self, session: str, port: int, token: str) -> None:
        """At a kernel end: tell a session how to get its lane."""
        self._do(lambda now: self._profile.laning.offer(session, port, token, now))

    def lane_up(self, session: str, send: Callable[[Message], None]) -> bool:
        """Send what is for a session by its lane from now on; False where it is not there.

        Args:
            send: takes one message into the lane; never waits, never raises.
        """
        with self._lock:
            self._ways[session] = send
            is_there = self._profile.laning.up(session, self._clock())
            if not is_there:
                del self._ways[session]
        self._do(lambda _: None)
        return is_there

    def lane_down(self, session: str, send: Callable[[Message], None]) -> None:
        """A lane has ended; nothing happens where another one has replaced it."""
        with self._lock:
            if self._ways.get(session) is not send:
                return
            del self._ways[session]
            self._profile.laning.down(session, self._clock())
            self._fail_marks(session)
        self._do(lambda _: None)

    def has_lane(self, session: str | None = None) -> bool:
        """Say whether a session has a lane; None asks for any."""
        return bool(self._ways) if session is None else session in self._ways

    def arrived_by_lane(self, timeout_s: float) -> Expected[None] | None:
        """At a frontend: return something that is settled once all that was sent by the lane is there.

        It comes back by the lane: what the other end sent before is here by then. None without a lane.
        """
        with self._lock:
            if not self._ways:
                return None
            session = next(iter(self._ways))
            expected: Expected[None] = Expected("the lane's answer", timeout_s=timeout_s)
            self._marks[session, self._profile.laning.mark(session, self._clock())] = expected
        self._do(lambda _: None)
        return expected

    def heard_plain(self, session: str) -> None:
        """At a kernel end: a session sent a request that frontends send."""
        self._profile.heard_plain(session)

    def is_for_plain(self, comm_id: str) -> bool:
        """At a kernel end: say whether only plain frontends hear what goes by the standard route now."""
        return self._profile.is_for_plain(comm_id)

    def _fail_marks(self, session: str) -> None:
        for key in [key for key in self._marks if key[0] == session]:
            self._marks.pop(key).settle(None)  # nothing comes by that lane any more

    # ------------------------------------------------------------------ taking up

    def first(self, timeout_s: float) -> Expected[None]:
        """Return something that is settled once it is known whether there is a peer."""
        expected: Expected[None] = Expected("a first peer", timeout_s=timeout_s)
        with self._lock:
            if self._profile.peers or not self.may_come():
                expected.settle(None)
            else:
                self._wants_first.append(expected)
        return expected

    def can_restore(self) -> bool:
        """At a frontend: say whether the kernel end tells how its comms stand."""
        return self._profile.taking.can_restore()

    def restore(self, comm_ids: Iterable[str]) -> None:
        """At a frontend: ask how comms stand. ``Hooks.taken`` hears of each."""
        self._do(lambda now: self._profile.taking.restore(comm_ids, now))

    def restored(self, session: str, comm_ids: Iterable[str]) -> None:
        """At a kernel end: tell a session how comms stand."""
        self._do(lambda now: self._profile.taking.restored(session, comm_ids, now))

    def reopened(self, session: str, opening: Message) -> None:
        """At a kernel end: tell a session how a comm stands that a frontend has opened."""
        self._do(lambda now: self._profile.taking.reopened(session, opening, now))

    def withhold(self, session: str, comm_ids: Iterable[str]) -> None:
        """At a kernel end: tell a session that it cannot take up these comms."""
        self._do(lambda now: self._profile.taking.withhold(session, comm_ids, now))

    def tab(self, session: str) -> str:
        """Return the tab of a session that is or was here; "" where that is not known."""
        return self._tabs.get(session, "")

    def may_come(self) -> bool:
        """Say whether a first peer may still say hello."""
        return self._profile.is_asking or self._clock() < self._hopes_until

    def ready(self, comm_id: str, about: str, timeout_s: float | None) -> Expected[Peer]:
        """Return the first peer that has accepted a comm; see ``Comm.ready``."""
        expected = self.peers.ready(comm_id, about, timeout_s, self._runtime.wait)
        # At a kernel end somebody may come at any time: a page is opened.
        if not (self._profile.is_kernel or self.peers.live() or self.may_come()):
            self.peers.none_to_come()
        return expected

    def on_peer(self, callback: OnPeer | None) -> None:
        """Call ``callback(peer, is_live)`` when one comes or goes."""
        self._on_peer = callback

    def renew(self, lock: threading.RLock) -> None:
        """See ``CommManager.renew_locks``."""
        self._lock = lock
        self._armed = inf
        self.peers.renew_lock()

    # ------------------------------------------------------------------ inside

    def _do(self, work: Callable[[float], None]) -> None:
        with self._lock:
            work(self._clock())
            with suppress(TransportError):
                self._push()
            events = self._profile.events()
        self._meet(events)

    def _push(self) -> None:
        """Send what is to be sent. Call with the lock held."""
        try:
            for message, lane in self._profile.messages_to_send():
                if lane is None:
                    self._hooks.send(message)
                elif (way := self._ways.get(lane)) is not None:
                    way(message)
        finally:
            self._arm()
            if self._wants_room or self._wants_sent or self._wants_drained:
                self._look_at_queue()

    def _arm(self) -> None:
        deadline = self._profile.deadline()
        if deadline < self._armed:
            self._armed = deadline
            delay_s = max(0.0, deadline - self._clock())
            self._runtime.later(delay_s, lambda: self._ring(deadline))

    def _ring(self, deadline: float) -> None:
        """A timer rang; it counts if it is the one that was set last."""
        if deadline == self._armed:
            self.tick()

    def tick(self) -> None:
        """Do what is due. Call on the handler thread, or where messages are received."""
        with self._lock:
            self._armed = inf
            self._profile.tick(self._clock())
            with suppress(TransportError):
                self._push()
            released, events = self._profile.released(), self._profile.events()
        if released:
            self._hooks.deliver(released)
        self._meet(events)

    def _meet(self, events: list[ProfileEvent]) -> None:
        for event in events:
            match event:
                case Joined() | Left() | Restarted() | Declined():
                    self._meet_peer(event)
                case Accepted():
                    self.peers.accepted(event.session, event.comm_ids)
                case Refused():
                    self.peers.refused(event.session, event.comm_ids)
                    self._hooks.peers_changed()
                case Sent():
                    self._meet_sent(event)
                case Malformed():
                    self._runtime.fault(event.error)
                case Unsent():
                    self._progress.pop(event.token or 0, None)
                    about = f"comm {event.comm_id}: a message of {event.nbytes} bytes was not sent"
                    self._runtime.fault(RemoteProtocolError(f"{about}: the peer left meanwhile"))
                case LaneWanted() | LaneAsked() | LaneOffered() | LaneSilent() | Marked():
                    self._meet_lane(event)
                case _:
                    self._meet_about_comm(event)

    def _meet_lane(self, event: LaneWanted | LaneAsked | LaneOffered | LaneSilent | Marked) -> None:
        match event:
            case Marked():
                expected = self._marks.pop((event.session, event.mark), None)
                if expected is not None:
                    expected.settle(None)
            case _ if self._lanes is None:
                pass
            case LaneWanted():
                self._lanes.wanted()
            case LaneAsked():
                self._lanes.asked(event.session, event.origin)
            case LaneOffered():
                self._lanes.offered(event.port, event.token)
            case LaneSilent():
                self._lanes.end(event.session)

    def _meet_about_comm(self, event: Gap | Cancelled | Credited | RestoreAsked | Taken) -> None:
        match event:
            case Gap():
                self._hooks.gap(event.comm_id, event.missed)
            case Cancelled():
                self._hooks.cancelled(event.comm_id, event.req)
            case Credited():
                self._hooks.credited(event.comm_id, event.req, event.taken)
            case RestoreAsked():
                self._hooks.restore_asked(event.session, event.comm_ids)
            case Taken():
                self._hooks.taken(event.comm_id, event.messages)

    def _meet_sent(self, event: Sent) -> None:
        callback = self._progress.get(event.token)
        if callback is None:
            return
        if event.nbytes >= event.total:
            del self._progress[event.token]

        def tell() -> None:
            if self._guarded("on_progress", callback, event.nbytes, event.total) is False:
                self._progress.pop(event.token, None)
                self._do(lambda now: self._profile.drop(event.token, now))

        self._runtime.soon(tell)

    def _meet_peer(self, event: Joined | Left | Restarted | Declined) -> None:
        match event:
            case Joined():
                if not self._profile.is_kernel:
                    self._hopes_until = -inf  # a frontend has one kernel end: here it is
                peer = Peer(event.session, frozenset(event.features))
                is_new = self.peers.joined(peer)
                self._remember_tab(event)
                self._settle_first()
                self._hooks.peers_changed()
                if is_new:  # not one whose link was away
                    self._tell(peer, is_live=True)
            case Left():
                self._end_lane(event.session)
                accepted = self.peers.accepted_by(event.session)
                gone = self.peers.left(event.session)
                if gone is not None:
                    self._hooks.peers_changed()
                    self._tell(gone, is_live=False)
                    self._hooks.peer_left(event.session, accepted)
            case Restarted():
                self._hooks.new_life()
                self.join()
            case Declined():
                self._hopes_until = -inf
                self._settle_first()
                self.peers.none_to_come()
                self._hooks.peers_changed()

    def _end_lane(self, session: str) -> None:
        with self._lock:
            self._ways.pop(session, None)
            self._fail_marks(session)
        if self._lanes is not None:
            self._lanes.end(session)

    def _settle_first(self) -> None:
        wants_first, self._wants_first = self._wants_first, []
        for expected in wants_first:
            expected.settle(None)

    def _remember_tab(self, event: Joined) -> None:
        if event.tab:
            self._tabs.pop(event.session, None)
            self._tabs[event.session] = event.tab
            if len(self._tabs) > MAX_TABS:
                del self._tabs[next(iter(self._tabs))]

    def _tell(self, peer: Peer, *, is_live: bool) -> None:
        callback = self._on_peer
        if callback is not None:
            self._runtime.soon(lambda: self._guarded("on_peer", callback, peer, is_live))

    # Any: whatever the user's function takes and returns.
    def _guarded(self, about: str, callback: Callable[..., Any], *args: Any) -> Any:
        try:
            return callback(*args)
        except (Exception, SystemExit) as error:  # a callback never ends its host
            self._runtime.report(error, about, None)
            return None
