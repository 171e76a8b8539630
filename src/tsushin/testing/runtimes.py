"""A ``Runtime`` without threads, loops and clocks: a test says when anything runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import JsonObject, Message
from tsushin.runtime import Cancel, MadeUnder

Done = Callable[[BaseException | None], None]


@dataclass
class Clock:
    """Time that passes only when told to.

    Attributes:
        now: seconds since 1970, UTC.
    """

    now: float = 1_764_000_000.0

    def __call__(self) -> float:
        """Return the time, as ``time.time`` does."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class Gate:
    """Something an ``async`` handler under test can await until the test opens it."""

    is_open: bool = False

    def open(self) -> None:
        """Let everybody through from now on."""
        self.is_open = True

    def __await__(self) -> Generator[None, None, None]:
        while not self.is_open:
            yield


@dataclass
class StepRuntime:
    """Runs handlers where they are called, and keeps everything else until it is stepped.

    Attributes:
        reports: what handlers raised, with the place, in order.
        faults: what the peer did wrong, in order.
        header: what ``parent`` returns: the header of the message being handled, or ``{}``.
        clock: what timers go by.
    """

    reports: list[tuple[BaseException, str]] = field(default_factory=list)
    faults: list[RemoteProtocolError] = field(default_factory=list)
    header: JsonObject = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    _timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _due: deque[Callable[[], None]] = field(default_factory=deque)
    _running: list[tuple[Generator[object, None, object], Done]] = field(default_factory=list)

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """See ``Runtime.run``."""
        del message
        return handler()

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``: when stepped."""
        self._due.append(callback)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See ``Runtime.later``: when the clock was advanced and ``ring`` is called."""
        self._timers.append((self.clock.now + delay_s, callback))

    def spawn(self, awaitable: Awaitable[object], done: Done) -> Cancel:
        """See ``Runtime.spawn``: resumed when stepped. It may await ``Gate`` and other coroutines."""
        generator = _generator(awaitable)
        self._running.append((generator, done))
        return lambda: self._cancel(generator, awaitable)

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``."""
        del message
        self.reports.append((error, about))

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``."""
        self.faults.append(error)

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """See ``Runtime.parent``."""
        return self.header or (made_under() if made_under else {})

    def poll(self, comm_id: str | None) -> int:
        """See ``Runtime.poll``: handlers run when messages are delivered, so nothing is ever due."""
        del comm_id
        return 0

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """See ``Runtime.wait``: nothing comes while a test waits, so the time is up at once."""
        del future, timeout_s, handlers

    def next_timer(self) -> float | None:
        """Return when the next timer rings, in seconds as the clock tells; None where there is none."""
        return min((at for at, _ in self._timers), default=None)

    def ring(self) -> None:
        """Call every timer whose time has come."""
        due = [timer for timer in self._timers if timer[0] <= self.clock.now]
        self._timers = [timer for timer in self._timers if timer[0] > self.clock.now]
        for _, callback in sorted(due, key=lambda timer: timer[0]):
            callback()

    def is_due(self) -> bool:
        """Say whether a callback waits for its step."""
        return bool(self._due)

    def step(self) -> None:
        """Run the oldest callback that ``soon`` was given."""
        self._due.popleft()()

    def resume(self) -> bool:
        """Let each ``async`` handler go on until its next wait; True if one of them finished."""
        running, self._running = self._running, []
        finished = [self._resume(generator, done) for generator, done in running]
        return any(finished)

    def _cancel(
        self, generator: Generator[object, None, object], awaitable: Awaitable[object]
    ) -> None:
        for running in self._running:
            if running[0] is generator:
                self._running.remove(running)
                generator.close()
                if isinstance(awaitable, Coroutine):
                    awaitable.close()  # where it has not begun
                running[1](None)
                return

    def _resume(self, generator: Generator[object, None, object], done: Done) -> bool:
        try:
            next(generator)
        except StopIteration:
            done(None)
        except (Exception, SystemExit) as error:  # as every runtime: told to the manager
            done(error)
        else:
            self._running.append((generator, done))
            return False
        return True


def _generator(awaitable: Awaitable[object]) -> Generator[object, None, object]:
    return (yield from awaitable.__await__())
