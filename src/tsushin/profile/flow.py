"""How much is sent: what is under way to one peer, and what waits for it.

A peer confirms what it has. Until then only so much more is sent as it can lose without harm; what is above
that waits. When messages are lost the window is halved, and it grows again with what arrives, as TCP's does:
the usual reason for a loss is a server's limit of messages per second.

Spec: spec/profile.md, "Flow".
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tsushin.errors import QueueFull
from tsushin.protocol.messages import Message, SessionId

FIRST_WINDOW: Final = 256.0  # messages
MIN_WINDOW: Final = 32
MAX_WINDOW: Final = 512
LANE_WINDOW: Final = 1024  # on a lane nothing is lost: no more than is kept of one comm
WINDOW_BYTES: Final = 4 << 20
HALVE_EVERY_S: Final = 0.5  # losses within that time are one


@dataclass(slots=True)
class Flight:
    """What is under way to one peer.

    Attributes:
        window: how many messages may be.
        count: how many are.
        nbytes: the same, in bytes.
        is_safe: nothing is lost on its way; the window stays as it is.
    """

    window: float = FIRST_WINDOW
    count: int = 0
    nbytes: int = 0
    is_safe: bool = False
    _sizes: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)
    _halved_at: float = -1e9

    def has_room(self) -> bool:
        """Say whether one more message may be sent now, however large."""
        return self.count < self.window and self.nbytes < WINDOW_BYTES

    def left(self, comm_id: str, number: int, nbytes: int) -> None:
        """A message was sent."""
        sizes = self._sizes.get(comm_id)
        if sizes is None:
            sizes = self._sizes[comm_id] = deque()
        sizes.append((number, nbytes))
        self.count += 1
        self.nbytes += nbytes

    def arrived(self, comm_id: str, upto: int) -> None:
        """The peer has everything of a comm up to a number."""
        sizes = self._sizes.get(comm_id, deque())
        while sizes and sizes[0][0] <= upto:
            _, nbytes = sizes.popleft()
            self.count -= 1
            self.nbytes -= nbytes
            if not self.is_safe:
                self.window = min(MAX_WINDOW, self.window + 1 / self.window)
        if not sizes:
            self._sizes.pop(comm_id, None)

    def change_route(self, *, is_safe: bool) -> None:
        """What is sent from now on goes another way."""
        self.is_safe = is_safe
        self.window = LANE_WINDOW if is_safe else FIRST_WINDOW

    def lost(self, now: float) -> None:
        """Something did not arrive: less is sent from now on."""
        if not self.is_safe and now - self._halved_at >= HALVE_EVERY_S:
            self._halved_at = now
            self.window = max(MIN_WINDOW, self.window / 2)


class Waiting(msgspec.Struct, eq=False):
    """A message that waits to be sent.

    Attributes:
        coalesce: of those with the same key and comm only the newest is sent; None for no such key.
        to: the one session that it is for; None for all.
        token: by which its sender hears how far it is; None where that was not asked for.
        pieces: what is left of a message that goes in pieces; None for one that goes whole.
        sent: bytes of it that have left.
        is_dropped: nobody wants the rest.
    """

    message: Message
    nbytes: int
    coalesce: str | None = None
    to: SessionId | None = None
    token: int | None = None
    pieces: Iterator[tuple[Message, int]] | None = None
    sent: int = 0
    is_dropped: bool = False

    @property
    def comm_id(self) -> str:
        """The comm that it is of."""
        comm_id: str = self.message.content["comm_id"]
        return comm_id


class Queue:
    """What waits to be sent, in order, bounded in bytes.

    Attributes:
        nbytes: how much waits.
    """

    def __init__(self) -> None:
        self.nbytes: int = 0
        self._number = 0
        self._entries: dict[int, Waiting] = {}
        self._keys: dict[tuple[str, str], int] = {}
        self._comms: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> Waiting:
        """What is sent next. Not for an empty queue."""
        return next(iter(self._entries.values()))

    @property
    def last(self) -> int:
        """The number of what was put last; they count from 1, in order."""
        return self._number

    def has_left(self, number: int) -> bool:
        """Say whether nothing up to a number waits any more."""
        return next(iter(self._entries), number + 1) > number

    def has(self, comm_id: str) -> bool:
        """Say whether something of a comm waits."""
        return comm_id in self._comms

    def put(self, waiting: Waiting, max_bytes: int | None) -> None:
        """Add a message; what it replaces is dropped. One that is larger than the bound waits alone.

        Raises:
            QueueFull: so much waits that this one has no place.
        """
        comm_id = waiting.comm_id
        key = None if waiting.coalesce is None else (comm_id, waiting.coalesce)
        before = self._keys.get(key) if key else None
        size = self.nbytes + waiting.nbytes
        if max_bytes is not None and before is None and self._entries and size > max_bytes:
            about = f"comm {comm_id}: {len(self)} messages wait for peers; await comm.drain()"
            raise QueueFull(about, queued=self.nbytes, limit=max_bytes)
        if before is not None:
            self._remove(before)
        self._number += 1
        self._entries[self._number] = waiting
        self._comms[comm_id] += 1
        self.nbytes += waiting.nbytes
        if key is not None:
            self._keys[key] = self._number

    def take(self) -> Waiting:
        """Return what is sent next and forget it."""
        return self._remove(next(iter(self._entries)))

    def sent(self, nbytes: int) -> None:
        """So many bytes of the first one have left: it is not replaced any more."""
        first = self.first
        first.sent += nbytes
        self.nbytes -= nbytes
        self._forget_key(next(iter(self._entries)), first)

    def drop(self, is_unwanted: Callable[[Waiting], bool]) -> None:
        """Forget what nobody wants; of a message that has left in part, the rest."""
        for number, waiting in list(self._entries.items()):
            if not is_unwanted(waiting):
                continue
            if waiting.sent:
                waiting.is_dropped = True
            else:
                self._remove(number)

    def clear(self) -> None:
        """Forget all that waits."""
        self._entries.clear()
        self._keys.clear()
        self._comms.clear()
        self.nbytes = 0

    def _remove(self, number: int) -> Waiting:
        waiting = self._entries.pop(number)
        comm_id = waiting.comm_id
        self.nbytes -= waiting.nbytes - waiting.sent
        self._comms[comm_id] -= 1
        if not self._comms[comm_id]:
            del self._comms[comm_id]
        self._forget_key(number, waiting)
        return waiting

    def _forget_key(self, number: int, waiting: Waiting) -> None:
        key = (waiting.comm_id, waiting.coalesce or "")
        if waiting.coalesce is not None and self._keys.get(key) == number:
            del self._keys[key]
