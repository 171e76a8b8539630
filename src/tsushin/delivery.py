"""Who gets the next message of one comm.

Each message is consumed once: by the earliest waiting ``expect_msg``, else by ``on_msg``, else it is kept
(``protocol/inbox.py``) until somebody asks. ``on_msg`` runs one at a time, in arrival order; the close
comes after the messages before it. What was kept is delivered after the registering call has returned,
never inside it, so that a handler never runs before the line after ``on_msg``.

All entry points may be called from any thread; handlers run where the ``Runtime`` runs them.

One piece: who gets a message is decided in one place, under one lock.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence

from tsushin.errors import RemoteProtocolError, TsushinError
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.protocol.inbox import Inbox
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import ClassicMessage, Message, to_classic
from tsushin.runtime import Handler, Runtime

# object: whatever the user's function returns; it is not looked at.
GapHandler = Callable[[int], object]


class Delivery:
    """The receiving half of one comm, above the protocol.

    There may be one for each of very many comms: what is needed by few is made when it is first needed.

    Args:
        about: the comm; its text is how errors name it.
    """

    __slots__ = (
        "_about",
        "_arrivals",
        "_busy",
        "_close",
        "_ended",
        "_expected",
        "_inbox",
        "_limits",
        "_lock",
        "_missed",
        "_on_close",
        "_on_gap",
        "_on_msg",
        "_runtime",
    )

    def __init__(self, runtime: Runtime, limits: Limits, about: object) -> None:
        self._runtime = runtime
        self._limits = limits
        self._about = about
        self._lock = threading.Lock()
        self._inbox: Inbox | None = None  # unread messages, once there are any
        self._expected: Sequence[Expected[ClassicMessage]] = ()
        self._arrivals: Sequence[Expected[None]] = ()
        self._on_msg: Handler | None = None
        self._on_close: Handler | None = None
        self._close: Message | None = None  # arrived, and not yet given to on_close
        self._on_gap: GapHandler | None = None
        self._ended: TsushinError | None = None
        self._busy = False
        self._missed = 0  # and not yet reported

    @property
    def dropped(self) -> int:
        """How many kept messages were dropped because nobody read them (count)."""
        return self._inbox.dropped if self._inbox is not None else 0

    # ------------------------------------------------------------------ arriving

    def put(self, message: Message) -> None:
        """Deliver ``message``. Call on the handler thread."""
        with self._lock:
            if self._ended is not None or (self._expected and self._settle_expected(message)):
                return
            at_once, dropped = None if self._busy or self._inbox else self._on_msg, 0
            if at_once is None:
                dropped = self._put_aside(message)
            else:
                self._busy = True  # the common case: nothing is kept, so nothing is measured
        if dropped:
            self.tell_gap(dropped)
        is_over = at_once is None or self._run(at_once, message, "on_msg")
        if is_over and (self._inbox or self._close is not None):
            self._pump()
        if self._arrivals:
            self._arrived()

    def can_keep(self) -> bool:
        """Say whether ``keep`` would take a message now."""
        return self._on_msg is None or any(e.is_waiting() for e in self._expected)

    def keep(self, message: Message) -> bool:
        """Deliver ``message`` where that runs no handler; False where ``on_msg`` has to. Any thread."""
        with self._lock:
            if self._ended is not None or self._settle_expected(message):
                return True
            if self._on_msg is not None:
                return False
            dropped = self._put_aside(message)
        if dropped:
            self.tell_gap(dropped)
        self._arrived()
        return True

    def close(self, message: Message, ended: TsushinError) -> None:
        """Deliver the close, or the loss as a message of its shape. Call on the handler thread."""
        with self._lock:
            self._close = message
        self._end_waits(ended)
        self._pump()

    def end(self, ended: TsushinError) -> None:
        """Closed here: nothing is delivered any more, and every wait ends with ``ended``."""
        with self._lock:
            if self._inbox is not None:
                self._inbox.clear()
        self._end_waits(ended)

    def _end_waits(self, ended: TsushinError) -> None:
        with self._lock:
            self._ended = ended
            waiting, self._expected = self._expected, ()
            arrivals, self._arrivals = self._arrivals, ()
        for expected in waiting:
            expected.fail(ended)
        for arrival in arrivals:
            arrival.fail(ended)

    # ------------------------------------------------------------------ asking

    def set_on_msg(self, handler: Handler | None) -> None:
        """Replace the message handler; what was kept follows soon."""
        with self._lock:
            self._on_msg = handler
        self._runtime.soon(self._pump)

    def set_on_close(self, handler: Handler | None) -> None:
        """Replace the close handler; a close that has already arrived follows soon."""
        with self._lock:
            self._on_close = handler
        self._runtime.soon(self._pump)

    def set_on_gap(self, handler: GapHandler | None) -> None:
        """Replace the handler of gaps."""
        self._on_gap = handler

    def tell_gap(self, missed: int) -> None:
        """So many messages are lost for good: the user is told, soon. Any thread."""
        self._missed += missed
        self._runtime.soon(self._report_gap)

    def _report_gap(self) -> None:
        with self._lock:
            missed, self._missed = self._missed, 0
        if not missed:
            return
        if self._on_gap is None:
            self._runtime.fault(RemoteProtocolError(f"{self._about}: {missed} messages were lost"))
            return
        try:
            self._on_gap(missed)
        except (Exception, SystemExit) as error:  # a handler never ends its host
            self._runtime.report(error, f"on_gap of {self._about}", None)

    @property
    def has_on_msg(self) -> bool:
        """True while a message handler is set."""
        return self._on_msg is not None

    def take_all(self) -> list[Message]:
        """Return the kept messages and forget them; none while ``on_msg`` is set, whose they are."""
        taken: list[Message] = []
        with self._lock:
            while self._on_msg is None and (message := self._take()) is not None:
                taken.append(message)
        return taken

    def arrival(self, about: str, timeout_s: float | None) -> Expected[None]:
        """Return something that is settled once a message is kept here, or ``on_msg`` got one."""
        expected: Expected[None] = Expected(about, timeout_s=timeout_s, wait=self._runtime.wait)
        with self._lock:
            if self._inbox and self._on_msg is None:
                expected.settle(None)
            elif self._ended is not None:
                expected.fail(self._ended)
            else:
                self._arrivals = [*self._arrivals, expected]
        return expected

    async def next(self) -> ClassicMessage:
        """Return the next message that nobody has consumed, however long it takes."""
        while True:
            with self._lock:
                message = None if self._on_msg is not None else self._take()
            if message is not None:
                return to_classic(message)
            await self.arrival("comm_msg", None)  # takes nothing: a cancelled wait loses nothing

    def expect(
        self, about: str, timeout_s: float | None = DEFAULT_TIMEOUT_S
    ) -> Expected[ClassicMessage]:
        """Return the next message that nobody has consumed, kept or to come."""
        expected: Expected[ClassicMessage] = Expected(
            about, timeout_s=timeout_s, wait=self._runtime.wait
        )
        with self._lock:
            kept = self._take()
            if kept is not None:
                expected.settle(to_classic(kept))
            elif self._ended is not None:
                expected.fail(self._ended)
            else:
                self._expected = [*self._expected, expected]
        return expected

    def renew_lock(self) -> None:
        """See ``CommManager.renew_locks``."""
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ inside

    def _put_aside(self, message: Message) -> int:
        """Keep a message until somebody asks; return how many older ones had to go. With the lock held."""
        if self._inbox is None:
            self._inbox = Inbox(self._limits)
        return self._inbox.put(message)

    def _take(self) -> Message | None:
        """Return the oldest message that is kept, or None. With the lock held."""
        return self._inbox.take() if self._inbox else None

    def _settle_expected(self, message: Message) -> bool:
        while self._expected:
            expected, *self._expected = self._expected
            if expected.is_waiting() and expected.settle(to_classic(message)):
                return True
        return False

    def _arrived(self) -> None:
        if not self._arrivals:
            return
        with self._lock:
            arrivals, self._arrivals = self._arrivals, ()
        for expected in arrivals:
            if expected.is_waiting():
                expected.settle(None)

    def _pump(self) -> None:
        """Run handlers until nothing is due, or an ``async`` one is under way."""
        while (due := self._begin()) is not None:
            handler, message, name = due
            is_over = self._run(handler, message, name)
            self._arrived()
            if not is_over:
                return

    def _begin(self) -> tuple[Handler, Message, str] | None:
        with self._lock:
            if self._busy:
                return None
            if self._on_msg is not None and (message := self._take()) is not None:
                self._busy = True
                return self._on_msg, message, "on_msg"
            if self._on_close is not None and self._close is not None:
                message, self._close, self._busy = self._close, None, True
                return self._on_close, message, "on_close"
        return None

    def _run(self, handler: Handler, message: Message, name: str) -> bool:
        """Run one handler; False while it is still under way."""
        if self._missed:
            self._report_gap()  # what was lost before this message is told before it
        classic = to_classic(message)
        try:
            result = self._runtime.run(lambda: handler(classic), message)
        except (Exception, SystemExit) as error:  # a handler never ends its host
            self._runtime.report(error, f"{name} of {self._about}", message)
            result = None
        except BaseException:
            self._busy = False
            raise
        if result is not None and inspect.isawaitable(result):
            about = f"{name} of {self._about}"
            self._runtime.spawn(result, lambda error: self._finished(error, about, message))
            return False
        self._busy = False
        return True

    def _finished(self, error: BaseException | None, about: str, message: Message) -> None:
        if error is not None:
            self._runtime.report(error, about, message)
        self._busy = False
        self._pump()
