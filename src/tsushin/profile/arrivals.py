"""What one end receives of its peers' messages: in order, each once, and what is missing is asked for.

Numbered messages of users' comms are handed on without their number; those of control comms go to who reads
them.

Spec: spec/profile.md, "Sequence", "One session" and "Pieces".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from operator import attrgetter
from typing import Final, Protocol

from tsushin.errors import RemoteProtocolError
from tsushin.profile.control import addressee, is_bare, is_control, number_of, without_number
from tsushin.profile.events import Gap, Malformed, ProfileEvent
from tsushin.profile.peer import Peer, Say, Tell
from tsushin.profile.pieces import Joiner, piece_of
from tsushin.profile.sequence import Incoming
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import CommId, Message, SessionId

# Seconds. A receiver says what it has when 64 messages are new, or after the first of these two.
ACK_EVERY: Final = 64  # messages
ACK_BYTES: Final = 1 << 20  # of buffers
ACK_MANY: Final = 8  # messages; from here on soon
ACK_SOON_S: Final = 0.05
ACK_LATE_S: Final = 0.5
# A receiver asks for what is missing at once, and again with twice the pause.
ASK_S: Final = 1.0
MAX_ASKS: Final = 5  # then, after 31 s in all, what is missing is given up
_nbytes: Final = attrgetter("nbytes")
MAX_HELD: Final = 4096  # messages behind a hole
MAX_HELD_BYTES: Final = 64 << 20  # the same, of their buffers


class TakeIn(Protocol):
    """Reads a message on a control comm."""

    def __call__(self, peer: Peer, message: Message, now: float) -> list[Message]:
        """Return users' messages that it brings. Raises RemoteProtocolError: it is malformed."""


