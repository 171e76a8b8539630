"""The sessions of one end: who is there, what they have, and what has to be sent again.

Sans-IO, as the router is, with deadlines: messages and ``now`` (seconds) go in; messages to send, messages to
hand on and events come out. It stands between the router and the link, in both directions::

    profile.send(message, now)              # a user's message, from the router
    for m in profile.receive(message, now): router.receive(m, now)
    profile.tick(now)                       # not later than profile.deadline()
    ... profile.messages_to_send(), profile.released(), profile.events()

What is to be sent has a route: the lane of a session (``lane_up``), or the standard one.

Without a peer (plain mode, the start state) messages pass as they are; only their number is counted.

At a kernel end many frontends are peers; at a frontend the kernel end is the only one. The rules are the
same.

Spec: spec/profile.md, "Sessions" and "Sequence".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from tsushin.errors import RemoteProtocolError, quote
from tsushin.profile.arrivals import ACK_SOON_S, Arrivals
from tsushin.profile.control import (
    FEATURES,
    LANE,
    PROFILE,
    TARGET,
    Control,
    LaneAsk,
    LaneOffer,
    Resume,
    carried,
    control_data,
    control_id,
    is_control,
    number_of,
    read_control,
)
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
    LeftWhy,
    Marked,
    ProfileEvent,
    Refused,
    Restarted,
    RestoreAsked,
)
from tsushin.profile.flow import Flight, Waiting
from tsushin.profile.outbox import REPEAT_S, Outbox, peer_of
from tsushin.profile.peer import Peer
from tsushin.profile.routes import Routes
from tsushin.profile.taking import Taking
from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, CommId, Header, JsonObject, Message, SessionId

LAGGING_S: Final = 5.0  # without a word about what is under way; then nobody waits for that peer
# Then, after 127 s in all, the peer counts as gone. A frontend takes up to 40 s to notice that its link is
# dead (the WebSocket's pings), and 60 s to make it anew: until then what it missed is kept.
MAX_REPEATS: Final = 6
LANE_REPEATS: Final = 3  # without a confirmation, then the lane is not believed in: 7 s
MAX_SILENT: Final = 64  # peers that are remembered although they answer no more


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
        also: of a page: other sessions of the same page, which are no plain ones.
        has_lanes: this end can have lanes.
        peers: who is there, by session.
        is_kernel: this is a kernel end.
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
        self.also: tuple[str, ...] = ()
        self.has_lanes: bool = False
        self.peers: dict[str, Peer] = {}
        self.is_kernel: bool = channel == "iopub"
        self._channel = channel
        self._session = session
        self._epoch = epoch
        self._new_header = new_header
        self._open_comms = open_comms
        self.limits: Limits = limits
        self._joins = joins
        self._tab = tab
        self._left = tuple(left)
        self._has_opened = False  # a frontend: its control comm
        self._told_open: tuple[str, ...] = ()  # a frontend: comms that its hello said are open
        self._outgoing: list[tuple[Message, SessionId | None]] = []
        self._events: list[ProfileEvent] = []
        self._silent: dict[str, Peer] = {}  # gone without a word; they may come back
        self._routes = Routes(
            self.peers,
            is_kernel=self.is_kernel,
            emit=lambda message, lane: self._outgoing.append((message, lane)),
        )
        self._marks = 0
        self._outbox = Outbox(
            session,
            self.peers,
            self._silent,
            is_kernel=self.is_kernel,
            limits=limits,
            routes=self._routes,
            say=self._say,
            event=self._events.append,
        )
        self._outbox.max_whole_bytes = max_whole_bytes
        self._arrivals = Arrivals(
            session,
            self.peers,
            limits=limits,
            say=self._say,
            tell=self._tell,
            event=self._events.append,
            take_in=self._take_in,
        )
        self.taking: Taking = Taking(
            self.peers,
            self._outbox,
            self._arrivals,
            tell=self._tell,
            event=self._events.append,
            open_comms=open_comms,
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
        self._say(TARGET, {"profile": PROFILE}, now)

    def join(self, now: float) -> None:
        """Say hello to the kernel end: the first time, or because the link was away."""
        for session in self._left:
            self._say(control_id(session), {}, now, msg_type="comm_close")
        self._left = ()
        [peer] = self.peers.values() or [None]
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
        self._say_beside_lanes(control_id(self._session), hello, now, msg_type)
        self.resume(now)

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

    def leave(self, now: float) -> None:
        """Say goodbye: nothing is waited for any more, here or there."""
        if self._has_opened:
            self._say(control_id(self._session), {}, now, msg_type="comm_close")
        for peer in list(self.peers.values()):
            if self.is_kernel:
                self._say(peer.control, {}, now, msg_type="comm_close")
            self._drop(peer, "goodbye")
        self._end_asking()

    def reset(self) -> None:
        """Forget everything: the other end's life is over, or ours is."""
        self._is_away = False
        self._outbox.reset()
        for peer in list(self.peers.values()):
            self._drop(peer, "new life")
        self._silent.clear()
        self._end_asking()

    def _end_asking(self) -> None:
        self._outbox.awaits_peer = self._has_opened = False
        if not self.peers:
            self._outbox.forget_history()

    # ------------------------------------------------------------------ lanes

    def heard_plain(self, session: str) -> None:
        """At a kernel end: a session sent a request that frontends send, and it may know no profile."""
        self._routes.heard_plain(session)

    def is_for_plain(self, comm_id: str) -> bool:
        """At a kernel end: say whether only plain frontends hear what goes by the standard route now."""
        return self._routes.is_for_plain(comm_id)

    def ask_lane(self, origin: str, now: float) -> None:
        """At a frontend: ask for a lane (``LaneOffered``)."""
        ask = Control(lane_ask=LaneAsk(origin))
        self._say_beside_lanes(control_id(self._session), ask, now)

    def offer_lane(self, session: str, port: int, token: str, now: float) -> None:
        """At a kernel end: tell a peer how to get its lane; port 0 says that there is none."""
        peer = self.peers.get(session)
        if peer is not None:
            offer = Control(lane_offer=LaneOffer(port, token))
            self._say_beside_lanes(peer.control, offer, now)

    def lane_up(self, session: str, now: float) -> bool:
        """A peer has a lane from now on; False where it is not there."""
        return self._change_route(session, now, has_lane=True)

    def lane_down(self, session: str, now: float) -> bool:
        """A peer has no lane any more; False where it is not there."""
        return self._change_route(session, now, has_lane=False)

    def _change_route(self, session: str, now: float, *, has_lane: bool) -> bool:
        peer = self.peers.get(session)
        if peer is None:
            return False
        peer.has_lane = has_lane
        self._routes.update()
        peer.repeats, peer.in_vain, peer.quiet_since = 0, 0, now
        peer.repeat_at = now + REPEAT_S if self._outbox.is_ahead_of(peer) else inf
        self._outbox.change_route(peer, now)
        return True

    def mark(self, session: str, now: float) -> int:
        """Ask a peer to say when all that was sent to it has arrived (``Marked``); return the mark."""
        peer = self.peers[session]
        self._marks += 1
        self._say(peer.control, {"mark": self._marks}, now)
        return self._marks

    def _want_lane(self, peer: Peer) -> None:
        if not self.is_kernel and self.has_lanes and LANE in peer.features:
            self._events.append(LaneWanted(peer.session))

    def _features(self) -> tuple[str, ...]:
        return (*FEATURES, LANE) if self.has_lanes else FEATURES

    # ------------------------------------------------------------------ saying

    def accept(self, comm_ids: tuple[str, ...], now: float, *, session: str | None = None) -> None:
        """Tell peers (one, or all) that these comms, which they opened, are open here."""
        for peer in self.peers.values():
            if session in (None, peer.session):
                peer.accepted += comm_ids
                peer.ack_at = min(peer.ack_at, now + ACK_SOON_S)

    def refuse(self, comm_ids: tuple[str, ...], now: float) -> None:
        """Tell peers that there is no target here for these comms."""
        for peer in self.peers.values():
            peer.refused += comm_ids
            peer.ack_at = min(peer.ack_at, now + ACK_SOON_S)

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
                self._tell(peer, {"cancel": ((comm_id, req),)}, now)

    def credit(self, comm_id: str, req: str, taken: int, now: float, session: str) -> None:
        """Tell a peer how many parts of its answer were taken in all."""
        peer = self.peers.get(session)
        if peer is not None:
            self._tell(peer, {"credit": ((comm_id, req, taken),)}, now)

    def _say(
        self,
        comm_id: str,
        data: JsonObject,
        now: float,
        *,
        buffers: tuple[memoryview, ...] = (),
        msg_type: str = "comm_msg",
    ) -> None:
        """Say something that is out of date soon, or was asked for and is asked for again."""
        message = self._control_message(comm_id, data, now, msg_type, buffers)
        self._routes.send_to(peer_of(self.peers, comm_id), message)

    def _say_beside_lanes(
        self, comm_id: str, control: Control, now: float, msg_type: str = "comm_msg"
    ) -> None:
        """Say something by the standard route: the peer's lane may be gone, and only the peer knows."""
        message = self._control_message(comm_id, control_data(control), now, msg_type, ())
        self._outgoing.append((message, None))

    def _tell(
        self, peer: Peer, data: JsonObject, now: float, *, buffers: tuple[memoryview, ...] = ()
    ) -> None:
        """Say something that has to arrive."""
        message = self._control_message(peer.control, data, now, "comm_msg", buffers)
        self._outbox.tell(message, now)

    def _control_message(
        self,
        comm_id: str,
        data: JsonObject,
        now: float,
        msg_type: str,
        buffers: tuple[memoryview, ...],
    ) -> Message:
        content: JsonObject = {"comm_id": comm_id, "data": data}
        if msg_type == "comm_open":
            content["target_name"] = TARGET
        header = self._new_header(msg_type, now)
        return Message(self._channel, header, {}, {}, content, buffers)

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
            self._drop(peer, "silent")
        else:
            peer.repeats += 1
            peer.in_vain += 1
            if self.is_kernel and peer.in_vain == LANE_REPEATS and LANE in peer.features:
                self.offer_lane(peer.session, 0, "", now)  # it may believe in one that is not there
            if peer.has_lane:
                # It may be the lane alone that is silent: whether the peer is shows without it.
                if peer.in_vain >= LANE_REPEATS:
                    self._events.append(LaneSilent(peer.session))
            # A frontend has nobody else to go on for: what it sends waits.
            elif self.is_kernel and now - peer.quiet_since >= LAGGING_S:
                peer.is_lagging, peer.flight = True, Flight()
                self._outbox.send_queued(now)
            peer.repeat_at = now + REPEAT_S * 2**peer.repeats
            self._say(peer.control, {"sent": ahead}, now)

    # ------------------------------------------------------------------ inside: control comms

    def _receive_control(self, message: Message, comm_id: str, now: float) -> list[Message]:
        if comm_id == TARGET:
            return self._receive_for_all(message, now)
        if not self.is_kernel and comm_id != control_id(self._session):
            return []  # another frontend's
        peer = self._peer_of(comm_id)
        if message.msg_type == "comm_close":
            self._receive_goodbye(peer)
            return []
        control = read_control(message)
        if control.profile:
            peer = self._meet(control, comm_id, now)
        if peer is None:
            # It knows us from before; what it says can mean nothing here. It shall begin anew.
            if self.is_kernel:
                self._say(comm_id, {}, now, msg_type="comm_close")
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

    def _peer_of(self, comm_id: str) -> Peer | None:
        """Return whose control comm this is; one that was silent is here again."""
        for peer in self._silent.values():
            if peer.control == comm_id:
                self.peers[peer.session] = self._silent.pop(peer.session)
                self._routes.update()
                self._events.append(
                    Joined(peer.session, peer.features, recovered=True, tab=peer.tab)
                )
                self._want_lane(peer)
                return peer
        return peer_of(self.peers, comm_id)

    def _receive_goodbye(self, peer: Peer | None) -> None:
        was_asking = self._outbox.awaits_peer
        if peer is not None:
            self._drop(peer, "goodbye")
        if not self.is_kernel:
            self._end_asking()
            if was_asking:
                self._events.append(Declined())

    def _meet(self, hello: Control, comm_id: str, now: float) -> Peer | None:
        """Take in a hello. None where everything has to begin anew."""
        if not hello.session or not hello.epoch:
            raise RemoteProtocolError(f"{TARGET}: hello: expected session and epoch")
        if self.is_kernel and comm_id != control_id(hello.session):
            about = f"expected the comm id {quote(control_id(hello.session))}, got {quote(comm_id)}"
            raise RemoteProtocolError(f"{TARGET}: hello: {about}")
        known = self._silent.pop(hello.session, None) or self.peers.get(hello.session)
        if known is not None:
            self.peers[known.session] = known
            self._routes.update()
        self._routes.met((hello.session, *hello.also))
        self._outbox.awaits_peer = False
        meet = self._meet_frontend if self.is_kernel else self._meet_kernel
        peer = meet(hello, comm_id, known, now)
        if peer is not None:
            if hello.open:
                peer.open.update(hello.open)
                self._events.append(Accepted(peer.session, hello.open))
            self._want_lane(peer)
            peer.repeats = 0
            peer.repeat_at = now + REPEAT_S if self._outbox.is_ahead_of(peer) else inf
        return peer

    def _meet_frontend(
        self, hello: Control, comm_id: str, known: Peer | None, now: float
    ) -> Peer | None:
        """At a kernel end: a frontend is here, or here again; it gets our hello."""
        resume = hello.resume
        is_ours = resume is not None and resume.epoch == self._epoch
        if known is not None and not (is_ours and known.epoch == hello.epoch):
            self._drop(known, "new life")
            known = None
        if known is None:
            peer = self._new_peer(hello, comm_id, has=dict(self._outbox.number))
        else:
            peer = known
            self._receive_seen(peer, resume.seen if resume else {}, now)
        is_recovered = known is not None or resume is None
        self._events.append(Joined(peer.session, hello.features, is_recovered, hello.tab))
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
        self._say_beside_lanes(comm_id, answer, now)
        return peer

    def _meet_kernel(
        self, hello: Control, comm_id: str, known: Peer | None, now: float
    ) -> Peer | None:
        """At a frontend: the kernel end answers our hello."""
        # A frontend has one kernel end; the next one may have another session, too.
        if any(peer.epoch != hello.epoch for peer in self.peers.values()):
            self.reset()
            self._events.append(Restarted())
            return None
        if known is not None and not hello.recovered:
            self._tell_gaps(known.seen(), hello.sent)
            self._drop(known, "new life", keep_history=True)
            known = None
        # What left since our hello is on its way; the hello says what has come of the rest.
        peer = known or self._new_peer(hello, comm_id, has={})
        self._events.append(Joined(peer.session, hello.features, hello.recovered))
        # What opened between the hello and now, nobody was there to be told.
        if opened := tuple(i for i in self._open_comms() if i not in self._told_open):
            self.accept(opened, now)
        return peer

    def _new_peer(self, hello: Control, comm_id: str, has: dict[str, int]) -> Peer:
        session = SessionId(hello.session)
        began = dict(hello.sent)
        peer = Peer(session, comm_id, hello.features, hello.epoch, has, began, hello.tab)
        self.peers[session] = peer
        self._routes.update()
        return peer

    def _tell_gaps(self, seen: dict[str, int], sent: dict[str, int]) -> None:
        for comm_id, last in sent.items():
            if comm_id in seen and last > seen[comm_id]:
                self._events.append(Gap(CommId(comm_id), last - seen[comm_id]))

    def _take_in(self, peer: Peer, message: Message, now: float) -> list[Message]:
        """Take in a message on a control comm; return users' messages that it brings."""
        control = read_control(message)
        again, kept = carried(control, message.buffers, message.channel)
        peer.repeats = 0
        self._receive_seen(peer, control.seen, now)
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
            self._events.append(Refused(session, control.refused))
        self._events += [Cancelled(session, CommId(i), req) for i, req in control.cancel]
        self._events += [Credited(session, CommId(i), req, n) for i, req, n in control.credit]
        if control.restore and self.is_kernel:
            self._events.append(RestoreAsked(session, control.restore))
        for comm_id, number in control.restored.items():
            handed_on += self.taking.take(peer, comm_id, number, kept, now)
        for comm_id in control.withheld:
            self.taking.end(comm_id, None)
        self._take_in_route(peer, control, now)
        return handed_on

    def _take_in_route(self, peer: Peer, control: Control, now: float) -> None:
        """Take in what is said of lanes and marks."""
        if control.mark:
            self._say(peer.control, {"marked": control.mark}, now)
        if control.marked:
            self._events.append(Marked(peer.session, control.marked))
        if control.lane_ask is not None and self.is_kernel:
            self._events.append(LaneAsked(peer.session, control.lane_ask.origin))
        if control.lane_offer is not None and not self.is_kernel:
            offer = control.lane_offer
            is_withdrawn = offer.port == 0 and peer.has_lane
            self._events.append(
                LaneSilent(peer.session)
                if is_withdrawn
                else LaneOffered(peer.session, offer.port, offer.token)
            )

    def _receive_seen(self, peer: Peer, seen: dict[str, int], now: float) -> None:
        if seen:
            peer.in_vain = 0
        for comm_id, number in seen.items():
            if number > peer.has.get(comm_id, 0):
                peer.has[comm_id] = number
                peer.flight.arrived(comm_id, number)
                peer.quiet_since = now
                peer.repeat_at = (
                    now + REPEAT_S
                )  # only for this: who talks may still miss what is repeated
                self._outbox.free(comm_id)
        if not self._outbox.is_ahead_of(peer):
            peer.repeat_at, peer.in_vain, peer.is_lagging = inf, 0, False
        self._outbox.send_queued(now)

    # ------------------------------------------------------------------ inside: who is gone

    def _drop(self, peer: Peer, why: LeftWhy, *, keep_history: bool = False) -> None:
        del self.peers[peer.session]
        peer.has_lane = False
        peer.flight.change_route(is_safe=False)
        self._routes.update()
        self._events.append(Left(peer.session, why))
        if why == "silent":
            self._remember_silent(peer)
        if not self.peers:
            self.taking.end_all()
        if not keep_history:
            self._outbox.peer_left(peer, self._now, may_return=why == "silent")

    def _remember_silent(self, peer: Peer) -> None:
        peer.ack_at = peer.repeat_at = peer.ask_at = inf
        self._silent[peer.session] = peer
        if len(self._silent) > MAX_SILENT:
            oldest = self._silent.pop(next(iter(self._silent)))
            self._outbox.forget_number(oldest.control)
