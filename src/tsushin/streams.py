"""An answer in parts, as whoever asked reads it: ``async for part in comm.stream(…)``.

What has arrived waits here, at most a window of it: whoever answers is told what was taken, and sends no more
than the window ahead of that.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from tsushin.errors import TsushinError
from tsushin.expected import Expected, Wait

# Any: any JSON value, or binary.
Part = Any


class Stream:
    """The parts of one answer, to be iterated once: with ``async for``, or ``for`` in a plain cell.

    Leaving the loop early does not end the function that answers; ``close()``, ``aclose()`` or a ``with``
    block around the loop does.

    Args:
        about: how errors name it.
        timeout_s: seconds to wait for each part; None for as long as the comm is open.
        window: parts that may be here unread.
        wait: blocks for ``for``.
        give_credit: told how many parts were taken in all.
        cancel: called once when no more is wanted.
    """

    def __init__(
        self,
        about: str,
        *,
        timeout_s: float | None,
        window: int,
        wait: Wait,
        give_credit: Callable[[int], None],
        cancel: Callable[[], None],
    ) -> None:
        self.about = about
        self._timeout_s = timeout_s
        self._window = window
        self._wait = wait
        self._give_credit = give_credit
        self._cancel = cancel
        self._lock = threading.Lock()
        self._parts: deque[Part] = deque()
        self._taken = 0
        self._credited = 0
        self._is_over = False
        self._error: TsushinError | None = None
        self._arrival: Expected[None] | None = None

    # ------------------------------------------------------------------ for Requests

    def is_waiting(self) -> bool:
        """Say whether more is wanted."""
        return not self._is_over

    def put(self, part: Part) -> None:
        """Add a part. Any thread."""
        with self._lock:
            if not self._is_over:
                self._parts.append(part)
        self._arrived()

    def settle(self, value: Part) -> bool:
        """It ends; ``value`` is the answer of a function that gives no parts, else None."""
        with self._lock:
            if value is not None and not self._taken:
                self._parts.append(value)
            self._is_over = True
        self._arrived()
        return True

    def fail(self, error: TsushinError) -> None:
        """It ends with ``error``, after the parts that are here."""
        with self._lock:
            if self._is_over:
                return
            self._is_over, self._error = True, error
        self._arrived()

    def give_credit_again(self) -> None:
        """Whoever answers may not have heard how many parts were taken."""
        with self._lock:
            taken = self._credited = self._taken
            is_open = not self._is_over
        if taken and is_open:
            self._give_credit(taken)

    # ------------------------------------------------------------------ reading

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        """Return the next part. Raises as the answer of ``Comm.request`` does."""
        while (arrival := self._next_arrival()) is not None:
            try:
                await arrival
            except BaseException:
                self.close()
                raise
        return self._take(StopAsyncIteration)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Part:
        """Return the next part, waiting in plain code. Raises as ``Comm.request_sync`` does."""
        while (arrival := self._next_arrival()) is not None:
            try:
                arrival.result()
            except BaseException:
                self.close()
                raise
        return self._take(StopIteration)

    def close(self) -> None:
        """No more is wanted: the function that answers is ended, and what is here is dropped."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
            self._parts.clear()
        if not was_over:
            self._cancel()

    async def aclose(self) -> None:
        """See ``close``."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ inside

    def _arrived(self) -> None:
        with self._lock:
            arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.settle(None)

    def _next_arrival(self) -> Expected[None] | None:
        """Return what has to be waited for, or None where something is here, or all is over."""
        with self._lock:
            if self._parts or self._is_over:
                return None
            self._arrival = Expected(self.about, timeout_s=self._timeout_s, wait=self._wait)
            return self._arrival

    def _take(self, end: type[BaseException]) -> Part:
        with self._lock:
            if not self._parts:
                raise self._error or end
            part = self._parts.popleft()
            self._taken += 1
            is_due = not self._is_over and self._taken - self._credited >= max(1, self._window // 2)
            if is_due:
                self._credited = self._taken
            taken = self._taken
        if is_due:
            self._give_credit(taken)
        return part

    def __repr__(self) -> str:
        return f"<Stream {self.about}: {'over' if self._is_over else 'open'}>"
