"""The sessions of one end, put together: what is said on control comms is read here, and handed on.

Sans-IO, as the router is, with deadlines: messages and ``now`` (seconds) go in; messages to send, messages to
hand on and events come out. It stands between the router and the link, in both directions::

    profile.send(message, now)              # a user's message, from the router
    for m in profile.receive(message, now): router.receive(m, now)
    profile.tick(now)                       # not later than profile.deadline()
    ... profile.messages_to_send(), profile.released(), profile.events()

What is to be sent has a route: the lane of a session (``laning.up``), or the standard one.

Without a peer (plain mode, the start state) messages pass as they are; only their number is counted.

Who is there is in ``presence.py``; ``outbox.py`` has what is sent, ``arrivals.py`` what is received.

Spec: spec/profile.md, "Sessions" and "Sequence".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from tsushin.profile.arrivals import Arrivals
from tsushin.profile.control import (
    TARGET,
    carried,
    control_id,
    is_control,
    number_of,
    read_control,
)
from tsushin.profile.events import (
    Accepted,
    Cancelled,
    Credited,
    ProfileEvent,
    Refused,
    RestoreAsked,
)
from tsushin.profile.flow import Flight, Waiting
from tsushin.profile.laning import Laning
from tsushin.profile.outbox import REPEAT_S, Outbox
from tsushin.profile.peer import Peer
from tsushin.profile.presence import Presence
from tsushin.profile.routes import Routes
from tsushin.profile.taking import Taking
from tsushin.profile.voice import Voice
from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, CommId, Header, Message, SessionId

LAGGING_S: Final = 5.0  # without a word about what is under way; then nobody waits for that peer
# Then, after 127 s in all, the peer counts as gone. A frontend takes up to 40 s to notice that its link is
# dead (the WebSocket's pings), and 60 s to make it anew: until then what it missed is kept.
MAX_REPEATS: Final = 6


class Profile:
    """The sessions of one end.

    Args:
        channel: what this end sends on: "iopub" at a kernel, "shell" at a frontend.
        session: of this end.
        epoch: an id made anew for each life of this end.
        new_header: makes the header of a message of a type.
        open_comms: returns the ids of the comms that are open here.
        joins: at a frontend, say hello whenever a kernel end shows that it knows the profile.
        tab: of a page: the same before and after it was loaded again.
        left: of a page: the sessions that the page before it in its tab had. Their goodbye is said again.
        max_whole_bytes: what the route takes in one message; None for no bound.

    Attributes:
        peers: who is there, by session.
        is_kernel: this is a kernel end.
        laning: the lanes that peers have.
        taking: the comms that are taken up.
    """

    def __init__(  # noqa: PLR0913 (what a host has to give, each by name)
        self,
        *,
        channel: Channel,
        session: SessionId,
        epoch: str,
        new_header: Callable[[str, float], Header],
        open_comms: Callable[[], Iterable[str]],
        limits: Limits = DEFAULT_LIMITS,
        joins: bool = False,
        tab: str = "",
        left: Iterable[str] = (),
        max_whole_bytes: int | None = None,
    ) -> None:
        self.peers: dict[str, Peer] = {}
        self.is_kernel: bool = channel == "iopub"
        self._session = session
        self.limits: Limits = limits
        self._joins = joins
        self._outgoing: list[tuple[Message, SessionId | None]] = []
        self._events: list[ProfileEvent] = []
        silent: dict[str, Peer] = {}
        self._routes = Routes(
            self.peers,
            is_kernel=self.is_kernel,
            emit=lambda message, lane: self._outgoing.append((message, lane)),
        )
        self._voice = Voice(channel, new_header, self.peers, self._routes)
        self._outbox = Outbox(
            session,
            self.peers,
            silent,
            is_kernel=self.is_kernel,
            limits=limits,
            routes=self._routes,
            voice=self._voice,
            event=self._events.append,
        )
        self._outbox.max_whole_bytes = max_whole_bytes
        self._arrivals = Arrivals(
            session,
            self.peers,
            limits=limits,
            say=self._voice.say,
            tell=self._outbox.tell,
            event=self._events.append,
            take_in=self._take_in,
        )
        self.taking: Taking = Taking(
            self.peers,
            self._outbox,
            self._arrivals,
            tell=self._outbox.tell,
            event=self._events.append,
            open_comms=open_comms,
        )
        self.laning: Laning = Laning(
            session,
            self.peers,
            is_kernel=self.is_kernel,
            routes=self._routes,
            voice=self._voice,
            outbox=self._outbox,
            event=self._events.append,
        )
        self._presence = Presence(
            session,
            epoch,
            self.peers,
            silent,
            is_kernel=self.is_kernel,
            routes=self._routes,
            voice=self._voice,
            outbox=self._outbox,
            arrivals=self._arrivals,
            taking=self.taking,
            event=self._events.append,
            open_comms=open_comms,
            tab=tab,
            left=left,
        )
        self._now = 0.0  # of the last call
        self._is_away = False  # a frontend: its link is, or it has not said hello on it

    # ------------------------------------------------------------------ asking

    @property
    def is_asking(self) -> bool:
        """A frontend: it said hello and has no answer."""
        return self._outbox.awaits_peer

    def deadline(self) -> float:
        """Return when ``tick`` is due next; infinity while nothing is."""
        if self._is_away and self._is_paused():
            return inf
        deadline = self._outbox.paced_until
        for peer in self.peers.values():
            deadline = min(deadline, peer.ack_at, peer.repeat_at, peer.ask_at)
        return deadline

    def messages_to_send(self) -> list[tuple[Message, SessionId | None]]:
        """Take everything to be sent, in order, each with the session by whose lane it goes.

        None is the standard route.
        """
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def released(self) -> list[Message]:
        """Take what can be handed on although no message brought it: something was given up."""
        return self._arrivals.released()

    def events(self) -> list[ProfileEvent]:
        """Take every event there is, in order."""
        if not self._events:
            return []
        events = self._events[:]
        self._events.clear()
        return events

    # ------------------------------------------------------------------ users' messages

    def send(
        self,
        message: Message,
        now: float,
        *,
        coalesce: str | None = None,
        always: bool = False,
        to: SessionId | None = None,
        token: int | None = None,
        pause_s: float = 0.0,
    ) -> None:
        """Number a message of the router's and have it sent; while too much is under way, it waits.

        Args:
            coalesce: of the messages of one comm that wait and have the same key, only the newest is sent.
            always: it may wait however much does already.
            to: at a kernel end: the one session that gets it. One that is not there means all.
            token: ``Sent`` tells how far the message with this one is.
            pause_s: without a peer, one with ``coalesce`` waits so long for a newer one.

        Raises:
            QueueFull: too much waits already. Nothing was done.
            LimitExceeded: the route takes no message of that size, and there is no peer that joins pieces.
        """
        waiting = Waiting(message, kept_bytes(message), coalesce, to, token)
        max_bytes = None if always else self.limits.max_queue_bytes
        self._outbox.send(waiting, now, max_bytes, pause_s=pause_s)

    def keep(self, comm_id: str, count: int) -> None:
        """Keep the open and the last ``count`` messages of a comm for who takes it up later.

        To be called before it is opened.
        """
        self._outbox.keep(comm_id, count)

    def forget(self, comm_id: str) -> None:
        """Keep nothing of a comm for who takes it up later."""
        self._outbox.forget_kept(comm_id)

    def drop(self, token: int, now: float) -> None:
        """Do not send what has not left of a message."""
        self._outbox.drop(lambda waiting: waiting.token == token, now)

    def queued_bytes(self) -> int:
        """Return how much waits to be sent, in bytes."""
        return self._outbox.queued_bytes()

    def last_queued(self) -> int:
        """Return the number of what had to wait last; see ``has_left``."""
        return self._outbox.last_queued()

    def has_left(self, queued: int) -> bool:
        """Say whether nothing waits any more of what did when ``last_queued`` said that number."""
        return self._outbox.has_left(queued)

    def is_drained(self, comm_id: str) -> bool:
        """Say whether every peer that keeps up has everything that was sent on a comm."""
        last = self._outbox.number.get(comm_id, 0)
        return not self._outbox.has_queued(comm_id) and all(
            peer.has.get(comm_id, 0) >= last for peer in self.peers.values() if not peer.is_lagging
        )

    def receive(self, message: Message, now: float) -> list[Message]:
        """Take a message of the peer; return what can be handed on now, in order.

        Raises:
            RemoteProtocolError: a message on a control comm is malformed. Nothing else happened.
        """
        self._now = now
        comm_id = message.content.get("comm_id")
        if is_control(comm_id):
            return self._receive_control(message, str(comm_id), now)
        if not self.peers:
            is_shown = "tsushin" in message.metadata and message.session != self._session
            if self._joins and not self._outbox.awaits_peer and is_shown:
                self.join(now)
            return [message]
        return self._arrivals.receive(message, now)

    # ------------------------------------------------------------------ joining and leaving

    def announce(self, now: float) -> None:
        """Say that a kernel end is here. A frontend that knows the profile answers with its hello."""
        self._presence.announce(now)

    def join(self, now: float) -> None:
        """Say hello to the kernel end: the first time, or because the link was away."""
        self._presence.join(now)
        self.resume(now)

    def leave(self, now: float) -> None:
        """Say goodbye: nothing is waited for any more, here or there."""
        self._presence.leave(now)

    def reset(self) -> None:
        """Forget everything: the other end's life is over, or ours is."""
        self._is_away = False
        self._presence.reset(self._now)

    def pause(self) -> None:
        """At a frontend: the link is away. Without a lane nothing is due until ``join`` or ``resume``.

        Nobody could answer: nothing is asked for, nothing given up, and the kernel end is not silent.
        """
        self._is_away = True

    def _is_paused(self) -> bool:
        return self._is_away and not self._routes.laned

    def resume(self, now: float) -> None:
        """At a frontend: the link is back. All that was waited for has its whole time again."""
        if not self._is_away:
            return
        self._is_away = False
        for peer in self.peers.values():
            peer.repeats, peer.in_vain, peer.quiet_since = 0, 0, now
            peer.repeat_at = now + REPEAT_S if self._outbox.is_ahead_of(peer) else inf
            for sequence in peer.incoming.values():
                sequence.asked, sequence.ask_at = 0, None
            self._arrivals.ask_again(peer, now)

    # ------------------------------------------------------------------ lanes

    def use_lanes(self, also: Iterable[str] = ()) -> None:
        """This end can have lanes.

        Args:
            also: of a page: other sessions of the same page, which are no plain ones.
        """
        self._presence.has_lanes, self._presence.also = True, tuple(also)

    def heard_plain(self, session: str) -> None:
        """At a kernel end: a session sent a request that frontends send, and it may know no profile."""
        self._routes.heard_plain(session)

    def is_for_plain(self, comm_id: str) -> bool:
        """At a kernel end: say whether only plain frontends hear what goes by the standard route now."""
        return self._routes.is_for_plain(comm_id)

    # ------------------------------------------------------------------ what becomes of comms and requests

    def accept(self, comm_ids: tuple[str, ...], now: float, *, session: str | None = None) -> None:
        """Tell peers (one, or all) that these comms, which they opened, are open here."""
        self._arrivals.accept(comm_ids, now, session=session)

    def refuse(self, comm_ids: tuple[str, ...], now: float) -> None:
        """Tell peers that there is no target here for these comms."""
        self._arrivals.refuse(comm_ids, now)

    def cancel(self, comm_id: str, req: str, now: float, *, but: str | None = None) -> None:
        """Tell all peers but one that nobody waits for the answer to a request any more.

        A request that waits to be sent is not sent.
        """

        def is_request(waiting: Waiting) -> bool:
            ours = waiting.message.metadata.get("tsushin", {})
            return waiting.comm_id == comm_id and ours.get("req") == req

        self._outbox.drop(is_request, now)
        for peer in self.peers.values():
            if peer.session != but:
                self._outbox.tell(peer, {"cancel": ((comm_id, req),)}, now)

    def credit(self, comm_id: str, req: str, taken: int, now: float, session: str) -> None:
        """Tell a peer how many parts of its answer were taken in all."""
        peer = self.peers.get(session)
        if peer is not None:
            self._outbox.tell(peer, {"credit": ((comm_id, req, taken),)}, now)

    # ------------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Do what is due: tell what arrived, repeat how far we are, ask for what is missing."""
        self._now = now
        if self._is_paused():
            return
        if self._outbox.paced_until <= now:
            self._outbox.send_queued(now)
        for peer in list(self.peers.values()):
            if peer.ack_at <= now:
                self._arrivals.acknowledge(peer, now)
            if peer.ask_at <= now:
                self._arrivals.ask_again(peer, now)
            if peer.repeat_at <= now:
                self._repeat(peer, now)

    def _repeat(self, peer: Peer, now: float) -> None:
        """Tell a peer how far we are, so that it finds out when the last messages were lost."""
        ahead = self._outbox.ahead_of(peer)
        if not ahead:
            peer.repeat_at = inf
        elif peer.repeats >= MAX_REPEATS:
            self._presence.drop(peer, "silent", now)
        else:
            peer.repeats += 1
            peer.in_vain += 1
            self.laning.doubt(peer, now)
            # A frontend has nobody else to go on for: what it sends waits.
            if self.is_kernel and not peer.has_lane and now - peer.quiet_since >= LAGGING_S:
                peer.is_lagging, peer.flight = True, Flight()
                self._outbox.send_queued(now)
            peer.repeat_at = now + REPEAT_S * 2**peer.repeats
            self._voice.say(peer.control, {"sent": ahead}, now)

    # ------------------------------------------------------------------ inside: control comms

    def _receive_control(self, message: Message, comm_id: str, now: float) -> list[Message]:
        if comm_id == TARGET:
            return self._receive_for_all(message, now)
        if not self.is_kernel and comm_id != control_id(self._session):
            return []  # another frontend's
        peer = self._presence.heard(comm_id)
        if message.msg_type == "comm_close":
            self._presence.part(peer, now)
            return []
        control = read_control(message)
        if control.profile:
            peer = self._presence.meet(control, comm_id, now)
        if peer is None:
            # It knows us from before; what it says can mean nothing here. It shall begin anew.
            if self.is_kernel:
                self._voice.say_goodbye(comm_id, now)
            return []
        if number_of(message) is not None:
            return self._arrivals.receive(message, now)
        return self._take_in(peer, message, now)

    def _receive_for_all(self, message: Message, now: float) -> list[Message]:
        """A kernel end says that it is here, or brings something for one of its sessions."""
        if self._joins and not self._outbox.is_numbering():
            self.join(now)
        if self.is_kernel or message.session not in self.peers:
            return []
        again, _ = carried(read_control(message), message.buffers, message.channel)
        return [m for one in again for m in self._arrivals.receive(one, now)] + self.released()

    def _take_in(self, peer: Peer, message: Message, now: float) -> list[Message]:
        """Take in a message on a control comm; return users' messages that it brings."""
        control = read_control(message)
        again, kept = carried(control, message.buffers, message.channel)
        peer.repeats = 0
        self._outbox.confirmed(peer, control.seen, now)
        for comm_id, last in control.sent.items():
            self._arrivals.hear_of(peer, comm_id, last, now)
        if control.sent and not control.profile:
            self._arrivals.acknowledge(peer, now)  # it has not heard what we have
        for comm_id, (first, last) in control.want.items():
            self._outbox.send_again(peer, comm_id, first, last, now)
        handed_on = [m for one in again for m in self._arrivals.receive(one, now)]
        for comm_id, upto in control.gone.items():
            self._arrivals.give_up(peer, comm_id, upto, now)
        handed_on += self.released()
        session = peer.session
        if control.accepted:
            accepted = self._outbox.as_known(control.accepted)
            peer.open.update(accepted)
            self._events.append(Accepted(session, accepted))
        if control.refused:
            peer.open.difference_update(control.refused)
            self._events.append(Refused(session, control.refused))
        self._events += [Cancelled(session, CommId(i), req) for i, req in control.cancel]
        self._events += [Credited(session, CommId(i), req, n) for i, req, n in control.credit]
        if control.restore and self.is_kernel:
            self._events.append(RestoreAsked(session, control.restore))
        for comm_id, number in control.restored.items():
            handed_on += self.taking.take(peer, comm_id, number, kept, now)
        for comm_id in control.withheld:
            self.taking.end(comm_id, None)
        self.laning.take_in(peer, control, now)
        return handed_on
