"""Requests on one comm: who waits for which answer, and which function answers the peer's.

A request is a ``comm_msg`` that its receiver's handlers never see (``profile/requests.py``). Answers are
taken at once, on whatever thread they arrive, so that a wait for one is never behind a handler. Functions
that answer run where the comm's handlers run; ``async`` ones beside each other, up to ``MAX_RUNNING``.
"""

from __future__ import annotations

import inspect
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from uuid import uuid4

from tsushin.errors import (
    CommClosed,
    NoPeer,
    RemoteError,
    TransportError,
    TsushinError,
    quote,
)
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.profile.requests import (
    NO_HANDLER,
    Answered,
    Asked,
    Failed,
    answer_entry,
    failure_entry,
    request_entry,
)
from tsushin.protocol.messages import JsonObject, Message, to_classic
from tsushin.runtime import Handler, Runtime

# Async functions of one comm under way; what is asked beyond waits its turn.
MAX_RUNNING: Final = 64

# Any: any JSON value, or binary.
Answer = Any


class Send(Protocol):
    """Sends a ``comm_msg`` with an entry in ``metadata.tsushin``."""

    def __call__(self, data: Mapping[str, object] | None, entry: JsonObject) -> None:
        """Send it. Errors as ``Comm.send``."""


class Requests:
    """The requests of one comm. Any thread may call.

    Args:
        about: how errors name the comm.
    """

    def __init__(self, send: Send, runtime: Runtime, about: Callable[[], str]) -> None:
        self.late: int = 0
        self._send = send
        self._runtime = runtime
        self._about = about
        self._lock = threading.Lock()
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[str, Expected[Answer]] = {}
        self._running = 0
        self._queue: deque[tuple[Asked, Message]] = deque()

    # ------------------------------------------------------------------ asking

    def ask(
        self,
        name: str,
        data: Mapping[str, object] | None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> Expected[Answer]:
        """Send a request; return the answer to come. Errors as ``Comm.send``."""
        about = f"answer to {quote(name)} on {self._about()}"
        expected: Expected[Answer] = Expected(about, timeout_s=timeout_s, wait=self._runtime.wait)
        req = uuid4().hex
        with self._lock:
            self._waiting = {i: e for i, e in self._waiting.items() if e.is_waiting()}
            self._waiting[req] = expected
        try:
            self._send(data, request_entry(Asked(req, name)))
        except BaseException:
            self._waiting.pop(req, None)
            raise
        return expected

    def take_answer(self, answer: Answered | Failed) -> None:
        """Give an answer to who waits for it; one nobody waits for any more is counted as late."""
        with self._lock:
            expected = self._waiting.pop(answer.re, None)
            if expected is None or not expected.is_waiting():
                self.late += 1
                return
        if isinstance(answer, Answered):
            expected.settle(answer.value)
        elif answer.name == NO_HANDLER:
            expected.fail(NoPeer(f"{expected.about}: {answer.message}"))
        else:
            text = f"{answer.name}: {answer.message}"
            expected.fail(RemoteError(text, name=answer.name, remote_traceback=answer.traceback))

    def end(self, error: TsushinError) -> None:
        """The comm is closed: every wait ends with ``error``."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._queue.clear()
        for expected in waiting.values():
            expected.fail(error)

    # ------------------------------------------------------------------ answering

    def handle(self, name: str, function: Handler) -> None:
        """Let ``function`` answer requests for ``name``."""
        self._handlers[name] = function

    def refuse_unknown(self, asked: Asked) -> bool:
        """Answer a request that nobody here handles; False where somebody does."""
        if asked.name in self._handlers:
            return False
        text = f"no handler for {quote(asked.name)} is registered"
        self._answer(lambda: self._send({}, failure_entry(Failed(asked.req, NO_HANDLER, text))))
        return True

    def take_request(self, asked: Asked, message: Message) -> None:
        """Answer a request. Call on the thread that the comm's handlers run on."""
        with self._lock:
            if self._running >= MAX_RUNNING:
                self._queue.append((asked, message))
                return
        function = self._handlers.get(asked.name)
        if function is None:
            self.refuse_unknown(asked)
            return
        classic = to_classic(message)
        try:
            result = self._runtime.run(lambda: function(classic), message)
        except (Exception, SystemExit) as error:  # a handler never ends its host
            self._fail(asked, error, message)
        else:
            if inspect.isawaitable(result):
                self._await(asked, message, result)
            else:
                self._succeed(asked, result, message)

    def renew_lock(self) -> None:
        """See ``CommManager.renew_locks``."""
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ inside

    # Any: the awaitable is the user's.
    def _await(self, asked: Asked, message: Message, result: Any) -> None:
        with self._lock:
            self._running += 1

        async def run() -> None:
            self._succeed(asked, await result, message)

        def done(error: BaseException | None) -> None:
            with self._lock:
                self._running -= 1
                following = self._queue.popleft() if self._queue else None
            if error is not None:
                self._fail(asked, error, message)
            if following is not None:
                self.take_request(*following)

        self._runtime.spawn(run(), done)

    def _succeed(self, asked: Asked, value: object, message: Message) -> None:
        try:
            self._answer(lambda: self._send({"value": value}, answer_entry(asked.req)))
        except (TypeError, ValueError) as error:  # JSON cannot carry it
            self._fail(asked, error, message)

    def _fail(self, asked: Asked, error: BaseException, message: Message) -> None:
        self._runtime.report(error, f"handler of {quote(asked.name)} of {self._about()}", message)
        lines = traceback.format_exception(error)
        failed = Failed(asked.req, type(error).__name__, _text(error), "".join(lines))
        self._answer(lambda: self._send({}, failure_entry(failed)))

    def _answer(self, send: Callable[[], None]) -> None:
        """Send an answer; with the comm closed, or its link gone, nobody waits for it."""
        try:
            send()
        except (CommClosed, TransportError):
            return


def _text(error: BaseException) -> str:
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "(its text cannot be made: __str__ raised)"
