"""What one end sends of its users' messages: numbered, no more than peers can take, kept until they have it.

A message for one session, or in pieces, does not travel on its own comm, where a plain peer would take it for
its own: it is carried on a control comm, as what is sent again is. Its number is one of the same sequence, so
that everything a session gets of a comm is in order.

Spec: spec/profile.md, "Sequence", "Flow", "One session" and "Pieces".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

from tsushin.errors import LimitExceeded
from tsushin.profile.control import (
    TARGET,
    addressee,
    again_data,
    control_id,
    is_control,
    with_entry,
    without_body,
)
from tsushin.profile.events import ProfileEvent, Sent, Unsent
from tsushin.profile.flow import Queue, Waiting
from tsushin.profile.kept import Kept
from tsushin.profile.peer import Peer, peer_of
from tsushin.profile.pieces import CUT_ABOVE_BYTES, cut, dropped
from tsushin.profile.routes import Routes
from tsushin.profile.sequence import History
from tsushin.profile.voice import Voice
from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import CommId, JsonObject, Message, SessionId

# A sender says how far it is when nobody said they have it, and again with twice the pause.
REPEAT_S: Final = 1.0
AGAIN_MESSAGES: Final = 256  # at most in one carrier
AGAIN_BYTES: Final = 1 << 20


class Outbox:
    """The sending half of one end's sessions.

    Args:
        session: of this end.
        peers: who is there, by session; the caller's.
        silent: who was there and may come back, by session; the caller's.
        is_kernel: this is a kernel end: what it sends reaches every frontend.
        routes: which way a message goes.
        voice: says something on a control comm.
        event: takes an event.

    Attributes:
        awaits_peer: somebody may join and ask for what was sent since now.
        max_whole_bytes: what the route takes in one message; None for no bound.
        nbytes: of all messages kept because a peer may have missed them.
        number: comm id -> number of the last message sent.
        paced_until: when to send what waits although nobody confirms anything; infinity for nothing.
    """

    def __init__(
        self,
        session: SessionId,
        peers: dict[str, Peer],
        silent: dict[str, Peer],
        *,
        is_kernel: bool,
        limits: Limits,
        routes: Routes,
        voice: Voice,
        event: Callable[[ProfileEvent], None],
    ) -> None:
        self.awaits_peer: bool = False
        self.max_whole_bytes: int | None = None
        self.nbytes: int = 0
        self.number: dict[str, int] = {}
        self.paced_until: float = inf
        self._peers = peers
        self._silent = silent
        self._is_kernel = is_kernel
        self._carrier = TARGET if is_kernel else control_id(session)
        self._limits = limits
        self._routes = routes
        self._voice = voice
        self._event = event
        self._closed: set[str] = set()  # comms whose close is not yet seen by all
        self._history: dict[str, History] = {}
        self._kept: dict[str, Kept] = {}
        self._kept_bytes = 0  # of all of them
        self._queue = Queue()

    # ------------------------------------------------------------------ asking

    def is_numbering(self) -> bool:
        """Say whether messages carry numbers: somebody may ask for them again."""
        return bool(self._peers) or self.awaits_peer

    def queued_bytes(self) -> int:
        """Return how much waits to be sent, in bytes."""
        return self._queue.nbytes

    def last_queued(self) -> int:
        """Return the number of what had to wait last; see ``has_left``."""
        return self._queue.last

    def has_left(self, queued: int) -> bool:
        """Say whether nothing waits any more of what did when ``last_queued`` said that number."""
        return self._queue.has_left(queued)

    def has_queued(self, comm_id: str) -> bool:
        """Say whether something of a comm waits to be sent."""
        return self._queue.has(comm_id)

    def ahead_of(self, peer: Peer) -> dict[str, int]:
        """Return comm id -> number of the last message, where a peer has not said that it has it."""
        return dict(self._ahead(peer))

    def is_ahead_of(self, peer: Peer) -> bool:
        """Say whether a peer has not said that it has all there is for it."""
        return next(self._ahead(peer), None) is not None

    def numbers_on(self, control: str) -> dict[str, int]:
        """Return comm id -> number of the last message sent, of all comms and this one control comm."""
        return {i: n for i, n in self.number.items() if not is_control(i) or i == control}

    def kept(self, comm_id: str) -> list[Message]:
        """Return what a session gets that takes up a comm now: its open first, then the newest messages."""
        kept = self._kept.get(comm_id)
        return [] if kept is None else kept.messages()

    def as_known(self, comm_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the same ids, as the texts that are here already where there are: comms may be very many."""
        return tuple(self._kept[i].comm_id if i in self._kept else i for i in comm_ids)

    # ------------------------------------------------------------------ sending

    def keep(self, comm_id: str, count: int) -> None:
        """Keep the open and the last ``count`` messages of a comm. To be called before it is opened."""
        self.forget_kept(comm_id)
        self._kept[comm_id] = Kept(comm_id, count, self._limits)
        for peer in self._peers.values():
            peer.has[comm_id] = 0  # by this text, and not by its copy in what the peer says

    def send(
        self, waiting: Waiting, now: float, max_bytes: int | None, *, pause_s: float = 0.0
    ) -> None:
        """Send a message, or let it wait while too much is under way.

        Args:
            max_bytes: what may wait; None for any.
            pause_s: without a peer, one that a newer one may replace waits so long.

        Raises:
            QueueFull: too much waits already. Nothing was done.
            LimitExceeded: the route takes no message of that size, and there is no peer that joins pieces.
        """
        if waiting.to not in self._peers or not self._is_kernel:
            waiting.to = None  # at a frontend there is one peer only
        if waiting.nbytes > CUT_ABOVE_BYTES and self._joins_pieces(waiting.to):
            waiting.nbytes, waiting.pieces = cut(waiting.message)
        elif self.max_whole_bytes is not None:
            self._check_size(waiting, self.max_whole_bytes)
        if not self.is_numbering():
            if waiting.coalesce is not None and pause_s:
                self._queue.put(waiting, max_bytes)
                self.paced_until = min(self.paced_until, now + pause_s)
            else:
                if self._queue:
                    self.send_queued(now)  # what replaces nothing does not overtake
                self._send_plain(waiting)
            return
        is_next = not self._queue and self._has_room()
        if waiting.pieces is None and is_next:
            self._send_whole(waiting, now)
        else:
            self._queue.put(waiting, max_bytes)
            self.send_queued(now)

    def send_queued(self, now: float) -> None:
        """Send what waits, as far as there is room now."""
        self.paced_until = inf
        while self._queue and self._has_room():
            first = self._queue.first
            if first.pieces is not None:
                self._send_piece(first, now)
            elif self.is_numbering():
                self._send_whole(self._queue.take(), now)
            else:
                self._send_plain(self._queue.take())

    def tell(
        self, peer: Peer, data: JsonObject, now: float, *, buffers: tuple[memoryview, ...] = ()
    ) -> None:
        """Say something on a control comm that has to arrive: it is confirmed and repaired as any other.

        It does not wait: what is said there is little, and others wait for it.
        """
        message = self._voice.message(peer.control, data, now, buffers=buffers)
        waiting = Waiting(message, kept_bytes(message))
        self._send_numbered(waiting, message, waiting.nbytes, now)

    def drop(self, is_unwanted: Callable[[Waiting], bool], now: float) -> None:
        """Do not send what nobody wants and what has not left; of a message in pieces, the rest."""
        self._queue.drop(is_unwanted)
        self.send_queued(now)

    def send_again(self, peer: Peer, comm_id: str, first: int, last: int, now: float) -> None:
        """Send these numbers once more, or say which are gone."""
        peer.flight.lost(now)
        kept = self._history.get(comm_id, History()).between(first, last)
        oldest = kept[0][0] if kept else min(last, self.number.get(comm_id, last)) + 1
        if oldest > first:
            self._voice.say(peer.control, {"gone": {comm_id: oldest - 1}}, now)
        self._carry_all(peer, kept, now)

    def _carry_all(self, peer: Peer, kept: list[tuple[int, Message, int]], now: float) -> None:
        """Send what was kept once more, on the peer's control comm."""
        batch: list[Message] = []
        nbytes = 0
        for _, message, size in kept:
            if batch and (len(batch) >= AGAIN_MESSAGES or nbytes + size > AGAIN_BYTES):
                self._carry(peer.control, batch, now)
                batch, nbytes = [], 0
            # Of what was for another session, it learns that it missed nothing.
            is_its = addressee(message) in (None, peer.session)
            batch.append(message if is_its else without_body(message))
            nbytes += size if is_its else 0
        if batch:
            self._carry(peer.control, batch, now)

    def change_route(self, peer: Peer, now: float) -> None:
        """Messages to a peer go another way from now on: what it has not confirmed goes that way too.

        But for what opens a comm, while that is still on its way by the standard route: it keeps its place
        among other requests there.
        """
        peer.flight.change_route(is_safe=peer.has_lane)
        for comm_id, last in self.ahead_of(peer).items():
            kept = self._history.get(comm_id, History()).between(peer.has.get(comm_id, 0) + 1, last)
            is_open = peer.has_lane and kept and kept[0][1].msg_type == "comm_open"
            self._carry_all(peer, kept[1:] if is_open else kept, now)
        self.send_queued(now)

    def confirmed(self, peer: Peer, seen: dict[str, int], now: float) -> None:
        """A peer says up to which number of each comm it has everything; that makes room for more."""
        if seen:
            peer.in_vain = 0
        for comm_id, number in seen.items():
            if number > peer.has.get(comm_id, 0):
                peer.has[comm_id] = number
                peer.flight.arrived(comm_id, number)
                peer.quiet_since = now
                # Only for this: who talks may still miss what is repeated.
                peer.repeat_at = now + REPEAT_S
                self.free(comm_id)
        if not self.is_ahead_of(peer):
            peer.repeat_at, peer.in_vain, peer.is_lagging = inf, 0, False
        self.send_queued(now)

    # ------------------------------------------------------------------ forgetting

    def free(self, comm_id: str) -> None:
        """Forget what every peer has of a comm."""
        history = self._history.get(comm_id)
        if history is None:
            return
        self.nbytes -= history.free(
            min((p.has.get(comm_id, 0) for p in self._audience(comm_id)), default=history.last)
        )
        if not history:
            self._forget(comm_id)

    def peer_left(self, peer: Peer, now: float, *, may_return: bool) -> None:
        """One peer less: nobody keeps or waits for anything for its sake.

        Args:
            may_return: with the same numbers on its control comm.
        """
        if not may_return:
            self.forget_number(peer.control)
        if self._peers:
            for comm_id in list(self._history):
                self.free(comm_id)
        elif not self.awaits_peer:
            self.forget_history()
        self.send_queued(now)

    def forget_number(self, control: str) -> None:
        """Nothing more is said on a control comm."""
        self.number.pop(control, None)

    def forget_history(self) -> None:
        """Forget what was kept for peers."""
        for comm_id in list(self._history):
            self._forget(comm_id)

    def forget_kept(self, comm_id: str) -> None:
        """Forget what was kept for who takes up a comm."""
        kept = self._kept.pop(comm_id, None)
        self._kept_bytes -= 0 if kept is None else kept.nbytes

    def reset(self) -> None:
        """Forget everything: the other end's life is over, or ours is."""
        self._queue.clear()
        self.forget_history()
        self.number.clear()
        self._kept.clear()
        self._kept_bytes = 0

    # ------------------------------------------------------------------ inside

    def _joins_pieces(self, to: SessionId | None) -> bool:
        """Say whether all who get a message join its pieces. A kernel's own reach plain frontends, too."""
        peers = [self._peers[to]] if to else [] if self._is_kernel else [*self._peers.values()]
        return bool(peers) and all("pieces" in peer.features for peer in peers)

    def _check_size(self, waiting: Waiting, allowed: int) -> None:
        if waiting.nbytes > allowed:
            where = f"comm {waiting.comm_id}: one message to a peer that joins no pieces"
            name = "max_whole_bytes"
            raise LimitExceeded(
                limit=name, allowed=allowed, actual=waiting.nbytes, unit="bytes", where=where
            )

    def _ahead(self, peer: Peer) -> Iterator[tuple[str, int]]:
        for comm_id, history in self._history.items():
            is_its = not is_control(comm_id) or comm_id == peer.control
            if is_its and history.last > peer.has.get(comm_id, 0):
                yield comm_id, history.last

    def _audience(self, comm_id: str) -> list[Peer]:
        """Return who gets what is sent on a comm: on a control comm one peer."""
        if not is_control(comm_id):
            return list(self._peers.values())
        peer = peer_of(self._peers, comm_id)
        return [] if peer is None else [peer]

    def _has_room(self) -> bool:
        """Say whether more may be under way to the slowest peer that keeps up."""
        for peer in self._peers.values():  # noqa: SIM110 (asked for each message, and twice as fast)
            if not (peer.is_lagging or peer.flight.has_room()):
                return False
        return True

    def _send_plain(self, waiting: Waiting) -> None:
        message = waiting.message
        number = self._count(waiting.comm_id, message)
        # Who comes back may have got it in another way, from a server that keeps what it could not deliver.
        self._routes.send(with_entry(message, {"n": number}) if self._silent else message)
        self._left(waiting)

    def _send_whole(self, waiting: Waiting, now: float) -> None:
        self._send_numbered(waiting, waiting.message, waiting.nbytes, now)
        self._left(waiting)

    def _send_piece(self, waiting: Waiting, now: float) -> None:
        """Send the next piece of the first one in the queue."""
        following = None if waiting.is_dropped else next(waiting.pieces or iter(()), None)
        if following is None or not self._peers:
            self._queue.take()
            if self._peers:
                self._send_numbered(waiting, dropped(waiting.message), 0, now)
            elif not waiting.is_dropped:  # nobody is left who joins them
                self._event(Unsent(CommId(waiting.comm_id), waiting.token, waiting.nbytes))
            return
        piece, nbytes = following
        self._send_numbered(waiting, piece, nbytes, now)
        self._queue.sent(nbytes)
        if waiting.sent < waiting.nbytes:
            self._tell_sent(waiting, waiting.sent)
        else:
            self._queue.take()
            self._left(waiting)

    def _left(self, waiting: Waiting) -> None:
        """The whole of a message has left."""
        self._tell_sent(waiting, waiting.nbytes)
        if waiting.message.msg_type == "comm_close":
            self.forget_kept(waiting.comm_id)
            for peer in self._peers.values():
                peer.open.discard(waiting.comm_id)
            if self.is_numbering():
                self._closed.add(waiting.comm_id)
        elif waiting.to is None:
            self._put_kept(waiting)

    def _put_kept(self, waiting: Waiting) -> None:
        kept = self._kept.get(waiting.comm_id)
        if kept is None:
            return
        before = kept.nbytes
        kept.put(waiting.message, waiting.nbytes)
        self._kept_bytes += kept.nbytes - before
        if self._kept_bytes > self._limits.max_all_history_bytes:
            self.forget_kept(waiting.comm_id)  # what is there already stays

    def _tell_sent(self, waiting: Waiting, nbytes: int) -> None:
        if waiting.token is not None:
            self._event(Sent(waiting.token, nbytes, waiting.nbytes))

    def _send_numbered(self, waiting: Waiting, plain: Message, nbytes: int, now: float) -> None:
        comm_id = waiting.comm_id
        number = self._count(comm_id, plain)
        entry: JsonObject = {"n": number}
        if waiting.to is not None:
            entry["to"] = waiting.to
        message = with_entry(plain, entry)
        self._remember(comm_id, number, message, nbytes)
        is_said = is_control(comm_id)
        for peer in self._audience(comm_id) if is_said else self._peers.values():
            if not peer.is_lagging:
                peer.flight.left(comm_id, number, nbytes)
            if peer.repeat_at == inf:
                peer.repeat_at = now + REPEAT_S
                peer.quiet_since = now
        if is_said:
            self._routes.send_to(peer_of(self._peers, comm_id), message)
        elif waiting.to is None and waiting.pieces is None:
            self._routes.send(message)
        elif self._is_kernel:
            self._send_to(waiting.to or "", message, now)
        else:
            self._carry(self._carrier, [message], now)

    def _send_to(self, session: str, message: Message, now: float) -> None:
        """At a kernel end: send a message for one session; the others count it too."""
        peer, empty = self._peers.get(session), without_body(message)
        for laned in self._routes.laned:
            self._routes.send_to(laned, message if laned is peer else empty)
        if peer is not None and peer.has_lane:
            for other in self._peers.values():
                if (
                    not other.has_lane
                ):  # each by itself: a broadcast would reach the one it is for, too
                    self._carry(other.control, [empty], now)
        elif self._routes.has_unlaned:
            self._carry(self._carrier, [message], now)

    def _carry(self, carrier: str, messages: Iterable[Message], now: float) -> None:
        data, buffers = again_data(messages)
        self._voice.say(carrier, data, now, buffers=buffers)

    def _count(self, comm_id: str, message: Message) -> int:
        number = self.number.get(comm_id, 0) + 1
        if message.msg_type == "comm_close" and not self.is_numbering():
            self.number.pop(comm_id, None)
        else:
            self.number[comm_id] = number
        return number

    def _remember(self, comm_id: str, number: int, message: Message, nbytes: int) -> None:
        limits = self._limits
        history = self._history.get(comm_id)
        if history is None:
            history = self._history[comm_id] = History()
        history.put(number, message, nbytes)
        self.nbytes += nbytes
        while len(history) > limits.max_history_messages or (
            len(history) > 1
            and (
                history.nbytes > limits.max_history_bytes
                or self.nbytes > limits.max_all_history_bytes
            )
        ):
            self.nbytes -= history.drop_oldest()

    def _forget(self, comm_id: str) -> None:
        self.nbytes -= self._history.pop(comm_id).nbytes
        if comm_id in self._closed:
            self._closed.discard(comm_id)
            self.number.pop(comm_id, None)
            for peer in self._peers.values():
                peer.has.pop(comm_id, None)
