"""Something that has not arrived yet: awaitable, and usable from a blocking thread. Always ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 30.0


class Expected(Generic[T]):
    """A value to come, made *before* what it waits for.

    ``await expected`` inside a loop, ``expected.result(timeout)`` elsewhere. Both raise the builtin
    ``TimeoutError`` when time is up, counted from the making, and whatever ended the wait otherwise
    (``CommClosed``, ``KernelGone``, …).

    Args:
        about: what is waited for, for the error: "comm_open on target 'x'".
        timeout_s: seconds from now until the wait ends.
    """

    def __init__(self, about: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.about = about
        self.timeout_s = timeout_s
        self._until = monotonic() + timeout_s
        self._future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def is_waiting(self) -> bool:
        """Say whether a value could still be used."""
        return not self._future.done()

    def settle(self, value: T) -> bool:
        """Give the value; False when nobody waits any more (then the value is still the caller's)."""
        if not self._future.set_running_or_notify_cancel():
            return False
        self._future.set_result(value)
        return True

    def fail(self, error: BaseException) -> None:
        """End the wait with ``error``; nothing happens when it has ended."""
        if not self._future.done():
            self._future.set_exception(error)

    def cancel(self) -> None:
        """End the wait without a value; what arrives later goes to the next in line."""
        self._future.cancel()

    def on_settled(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the wait has ended, however."""
        self._future.add_done_callback(lambda _: callback())

    def result(self, timeout: float | None = None) -> T:
        """Wait, blocking this thread, at most ``timeout`` seconds (None: as given at the making).

        Raises:
            TimeoutError: time is up; the wait is over and what comes later goes to others.
        """
        remaining = self._remaining() if timeout is None else timeout
        try:
            return self._future.result(remaining)
        except TimeoutError:
            raise self._timed_out() from None

    def __await__(self) -> Generator[object, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        try:
            async with asyncio.timeout(self._remaining()):
                return await asyncio.wrap_future(self._future)
        except TimeoutError:
            raise self._timed_out() from None

    def _remaining(self) -> float:
        return max(0.0, self._until - monotonic())

    def _timed_out(self) -> TimeoutError:
        self.cancel()
        return TimeoutError(f"{self.about}: not within {self.timeout_s:g} s")

    def __repr__(self) -> str:
        return f"<Expected {self.about}: {'waiting' if self.is_waiting() else 'settled'}>"
