"""Comm messages on their way to the main thread: who may take which, and when.

A message waits here from its arrival until a *safe point* of the running cell claims it, or until its *turn*
comes in the kernel's own queue of shell requests, whichever is first. So a handler never runs later than it
would without us, and a cell that asks gets its messages while it runs.

Turns are counted in segments: the messages between two requests that passed by on their way to the main
shell share one segment and need one turn, however many they are.

What may not be claimed early keeps back everything after it that has the same comm id.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Container, Iterable

from tsushin.protocol.messages import Message


class Due:
    """Messages in order of arrival. Any thread may call anything.

    Attributes:
        nbytes: what waits, in bytes.
    """

    def __init__(self) -> None:
        self.nbytes: int = 0
        self._lock = threading.Lock()
        self._entries: dict[int, tuple[Message, int, int]] = {}  # number -> message, segment, size
        self._number = 0
        self._waiting: Counter[str] = Counter()  # messages by comm id
        self._held: frozenset[str] = frozenset()
        self._segment = 0
        self._is_turn_asked = False

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, message: Message, nbytes: int) -> int | None:
        """Add a message of ``nbytes``.

        Returns:
            The segment to ask a turn for, in the kernel's queue and now; None where that was done.
        """
        with self._lock:
            self._add(message, nbytes)
            return self._ask()

    def add(self, message: Message, nbytes: int) -> None:
        """Add a message of ``nbytes`` that came another way than the kernel's queue: it needs no turn."""
        with self._lock:
            self._add(message, nbytes)

    def pass_by(self) -> None:
        """A request goes to the main shell: what comes after it has a later turn."""
        with self._lock:
            self._segment += 1
            self._is_turn_asked = False

    def hold(self, comm_ids: Iterable[str]) -> int | None:
        """Let nothing of these comms be claimed before the turn of this segment; returns as ``put``."""
        with self._lock:
            self._held = frozenset(comm_ids)
            return self._ask()

    def has(self, comm_id: str) -> bool:
        """Say whether something of this comm waits, or may wait in the kernel's own queue."""
        return self._waiting[comm_id] > 0 or comm_id in self._held

    def claim(
        self,
        may: Callable[[Message], bool],
        handle: Callable[[Message], None],
        only: Container[str] | None = None,
    ) -> int:
        """Handle what a safe point may take now; return how many messages that were.

        Args:
            may: says of the first message of a comm whether it can be handled before its turn.
            handle: handles one; it may claim more itself.
            only: comm ids to look at; None for all.
        """
        held, count = set(self._held), 0
        for number, (message, _, _) in list(self._entries.items()):
            comm_id = comm_id_of(message)
            if comm_id in held or not (only is None or comm_id in only):
                continue
            if not may(message):
                held.add(comm_id)
            else:
                count += self._take(number, handle)
        return count

    def turn(self, segment: int, handle: Callable[[Message], None]) -> int:
        """Handle everything up to and with ``segment``, whose turn has come; return the count."""
        with self._lock:
            self._held, count = frozenset(), 0
            if segment == self._segment:  # what comes from now on needs another
                self._is_turn_asked = False
        for number, (_, its_segment, _) in list(self._entries.items()):
            if its_segment > segment:
                break
            count += self._take(number, handle)
        return count

    def _add(self, message: Message, nbytes: int) -> None:
        self._number += 1
        self._entries[self._number] = message, self._segment, nbytes
        self._waiting[comm_id_of(message)] += 1
        self.nbytes += nbytes

    def _ask(self) -> int | None:
        if self._is_turn_asked:
            return None
        self._is_turn_asked = True
        return self._segment

    def _take(self, number: int, handle: Callable[[Message], None]) -> int:
        """Handle one; 0 where a handler that ran meanwhile has taken it.

        It counts as waiting until it is handled, so that what comes after it cannot overtake it.
        """
        with self._lock:
            entry = self._entries.pop(number, None)
        if entry is None:
            return 0
        message, _, nbytes = entry
        try:
            handle(message)
        finally:
            with self._lock:
                self.nbytes -= nbytes
                comm_id = comm_id_of(message)
                self._waiting[comm_id] -= 1
                if not self._waiting[comm_id]:
                    del self._waiting[comm_id]
        return 1


def comm_id_of(message: Message) -> str:
    """Return the comm id a message names, or "" where it names none."""
    comm_id = message.content.get("comm_id")
    return comm_id if isinstance(comm_id, str) else ""
