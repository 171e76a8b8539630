"""The sessions of one end: who is there, what they have, and what has to be sent again.

Sans-IO, as the router is, with deadlines: messages and ``now`` (seconds) go in; messages to send, messages to
hand on and events come out. It stands between the router and the link, in both directions::

    profile.send(message, now)              # a user's message, from the router
    for m in profile.receive(message, now): router.receive(m, now)
    profile.tick(now)                       # not later than profile.deadline()
    ... profile.messages_to_send(), profile.released(), profile.events()

Without a peer (plain mode, the start state) messages pass as they are; only their number is counted.

At a kernel end many frontends are peers; at a frontend the kernel end is the only one. The rules are the
same.

Spec: spec/profile.md, "Sessions" and "Sequence".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from tsushin.errors import RemoteProtocolError
from tsushin.profile.control import (
    FEATURES,
    PROFILE,
    TARGET,
    Control,
    Resume,
    again_data,
    control_data,
    control_id,
    is_control,
    messages_again,
    number_of,
    read_control,
    with_number,
    without_number,
)
from tsushin.profile.events import (
    Accepted,
    Cancelled,
    Credited,
    Declined,
    Gap,
    Joined,
    Left,
    LeftWhy,
    ProfileEvent,
    Refused,
    Restarted,
)
from tsushin.profile.flow import Flight, Queue, Waiting
from tsushin.profile.sequence import History, Incoming
from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, CommId, Header, JsonObject, Message, SessionId

# Seconds. A receiver says what it has when 64 messages are new, or after the first of these two.
ACK_EVERY: Final = 64  # messages
ACK_BYTES: Final = 1 << 20  # of buffers
ACK_MANY: Final = 8  # messages; from here on soon
ACK_SOON_S: Final = 0.05
ACK_LATE_S: Final = 0.5
# A sender says how far it is when nobody said they have it, and again with twice the pause.
REPEAT_S: Final = 1.0
LAGGING_S: Final = 5.0  # without a word about what is under way; then nobody waits for that peer
MAX_REPEATS: Final = 6  # then, after 63 s in all, the peer counts as gone
# A receiver asks for what is missing at once, and again with twice the pause.
ASK_S: Final = 1.0
MAX_ASKS: Final = 5  # then, after 31 s in all, what is missing is given up
MAX_HELD: Final = 4096  # messages behind a hole
MAX_SILENT: Final = 64  # peers that are remembered although they answer no more
AGAIN_MESSAGES: Final = 256  # at most in one carrier
AGAIN_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Peer:
    """What is known of one peer.

    Attributes:
        has: comm id -> number of ours it has.
        began: comm id -> number of its own before which nothing was heard.
        flight: what is under way to it.
        quiet_since: since when it has confirmed nothing of what is under way.
        is_lagging: so long that nobody waits for it any more.
        due: comms of which it has to be told what arrived.
        accepted, refused: comms of its own of which it has to be told that.
        ended: comms that it closed, oldest first.
    """

    session: SessionId
    control: str
    features: tuple[str, ...]
    epoch: str
    has: dict[str, int]
    began: dict[str, int]
    incoming: dict[str, Incoming] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    flight: Flight = field(default_factory=Flight)
    quiet_since: float = inf
    is_lagging: bool = False
    ended: dict[str, None] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pending: int = 0
    pending_bytes: int = 0
    ack_at: float = inf
    repeat_at: float = inf
    repeats: int = 0
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


class Profile:
    """The sessions of one end.

    Args:
        channel: what this end sends on: "iopub" at a kernel, "shell" at a frontend.
        session: of this end.
        epoch: an id made anew for each life of this end.
        new_header: makes the header of a message of a type.
        open_comms: returns the ids of the comms that are open here.
        joins: at a frontend, say hello whenever a kernel end shows that it knows the profile.

    Attributes:
        peers: who is there, by session.
        is_kernel: this is a kernel end.
    """

    def __init__(
        self,
        *,
        channel: Channel,
        session: SessionId,
        epoch: str,
        new_header: Callable[[str, float], Header],
        open_comms: Callable[[], Iterable[str]],
        limits: Limits = DEFAULT_LIMITS,
        joins: bool = False,
    ) -> None:
        self.peers: dict[str, Peer] = {}
        self.is_kernel: bool = channel == "iopub"
        self._channel = channel
        self._session = session
        self._epoch = epoch
        self._new_header = new_header
        self._open_comms = open_comms
        self.limits: Limits = limits
        self._joins = joins
        self._has_opened = False  # a frontend: its control comm
        self._is_asking = False  # a frontend: it said hello and has no answer
        self._number: dict[str, int] = {}  # comm id -> of the last message sent
        self._closed: set[str] = set()  # comms whose close is not yet seen by all
        self._history: dict[str, History] = {}
        self._nbytes = 0  # of all histories
        self._outgoing: list[Message] = []
        self._released: list[Message] = []
        self._events: list[ProfileEvent] = []
        self._queue = Queue()
        self._now = 0.0  # of the last call
        self._silent: dict[str, Peer] = {}  # gone without a word; they may come back

    # ------------------------------------------------------------------ asking

    def deadline(self) -> float:
        """Return when ``tick`` is due next; infinity while nothing is."""
        return min((min(p.ack_at, p.repeat_at, p.ask_at) for p in self.peers.values()), default=inf)

    def messages_to_send(self) -> list[Message]:
        """Take everything to be sent, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def released(self) -> list[Message]:
        """Take what can be handed on although no message brought it: something was given up."""
        released, self._released = self._released, []
        return released

    def events(self) -> list[ProfileEvent]:
        """Take every event there is, in order."""
        events, self._events = self._events, []
        return events

    # ------------------------------------------------------------------ users' messages

    def send(
        self, message: Message, now: float, *, coalesce: str | None = None, always: bool = False
    ) -> None:
        """Number a message of the router's and have it sent; while too much is under way, it waits.

        Args:
            coalesce: of the messages of one comm that wait and have the same key, only the newest is sent.
            always: it may wait however much does already.

        Raises:
            QueueFull: too much waits already. Nothing was done.
        """
        comm_id = message.content["comm_id"]
        if not self._is_numbering():
            self._count(comm_id, message)
            self._outgoing.append(message)
            return
        waiting = Waiting(message, kept_bytes(message), coalesce)
        if self._queue or not self._has_room(waiting.nbytes):
            self._queue.put(waiting, None if always else self.limits.max_queue_bytes)
        else:
            self._send_numbered(waiting, now)

    def queued_bytes(self) -> int:
        """Return how much waits to be sent, in bytes."""
        return self._queue.nbytes

    def is_drained(self, comm_id: str) -> bool:
        """Say whether every peer that keeps up has everything that was sent on a comm."""
        last = self._number.get(comm_id, 0)
        return not self._queue.has(comm_id) and all(
            peer.has.get(comm_id, 0) >= last for peer in self.peers.values() if not peer.is_lagging
        )

    def _is_numbering(self) -> bool:
        """Say whether messages carry numbers: somebody may ask for them again."""
        return bool(self.peers) or self._is_asking

    def _count(self, comm_id: str, message: Message) -> int:
        number = self._number.get(comm_id, 0) + 1
        if message.msg_type == "comm_close" and not self._is_numbering():
            self._number.pop(comm_id, None)
        else:
            self._number[comm_id] = number
        return number

    def _has_room(self, nbytes: int) -> bool:
        """Say whether so many bytes more may be under way to the slowest peer that keeps up."""
        busiest = [peer.flight for peer in self.peers.values() if not peer.is_lagging]
        return all(flight.has_room(nbytes) for flight in busiest)

    def _send_numbered(self, waiting: Waiting, now: float) -> None:
        message = waiting.message
        comm_id = message.content["comm_id"]
        number = self._count(comm_id, message)
        if message.msg_type == "comm_close":
            self._closed.add(comm_id)
        message = with_number(message, number)
        self._keep(comm_id, number, message, waiting.nbytes)
        for peer in self.peers.values():
            if not peer.is_lagging:
                peer.flight.left(comm_id, number, waiting.nbytes)
            if peer.repeat_at == inf:
                peer.repeat_at = now + REPEAT_S
                peer.quiet_since = now
        self._outgoing.append(message)

    def _send_queued(self, now: float) -> None:
        """Send what waits, as far as there is room now."""
        while self._queue and self._has_room(self._queue.first.nbytes):
            waiting = self._queue.take()
            if self._is_numbering():
                self._send_numbered(waiting, now)
            else:
                self._count(waiting.message.content["comm_id"], waiting.message)
                self._outgoing.append(waiting.message)

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
            if self._joins and not self._is_asking and is_shown:
                self.join(now)
            return [message]
        return self._receive_numbered(message, now)

    # ------------------------------------------------------------------ joining and leaving

    def announce(self, now: float) -> None:
        """Say that a kernel end is here. A frontend that knows the profile answers with its hello."""
        self._say(TARGET, {"profile": PROFILE}, now)

    def join(self, now: float) -> None:
        """Say hello to the kernel end: the first time, or because the link was away."""
        [peer] = self.peers.values() or [None]
        hello = Control(
            profile=PROFILE,
            features=FEATURES,
            session=self._session,
            epoch=self._epoch,
            open=tuple(self._open_comms()),
            sent=dict(self._number),
            resume=None if peer is None else Resume(peer.epoch, peer.seen()),
        )
        msg_type = "comm_msg" if self._has_opened else "comm_open"
        self._has_opened = self._is_asking = True
        self._say(control_id(self._session), control_data(hello), now, msg_type)

    def leave(self, now: float) -> None:
        """Say goodbye: nothing is waited for any more, here or there."""
        if self._has_opened:
            self._say(control_id(self._session), {}, now, "comm_close")
        for peer in list(self.peers.values()):
            if self.is_kernel:
                self._say(peer.control, {}, now, "comm_close")
            self._drop(peer, "goodbye")
        self._end_asking()

    def reset(self) -> None:
        """Forget everything: the other end's life is over, or ours is."""
        self._queue = Queue()
        for peer in list(self.peers.values()):
            self._drop(peer, "new life")
        self._silent.clear()
        self._end_asking()
        self._number.clear()

    def _end_asking(self) -> None:
        self._is_asking = self._has_opened = False
        if not self.peers:
            self._forget_history()

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
        """Tell all peers but one that nobody waits for the answer to a request any more."""
        for peer in self.peers.values():
            if peer.session != but:
                self._say(peer.control, {"cancel": ((comm_id, req),)}, now)

    def credit(self, comm_id: str, req: str, taken: int, now: float, session: str) -> None:
        """Tell a peer how many parts of its answer were taken in all."""
        peer = self.peers.get(session)
        if peer is not None:
            self._say(peer.control, {"credit": ((comm_id, req, taken),)}, now)

    def _say(
        self,
        comm_id: str,
        data: JsonObject,
        now: float,
        msg_type: str = "comm_msg",
        buffers: tuple[memoryview, ...] = (),
    ) -> None:
        content: JsonObject = {"comm_id": comm_id, "data": data}
        if msg_type == "comm_open":
            content["target_name"] = TARGET
        header = self._new_header(msg_type, now)
        self._outgoing.append(Message(self._channel, header, {}, {}, content, buffers))

    # ------------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Do what is due: tell what arrived, repeat how far we are, ask for what is missing."""
        self._now = now
        for peer in list(self.peers.values()):
            if peer.ack_at <= now:
                self._acknowledge(peer, now)
            if peer.ask_at <= now:
                self._ask_again(peer, now)
            if peer.repeat_at <= now:
                self._repeat(peer, now)

    def _acknowledge(self, peer: Peer, now: float) -> None:
        peer.ack_at, peer.pending, peer.pending_bytes = inf, 0, 0
        news: JsonObject = {
            "seen": {i: peer.incoming[i].next - 1 for i in peer.due if i in peer.incoming},
            "accepted": peer.accepted,
            "refused": peer.refused,
        }
        peer.due, peer.accepted, peer.refused = set(), [], []
        if data := {key: value for key, value in news.items() if value}:
            self._say(peer.control, data, now)

    def _repeat(self, peer: Peer, now: float) -> None:
        """Tell a peer how far we are, so that it finds out when the last messages were lost."""
        ahead = {
            i: history.last
            for i, history in self._history.items()
            if history.last > peer.has.get(i, 0)
        }
        if not ahead:
            peer.repeat_at = inf
        elif peer.repeats >= MAX_REPEATS:
            self._drop(peer, "silent")
        else:
            peer.repeats += 1
            if now - peer.quiet_since >= LAGGING_S:
                peer.is_lagging, peer.flight = True, Flight()
                self._send_queued(now)
            peer.repeat_at = now + REPEAT_S * 2**peer.repeats
            self._say(peer.control, {"sent": ahead}, now)

    def _ask_again(self, peer: Peer, now: float) -> None:
        wanted: dict[str, tuple[int, int]] = {}
        for comm_id, sequence in peer.incoming.items():
            hole = sequence.missing()
            if hole is None:
                continue
            if sequence.asked >= MAX_ASKS:
                self._give_up(peer, comm_id, hole[1], now)
                hole = sequence.missing()
            if hole is not None:
                wanted[comm_id] = hole
                sequence.asked += 1
        peer.ask_at = inf
        if wanted:
            most = max(peer.incoming[comm_id].asked for comm_id in wanted)
            peer.ask_at = now + ASK_S * 2 ** (most - 1)
            self._say(peer.control, {"want": wanted}, now)

    def _give_up(self, peer: Peer, comm_id: str, upto: int, now: float) -> None:
        sequence = peer.sequence(comm_id)
        missed, released = sequence.skip(upto)
        if missed:
            self._events.append(Gap(CommId(comm_id), missed))
        self._released += released
        self._note(peer, comm_id, now)

    # ------------------------------------------------------------------ inside: numbered messages

    def _keep(self, comm_id: str, number: int, message: Message, nbytes: int) -> None:
        limits = self.limits
        history = self._history.setdefault(comm_id, History())
        history.put(number, message, nbytes)
        self._nbytes += nbytes
        while len(history) > limits.max_history_messages or (
            len(history) > 1
            and (
                history.nbytes > limits.max_history_bytes
                or self._nbytes > limits.max_all_history_bytes
            )
        ):
            self._nbytes -= history.drop_oldest()

    def _receive_numbered(self, message: Message, now: float) -> list[Message]:
        number = number_of(message)
        peer = self.peers.get(message.session)
        comm_id = message.content.get("comm_id")
        if number is None or peer is None or not isinstance(comm_id, str):
            return [message]
        sequence = peer.sequence(comm_id)
        handed_on = sequence.take(number, without_number(message))
        if handed_on and handed_on[-1].msg_type == "comm_close":
            self._end(peer, comm_id)
        if len(sequence.held) > MAX_HELD:
            self._give_up(peer, comm_id, min(sequence.held) - 1, now)
        self._look(peer, comm_id, now)
        self._note(peer, comm_id, now, sum(buffer.nbytes for buffer in message.buffers))
        return handed_on

    def _end(self, peer: Peer, comm_id: str) -> None:
        """A comm was closed; its sequence is remembered for a while, so that nothing arrives twice."""
        peer.ended[comm_id] = None
        if len(peer.ended) > self.limits.max_closed_ids:
            oldest = next(iter(peer.ended))
            for known in (peer.ended, peer.incoming, peer.began, peer.has):
                known.pop(oldest, None)

    def _note(self, peer: Peer, comm_id: str, now: float, nbytes: int = 0) -> None:
        """Something of a comm arrived: the peer is told, soon if it is much."""
        peer.due.add(comm_id)
        peer.pending += 1
        peer.pending_bytes += nbytes
        if peer.pending >= ACK_EVERY or peer.pending_bytes >= ACK_BYTES:
            self._acknowledge(peer, now)
        else:
            pause = ACK_SOON_S if peer.pending >= ACK_MANY else ACK_LATE_S
            peer.ack_at = min(peer.ack_at, now + pause)

    def _look(self, peer: Peer, comm_id: str, now: float) -> None:
        """Ask at once for what is missing, if that was not done."""
        sequence = peer.sequence(comm_id)
        hole = sequence.missing()
        if hole is not None and not sequence.asked:
            sequence.asked = 1
            peer.ask_at = min(peer.ask_at, now + ASK_S)
            self._say(peer.control, {"want": {comm_id: hole}}, now)

    # ------------------------------------------------------------------ inside: control comms

    def _receive_control(self, message: Message, comm_id: str, now: float) -> list[Message]:
        if comm_id == TARGET:
            if self._joins and not self._is_numbering():
                self.join(now)
            return []
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
                self._say(comm_id, {}, now, "comm_close")
            return []
        return self._take_in(peer, control, message, now)

    def _peer_of(self, comm_id: str) -> Peer | None:
        """Return whose control comm this is; one that was silent is here again."""
        for peer in self._silent.values():
            if peer.control == comm_id:
                self.peers[peer.session] = self._silent.pop(peer.session)
                self._events.append(Joined(peer.session, peer.features, recovered=True))
                return peer
        return next((p for p in self.peers.values() if p.control == comm_id), None)

    def _receive_goodbye(self, peer: Peer | None) -> None:
        was_asking = self._is_asking
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
        known = self._silent.pop(hello.session, None) or self.peers.get(hello.session)
        if known is not None:
            self.peers[known.session] = known
        self._is_asking = False
        meet = self._meet_frontend if self.is_kernel else self._meet_kernel
        peer = meet(hello, comm_id, known, now)
        if peer is not None:
            if hello.open:
                self._events.append(Accepted(peer.session, hello.open))
            peer.repeats = 0
            peer.repeat_at = now + REPEAT_S if self._history else inf
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
            peer = self._new_peer(hello, comm_id, has=dict(self._number))
        else:
            peer = known
            self._receive_seen(peer, resume.seen if resume else {}, now)
        is_recovered = known is not None or resume is None
        self._events.append(Joined(peer.session, hello.features, is_recovered))
        answer = Control(
            profile=PROFILE,
            features=FEATURES,
            session=self._session,
            epoch=self._epoch,
            open=tuple(self._open_comms()),
            recovered=is_recovered,
            sent=dict(self._number),
            seen=peer.seen(),
        )
        self._say(comm_id, control_data(answer), now)
        return peer

    def _meet_kernel(
        self, hello: Control, comm_id: str, known: Peer | None, now: float
    ) -> Peer | None:
        """At a frontend: the kernel end answers our hello."""
        del now
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
        return peer

    def _new_peer(self, hello: Control, comm_id: str, has: dict[str, int]) -> Peer:
        session = SessionId(hello.session)
        peer = Peer(session, comm_id, hello.features, hello.epoch, has, dict(hello.sent))
        self.peers[session] = peer
        return peer

    def _tell_gaps(self, seen: dict[str, int], sent: dict[str, int]) -> None:
        for comm_id, last in sent.items():
            if comm_id in seen and last > seen[comm_id]:
                self._events.append(Gap(CommId(comm_id), last - seen[comm_id]))

    def _take_in(self, peer: Peer, control: Control, message: Message, now: float) -> list[Message]:
        again = messages_again(control, message.buffers, message.channel)
        peer.repeats = 0
        self._receive_seen(peer, control.seen, now)
        for comm_id, last in control.sent.items():
            self._receive_sent(peer, comm_id, last, now)
        if control.sent and not control.profile:
            self._acknowledge(peer, now)  # it has not heard what we have
        for comm_id, (first, last) in control.want.items():
            self._send_again(peer, comm_id, first, last, now)
        handed_on = [m for one in again for m in self._receive_numbered(one, now)]
        for comm_id, upto in control.gone.items():
            self._give_up(peer, comm_id, upto, now)
        handed_on += self.released()
        session = peer.session
        if control.accepted:
            self._events.append(Accepted(session, control.accepted))
        if control.refused:
            self._events.append(Refused(session, control.refused))
        self._events += [Cancelled(session, CommId(i), req) for i, req in control.cancel]
        self._events += [Credited(session, CommId(i), req, n) for i, req, n in control.credit]
        return handed_on

    def _receive_seen(self, peer: Peer, seen: dict[str, int], now: float) -> None:
        for comm_id, number in seen.items():
            if number > peer.has.get(comm_id, 0):
                peer.has[comm_id] = number
                peer.flight.arrived(comm_id, number)
                peer.quiet_since = now
                self._free(comm_id)
        if any(h.last > peer.has.get(i, 0) for i, h in self._history.items()):
            peer.repeat_at = now + REPEAT_S
        else:
            peer.repeat_at, peer.is_lagging = inf, False
        self._send_queued(now)

    def _receive_sent(self, peer: Peer, comm_id: str, last: int, now: float) -> None:
        sequence = peer.sequence(comm_id)
        sequence.known = max(sequence.known, last)
        peer.due.add(comm_id)
        self._look(peer, comm_id, now)

    def _send_again(self, peer: Peer, comm_id: str, first: int, last: int, now: float) -> None:
        peer.flight.lost(now)
        kept = self._history.get(comm_id, History()).between(first, last)
        oldest = kept[0][0] if kept else min(last, self._number.get(comm_id, last)) + 1
        if oldest > first:
            self._say(peer.control, {"gone": {comm_id: oldest - 1}}, now)
        batch: list[Message] = []
        nbytes = 0
        for _, message, size in kept:
            if batch and (len(batch) >= AGAIN_MESSAGES or nbytes + size > AGAIN_BYTES):
                self._send_batch(peer, batch, now)
                batch, nbytes = [], 0
            batch.append(message)
            nbytes += size
        if batch:
            self._send_batch(peer, batch, now)

    def _send_batch(self, peer: Peer, batch: list[Message], now: float) -> None:
        data, buffers = again_data(batch)
        self._say(peer.control, data, now, buffers=buffers)

    # ------------------------------------------------------------------ inside: who is gone

    def _drop(self, peer: Peer, why: LeftWhy, *, keep_history: bool = False) -> None:
        del self.peers[peer.session]
        self._events.append(Left(peer.session, why))
        if why == "silent":
            self._remember_silent(peer)
        if keep_history:
            return
        if self.peers:
            for comm_id in list(self._history):
                self._free(comm_id)
        elif not self._is_asking:
            self._forget_history()
        self._send_queued(self._now)  # nobody waits for it any more

    def _remember_silent(self, peer: Peer) -> None:
        peer.ack_at = peer.repeat_at = peer.ask_at = inf
        self._silent[peer.session] = peer
        if len(self._silent) > MAX_SILENT:
            del self._silent[next(iter(self._silent))]

    def _free(self, comm_id: str) -> None:
        history = self._history.get(comm_id)
        if history is None:
            return
        self._nbytes -= history.free(min(p.has.get(comm_id, 0) for p in self.peers.values()))
        if not history:
            self._forget(comm_id)

    def _forget(self, comm_id: str) -> None:
        self._nbytes -= self._history.pop(comm_id).nbytes
        if comm_id in self._closed:
            self._closed.discard(comm_id)
            self._number.pop(comm_id, None)
            for peer in self.peers.values():
                peer.has.pop(comm_id, None)

    def _forget_history(self) -> None:
        for comm_id in list(self._history):
            self._forget(comm_id)
