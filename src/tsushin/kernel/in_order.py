"""Numbered things, given back in the order of their numbers.

For carriers that may overtake: marimo posts each message of a page by its own HTTP request, so a small one
can arrive before a large one that was sent earlier.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from tsushin.errors import RemoteProtocolError

T = TypeVar("T")

MAX_HELD = 1000  # messages; a browser sends six requests at a time, a burst queues behind them
MAX_HELD_BYTES = 256 << 20


class InOrder(Generic[T]):
    """Puts items in order.

    Args:
        first: the number of the first item.
        max_held: items kept while one before them is missing (count).
        max_held_bytes: the same, in bytes.
    """

    def __init__(
        self, first: int = 0, *, max_held: int = MAX_HELD, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        self.awaited: int = first
        self._max_held = max_held
        self._max_held_bytes = max_held_bytes
        self._held: dict[int, tuple[T, int]] = {}
        self._held_bytes = 0

    @property
    def is_waiting(self) -> bool:
        """True while items are held because the one before them is missing."""
        return bool(self._held)

    def put(self, number: int, item: T, size: int = 0) -> list[T]:
        """Take an item of ``size`` bytes; return those that are due now, in order.

        An item that was here before is passed over.

        Raises:
            RemoteProtocolError: the missing one never came, and too much came after it.
        """
        if number < self.awaited or number in self._held:
            return []
        self._held[number] = (item, size)
        self._held_bytes += size
        due = self._due()
        if len(self._held) > self._max_held or self._held_bytes > self._max_held_bytes:
            raise RemoteProtocolError(self.gap())
        return due

    def start_at(self, number: int) -> tuple[int, list[T]]:
        """Go on with ``number``: what is missing before it will not come any more.

        Returns:
            How many were missing, and the items that are due now.
        """
        before = sorted(n for n in self._held if n < number)
        late = [self._take(n) for n in before]
        missing = max(number - self.awaited - len(late), 0)
        self.awaited = max(number, self.awaited)
        return missing, late + self._due()

    def gap(self) -> str:
        """Say in words what is missing."""
        return (
            f"message {self.awaited} of the page never came; "
            f"{len(self._held)} after it did ({self._held_bytes} bytes)"
        )

    def _due(self) -> list[T]:
        due: list[T] = []
        while self.awaited in self._held:
            due.append(self._take(self.awaited))
            self.awaited += 1
        return due

    def _take(self, number: int) -> T:
        item, size = self._held.pop(number)
        self._held_bytes -= size
        return item
