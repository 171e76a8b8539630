"""Something that has not arrived yet: awaitable, and usable from a blocking thread. Always ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
from collections.abc import Callable, Generator
from concurrent.futures import Future
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")
# Any: what the future gives is not looked at.
Wait = Callable[[Future[Any], float | None], None]

DEFAULT_TIMEOUT_S = 30.0


class Expected(Generic[T]):
    """A value to come, made *before* what it waits for.

    ``await expected`` inside a loop, ``expected.result(timeout)`` elsewhere. Both raise the builtin
    ``TimeoutError`` when time is up, counted from the making, and whatever ended the wait otherwise
    (``CommClosed``, ``KernelGone``, …). When time is up nothing is taken any more, awaited or not.

    Args:
        about: what is waited for, for the error: "comm_open on target 'x'".
        timeout_s: seconds from now until the wait ends; None while what is waited for can come.
        wait: blocks until a future is done or a time in seconds is up; None for a plain wait.
        abandoned: called once when the wait ends with neither value nor error: time is up, cancelled.
    """

    def __init__(
        self,
        about: str,
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        wait: Wait | None = None,
        abandoned: Callable[[], None] | None = None,
    ) -> None:
        self.about = about
        self.timeout_s: float = math.inf if timeout_s is None else timeout_s
        self._until = monotonic() + self.timeout_s
        self._wait_for = wait or _wait_plainly
        self._future: Future[T] = Future()
        if abandoned is not None:
            self._future.add_done_callback(
                lambda future: abandoned() if future.cancelled() else None
            )

    @property
    def future(self) -> Future[T]:
        """What is waited for, for a ``Runtime`` that waits."""
        return self._future

    def is_waiting(self) -> bool:
        """Say whether a value could still be used: none came, and there is time left."""
        return not self._future.done() and self._remaining() > 0

    def settle(self, value: T) -> bool:
        """Give the value; False when nobody waits any more (then the value is still the caller's)."""
        if not self._claim():
            return False
        self._future.set_result(value)
        return True

    def fail(self, error: BaseException) -> None:
        """End the wait with ``error``; nothing happens when it has ended."""
        if self._claim():
            self._future.set_exception(error)

    def cancel(self) -> None:
        """End the wait without a value; what arrives later goes to the next in line."""
        self._future.cancel()

    def result(self, timeout: float | None = None) -> T:
        """Wait, blocking this thread, at most ``timeout`` seconds (None: as given at the making).

        Raises:
            TimeoutError: time is up; the wait is over and what comes later goes to others.
        """
        if timeout is not None:
            self._until = max(self._until, monotonic() + timeout)
        remaining = self._remaining() if timeout is None else timeout
        self._wait_for(self._future, None if remaining == math.inf else remaining)
        if self._future.done():
            return self._future.result()
        return self._at_the_end(self.timeout_s if timeout is None else timeout)

    def __await__(self) -> Generator[object, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        try:
            remaining = self._remaining()
            async with asyncio.timeout(None if remaining == math.inf else remaining):
                return await asyncio.wrap_future(self._future)
        except TimeoutError:
            return self._at_the_end(self.timeout_s)

    def _remaining(self) -> float:
        return max(0.0, self._until - monotonic())

    def _at_the_end(self, waited_s: float) -> T:
        """Return what came in the last moment; otherwise time is up."""
        if not self._future.cancel():
            return self._future.result()
        raise TimeoutError(f"{self.about}: not within {waited_s:g} s") from None

    def _claim(self) -> bool:
        """Take the right to end the wait; False where it has ended. One thread at a time may ask."""
        return not self._future.done() and self._future.set_running_or_notify_cancel()

    def __repr__(self) -> str:
        return f"<Expected {self.about}: {'waiting' if self.is_waiting() else 'settled'}>"


def _wait_plainly(future: Future[Any], timeout_s: float | None) -> None:
    concurrent.futures.wait([future], timeout_s)
