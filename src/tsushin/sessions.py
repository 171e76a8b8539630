"""The profile at work at one end: its clock, its timer, and what its events mean for comms.

``profile/sessions.py`` has the rules and touches nothing; here they are driven: messages leave by the host's
``send``, deadlines become timers of the ``Runtime``, and events reach who has to know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

from tsushin.errors import RemoteProtocolError, TransportError
from tsushin.expected import Expected
from tsushin.peers import Peer, Peers
from tsushin.profile.events import (
    Accepted,
    Cancelled,
    Credited,
    Declined,
    Gap,
    Joined,
    Left,
    ProfileEvent,
    Refused,
    Restarted,
)
from tsushin.profile.sessions import Profile
from tsushin.protocol.messages import Message
from tsushin.runtime import Runtime

OnPeer = Callable[[Peer, bool], object]

# Seconds after this end became known in which a peer may still say hello.
GRACE_S: Final = 2.0


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
    """

    send: Callable[[Message], None]
    deliver: Callable[[list[Message]], None]
    gap: Callable[[str, int], None]
    cancelled: Callable[[str, str], None]
    credited: Callable[[str, str, int], None]
    peers_changed: Callable[[], None]
    new_life: Callable[[], None]


class Sessions:
    """The peers of one manager, and what was promised to them. Any thread may call.

    Args:
        lock: the manager's: the order of what is sent is settled under it.
        clock: returns the time in seconds.
        hopes: a first peer may come at any time, as far as is known.
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
        self._on_peer: OnPeer | None = None
        self._wants_room: list[Expected[None]] = []
        self._wants_drained: list[tuple[str, Expected[None]]] = []
        self._max_queue_bytes = profile.limits.max_queue_bytes
        self._hopes_until = inf if hopes else -inf

    # ------------------------------------------------------------------ messages

    def send(
        self, messages: Iterable[Message], *, coalesce: str | None = None, always: bool = True
    ) -> None:
        """Send messages of the router's. Call with the lock held. Errors are those of ``hooks.send``.

        Args:
            coalesce: see ``Profile.send``.
            always: see ``Profile.send``.

        Raises:
            QueueFull: unless ``always``: too much waits to be sent.
        """
        now = self._clock()
        for message in messages:
            self._profile.send(message, now, coalesce=coalesce, always=always)
        self._push()

    def room(self, timeout_s: float) -> Expected[None]:
        """Return something that is settled once not much waits to be sent any more."""
        expected: Expected[None] = Expected("room in the send queue", timeout_s=timeout_s)
        with self._lock:
            self._wants_room.append(expected)
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
            with suppress(TransportError):  # the link's own end is told by its host
                self._push()
            events = self._profile.events()
        if fault is not None:
            self._runtime.fault(fault)
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

    def decline(self) -> None:
        """At a frontend: the kernel has said that it has no such end."""
        if not self._profile.peers:
            self._meet([Declined()])

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

    def may_come(self) -> bool:
        """Say whether a first peer may still say hello."""
        return self._clock() < self._hopes_until

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
            for message in self._profile.messages_to_send():
                self._hooks.send(message)
        finally:
            self._arm()
            self._look_at_queue()

    def _arm(self) -> None:
        deadline = self._profile.deadline()
        if deadline < self._armed:
            self._armed = deadline
            self._runtime.later(max(0.0, deadline - self._clock()), self.tick)

    def tick(self) -> None:
        """A timer rang. Call on the handler thread, or where messages are received."""
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
                case Gap():
                    self._hooks.gap(event.comm_id, event.missed)
                case Cancelled():
                    self._hooks.cancelled(event.comm_id, event.req)
                case Credited():
                    self._hooks.credited(event.comm_id, event.req, event.taken)

    def _meet_peer(self, event: Joined | Left | Restarted | Declined) -> None:
        match event:
            case Joined():
                peer = Peer(event.session, frozenset(event.features))
                self.peers.joined(peer)
                self._tell(peer, is_live=True)
            case Left():
                gone = self.peers.left(event.session)
                if gone is not None:
                    self._tell(gone, is_live=False)
            case Restarted():
                self._hooks.new_life()
                self.join()
            case Declined():
                self._hopes_until = -inf
                self.peers.none_to_come()
                self._hooks.peers_changed()

    def _tell(self, peer: Peer, *, is_live: bool) -> None:
        self._hooks.peers_changed()
        callback = self._on_peer
        if callback is not None:
            self._runtime.soon(lambda: self._call(callback, peer, is_live=is_live))

    def _call(self, callback: OnPeer, peer: Peer, *, is_live: bool) -> None:
        try:
            callback(peer, is_live)
        except (Exception, SystemExit) as error:  # a callback never ends its host
            self._runtime.report(error, "on_peer", None)