class Arrivals:
    """The receiving half of one end's sessions.

    Args:
        session: of this end.
        peers: who is there, by session; the caller's.
        say: says something on a control comm.
        tell: says something to a peer that has to arrive.
        event: takes an event.
        take_in: reads a message on a control comm, in its turn.
    """

    def __init__(
        self,
        session: SessionId,
        peers: dict[str, Peer],
        *,
        limits: Limits,
        say: Say,
        tell: Tell,
        event: Callable[[ProfileEvent], None],
        take_in: TakeIn,
    ) -> None:
        self._addressed = (None, session)
        self._peers = peers
        self._limits = limits
        self._say = say
        self._tell = tell
        self._event = event
        self._take_in = take_in
        self._released: list[Message] = []

    def released(self) -> list[Message]:
        """Take what can be handed on although no message brought it: something was given up."""
        released, self._released = self._released, []
        return released

    # ------------------------------------------------------------------ receiving

    def receive(self, message: Message, now: float) -> list[Message]:
        """Take a message with a number; return what can be handed on now, in order."""
        number = number_of(message)
        peer = self._peers.get(message.session)
        comm_id = message.content.get("comm_id")
        if number is None or peer is None or not isinstance(comm_id, str):
            return [message]
        sequence = peer.sequence(comm_id)
        if sequence.is_next_alone(number) and is_bare(message) and not is_control(comm_id):
            sequence.pass_on()  # the common case: nothing is missing, and it is for all, and whole
            self.note(peer, comm_id, now, sum(map(_nbytes, message.buffers)))
            return [without_number(message)]
        is_new = number >= sequence.next and number not in sequence.held
        handed_on = self._hand_on(peer, comm_id, sequence.take(number, message), now)
        if handed_on and handed_on[-1].msg_type == "comm_close" and not is_control(comm_id):
            self._end(peer, comm_id)
        if len(sequence.held) > MAX_HELD or sequence.held_bytes > MAX_HELD_BYTES:
            self.give_up(peer, comm_id, min(sequence.held) - 1, now)
        if sequence.held or sequence.known >= sequence.next:
            self._look(peer, comm_id, now)
        if is_new:
            self.note(peer, comm_id, now, sum(map(_nbytes, message.buffers)))
        else:  # the peer may not have heard that it is here; however many come, once is enough
            peer.due.add(comm_id)
            peer.ack_at = min(peer.ack_at, now + ACK_LATE_S)
        return handed_on

    def _hand_on(
        self, peer: Peer, comm_id: str, messages: Iterable[Message], now: float
    ) -> list[Message]:
        """Return what is for this end's comms, without what the profile put on it; pieces joined."""
        handed_on: list[Message] = []
        sequence, is_said = peer.sequence(comm_id), is_control(comm_id)
        for message in messages:
            if is_said:
                handed_on += self._hand_on_control(peer, message, now)
                continue
            if addressee(message) not in self._addressed:
                continue
            try:
                whole = self._join(sequence, without_number(message))
            except RemoteProtocolError as error:
                self._event(Malformed(error))
                self._event(Gap(CommId(comm_id), 1))
                continue
            if whole is not None:
                handed_on.append(whole)
                if whole.msg_type == "comm_open":
                    peer.open.add(comm_id)
        return handed_on

    def _hand_on_control(self, peer: Peer, message: Message, now: float) -> list[Message]:
        try:
            return self._take_in(peer, message, now)
        except RemoteProtocolError as error:
            self._event(Malformed(error))
            return []

    def _join(self, sequence: Incoming, message: Message) -> Message | None:
        if sequence.joiner is None:
            if piece_of(message) is None:
                return message
            sequence.joiner = Joiner(self._limits)
        whole = sequence.joiner.take(message)
        if not sequence.joiner.is_joining:
            sequence.joiner = None
        return whole

    def _end(self, peer: Peer, comm_id: str) -> None:
        """A comm was closed; its sequence is remembered for a while, so that nothing arrives twice."""
        peer.open.discard(comm_id)
        peer.ended[comm_id] = None
        if len(peer.ended) > self._limits.max_closed_ids:
            oldest = next(iter(peer.ended))
            for known in (peer.ended, peer.incoming, peer.began, peer.has):
                known.pop(oldest, None)

    def note(self, peer: Peer, comm_id: str, now: float, nbytes: int = 0) -> None:
        """Something of a comm arrived: the peer is told, soon if it is much."""
        peer.due.add(comm_id)
        peer.pending += 1
        peer.pending_bytes += nbytes
        if peer.pending >= ACK_EVERY or peer.pending_bytes >= ACK_BYTES:
            self.acknowledge(peer, now)
        else:
            pause = ACK_SOON_S if peer.pending >= ACK_MANY else ACK_LATE_S
            peer.ack_at = min(peer.ack_at, now + pause)

    def _look(self, peer: Peer, comm_id: str, now: float) -> None:
        """Ask at once for what is missing, as far as that was not done: an answer takes its time."""
        sequence = peer.sequence(comm_id)
        hole = sequence.missing()
        if hole is None:
            return
        if sequence.ask_at is None:
            sequence.ask_at = now + ASK_S
        peer.ask_at = min(peer.ask_at, sequence.ask_at)
        if peer.has_lane:  # what is under way by the other route comes
            return
        first, last = max(hole[0], sequence.asked_upto + 1), hole[1]
        if first <= last:
            sequence.asked, sequence.asked_upto = max(sequence.asked, 1), last
            self._say(peer.control, {"want": {comm_id: (first, last)}}, now)

    def hear_of(self, peer: Peer, comm_id: str, last: int, now: float) -> None:
        """A peer says up to which number it has sent."""
        sequence = peer.sequence(comm_id)
        sequence.known = max(sequence.known, last)
        peer.due.add(comm_id)
        self._look(peer, comm_id, now)

    def restart(self, peer: Peer, comm_id: str, number: int, now: float) -> list[Message]:
        """What was up to a number is known in another way; return what can be handed on after it."""
        self.note(peer, comm_id, now)
        return self._hand_on(peer, comm_id, peer.sequence(comm_id).restart(number), now)

    # ------------------------------------------------------------------ telling

    def accept(self, comm_ids: tuple[str, ...], now: float, *, session: str | None = None) -> None:
        """Peers (one, or all) shall know that these comms, which they opened, are open here."""
        for peer in self._peers.values():
            if session in (None, peer.session):
                peer.accepted += comm_ids
                peer.ack_at = min(peer.ack_at, now + ACK_SOON_S)

    def refuse(self, comm_ids: tuple[str, ...], now: float) -> None:
        """Peers shall know that there is no target here for these comms."""
        for peer in self._peers.values():
            peer.refused += comm_ids
            peer.ack_at = min(peer.ack_at, now + ACK_SOON_S)

    def acknowledge(self, peer: Peer, now: float) -> None:
        """Tell a peer what arrived, and what became of its comms."""
        peer.ack_at, peer.pending, peer.pending_bytes = inf, 0, 0
        seen = {i: peer.incoming[i].next - 1 for i in peer.due if i in peer.incoming}
        news = {"accepted": peer.accepted, "refused": peer.refused}
        peer.due, peer.accepted, peer.refused = set(), [], []
        if seen:
            self._say(peer.control, {"seen": seen}, now)
        if data := {key: comm_ids for key, comm_ids in news.items() if comm_ids}:
            self._tell(peer, data, now)

    def ask_again(self, peer: Peer, now: float) -> None:
        """Ask a peer for what is missing, once more, or give it up."""
        wanted: dict[str, tuple[int, int]] = {}
        peer.ask_at = inf
        for comm_id, sequence in list(peer.incoming.items()):
            hole = sequence.missing()
            if hole is None:
                continue
            if sequence.ask_at is None or sequence.ask_at <= now:
                if sequence.asked >= MAX_ASKS:
                    self.give_up(peer, comm_id, hole[1], now)
                    hole = sequence.missing()
                if hole is None:
                    continue
                wanted[comm_id] = hole
                sequence.asked += 1
                sequence.asked_upto = max(sequence.asked_upto, hole[1])
                sequence.ask_at = now + ASK_S * 2 ** (sequence.asked - 1)
            peer.ask_at = min(peer.ask_at, sequence.ask_at)
        if wanted:
            self._say(peer.control, {"want": wanted}, now)

    def give_up(self, peer: Peer, comm_id: str, upto: int, now: float) -> None:
        """Do without what is missing up to a number; ``released`` has what was behind it."""
        sequence = peer.sequence(comm_id)
        missed, released = sequence.skip(upto)
        if missed and not is_control(comm_id):
            self._event(Gap(CommId(comm_id), missed))
            sequence.joiner = None
        self._released += self._hand_on(peer, comm_id, released, now)
        self.note(peer, comm_id, now)
