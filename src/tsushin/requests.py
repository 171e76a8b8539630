"""Requests on one comm: who waits for which answer, and which function answers the peer's.

A request is a ``comm_msg`` that its receiver's handlers never see (``profile/requests.py``). Answers are
taken at once, on whatever thread they arrive, so that a wait for one is never behind a handler. Functions
that answer run where the comm's handlers run; ``async`` ones beside each other, up to ``MAX_RUNNING``.
"""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from dataclasses import dataclass, field
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
    Part,
    answer_entry,
    failure_entry,
    part_entry,
    request_entry,
)
from tsushin.protocol.messages import JsonObject, Message, to_classic
from tsushin.runtime import Cancel, Handler, Runtime
from tsushin.sessions import GRACE_S
from tsushin.streams import Stream

# Parts of a stream that may be unread.
DEFAULT_WINDOW: Final = 16
# Async functions of one comm under way; what is asked beyond waits its turn.
MAX_RUNNING: Final = 64

# Any: any JSON value, or binary.
Answer = Any


class Send(Protocol):
    """Sends a ``comm_msg`` with an entry in ``metadata.tsushin``."""

    def __call__(
        self, data: Mapping[str, object] | None, entry: JsonObject, *, to: str | None = None
    ) -> None:
        """Send it, to one session or to all. Errors as ``Comm.send``."""


class Asking(Protocol):
    """What requests ask of the manager, about peers. ``comm_id`` is their comm's.

    Attributes:
        allow_tracebacks: a failure says where it was raised.
    """

    allow_tracebacks: bool

    def check_live(self, session: str, about: str) -> None:
        """Raise NoPeer where a session is not there."""

    def may_answer(self, comm_id: str) -> set[str] | None:
        """Return the sessions that may answer; None while one that is not there may still come."""

    def may_have_heard(self, comm_id: str) -> set[str]:
        """Return the sessions that may have got what was sent before they said hello."""

    def cancel_request(self, comm_id: str, req: str, but: str | None) -> None:
        """Tell peers, all but one, that nobody waits for an answer any more."""

    def credit_request(self, comm_id: str, req: str, taken: int, session: str) -> None:
        """Tell a peer how many parts of its answer were taken in all."""


@dataclass(slots=True)
class _Waiting:
    """A request without its whole answer.

    Attributes:
        heard: the sessions that were there when it was sent; None while nobody was.
        without: the sessions that have no handler for it.
        to: the one session that was asked; None where all were.
        session: of the peer whose parts it takes.
    """

    expected: Expected[Answer] | Stream
    to: str | None = None
    heard: set[str] | None = None
    without: set[str] = field(default_factory=set)
    session: str | None = None


@dataclass(slots=True)
class _Sending:
    """A stream that is sent: how many parts were taken, and who waits for more to be."""

    window: int
    taken: int = 0
    room: Expected[None] | None = None


class Requests:
    """The requests of one comm. Any thread may call.

    Args:
        about: how errors name the comm.
    """

    def __init__(
        self,
        comm_id: str,
        send: Send,
        runtime: Runtime,
        asking: Asking,
        about: Callable[[], str],
    ) -> None:
        self.late: int = 0
        self._comm_id = comm_id
        self._asking = asking
        self._send = send
        self._runtime = runtime
        self._about = about
        self._lock = threading.Lock()
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._untold: list[str] = []  # requests nobody waits for, which no peer was there to hear
        self._sending: dict[str, _Sending] = {}
        self._cancels: dict[str, Cancel] = {}  # by request: ends the async function that answers
        self._running = 0
        self._queue: list[tuple[Asked, Message]] = []

    # ------------------------------------------------------------------ asking

    def ask(
        self,
        name: str,
        data: Mapping[str, object] | None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        to: str | None = None,
    ) -> Expected[Answer]:
        """Send a request; return the answer to come. Errors as ``Comm.send``."""
        about = f"answer to {quote(name)} on {self._about()}"
        req = uuid4().hex
        expected: Expected[Answer] = Expected(
            about,
            timeout_s=timeout_s,
            wait=self._runtime.wait,
            abandoned=lambda: self._abandon(req),
        )
        self._ask(data, Asked(req, name), expected, to)
        return expected

    def ask_stream(
        self,
        name: str,
        data: Mapping[str, object] | None,
        timeout_s: float | None,
        window: int,
        to: str | None = None,
    ) -> Stream:
        """Send a request for an answer in parts; return them, to come. Errors as ``Comm.send``."""
        req = uuid4().hex
        stream = Stream(
            f"part of the answer to {quote(name)} on {self._about()}",
            timeout_s=timeout_s,
            window=window,
            wait=self._runtime.wait,
            give_credit=lambda taken: self._give_credit(req, taken),
            cancel=lambda: self._abandon(req),
        )
        self._ask(data, Asked(req, name, window), stream, to)
        return stream

    def _ask(
        self,
        data: Mapping[str, object] | None,
        asked: Asked,
        expected: Expected[Answer] | Stream,
        to: str | None,
    ) -> None:
        req = asked.req
        with self._lock:
            self._waiting = {i: w for i, w in self._waiting.items() if w.expected.is_waiting()}
            self._waiting[req] = _Waiting(expected, to)
        try:
            if to is not None:
                self._asking.check_live(to, expected.about)
            self._send(data, request_entry(asked), to=to)
        except BaseException:
            self._waiting.pop(req, None)
            raise
        self._look_at(req)
        if req in self._waiting and self._asking.may_answer(self._comm_id) is None:
            self._runtime.later(GRACE_S, lambda: self._look_at(req))

    def _give_credit(self, req: str, taken: int) -> None:
        waiting = self._waiting.get(req)
        if waiting is not None and waiting.session is not None:
            self._asking.credit_request(self._comm_id, req, taken, waiting.session)

    def take_answer(self, answer: Answered | Part | Failed, session: str) -> None:
        """Give an answer to who waits for it; one nobody waits for any more is counted as late.

        Args:
            session: of the peer that answers.
        """
        with self._lock:
            waiting = self._waiting.get(answer.re)
            is_for_nobody = waiting is None or not waiting.expected.is_waiting()
            if is_for_nobody:
                self._waiting.pop(answer.re, None)
                self.late += 1
        if waiting is None or is_for_nobody:
            return
        if isinstance(answer, Part):
            self._take_part(answer, waiting, session)
            return
        if waiting.session not in (None, session):
            return  # another one's parts are taken
        if isinstance(answer, Failed) and answer.name == NO_HANDLER:
            waiting.without.add(session)
            self._look_at(answer.re, answer.message)
            return
        self._waiting.pop(answer.re, None)
        if waiting.session is None:  # the first one counts
            self._asking.cancel_request(self._comm_id, answer.re, session)
        expected = waiting.expected
        if isinstance(answer, Answered):
            expected.settle(answer.value)
        else:
            text = f"{answer.name}: {answer.message}"
            expected.fail(RemoteError(text, name=answer.name, remote_traceback=answer.traceback))

    def _take_part(self, part: Part, waiting: _Waiting, session: str) -> None:
        if waiting.session is None:  # the first one counts
            waiting.session = session
            self._asking.cancel_request(self._comm_id, part.re, session)
        if waiting.session == session and isinstance(waiting.expected, Stream):
            waiting.expected.put(part.value)

    def peers_changed(self) -> None:
        """Somebody came or left, or refused the comm: what nobody can answer any more fails.

        Whoever came is told what it may not have heard: which streams were read how far, which were left.
        """
        untold, self._untold = self._untold, []
        for req in untold:
            self._asking.cancel_request(self._comm_id, req, None)
        for req, waiting in list(self._waiting.items()):
            if isinstance(waiting.expected, Stream):
                waiting.expected.give_credit_again()
            self._look_at(req)

    def _look_at(self, req: str, why: str = "nobody at the other end answers requests") -> None:
        """End a request for whose answer nobody is left."""
        waiting = self._waiting.get(req)
        may_answer = self._asking.may_answer(self._comm_id)
        if waiting is None or (may_answer is None and not waiting.without):
            return
        there = may_answer or set()
        if waiting.heard is None:
            waiting.heard = set(there)
        waiting.heard |= self._asking.may_have_heard(self._comm_id)
        # Who came since does not know of it: a page that was loaded again, a second one.
        left = (there & waiting.heard) - waiting.without
        if waiting.to is not None:
            left &= {waiting.to}
        if not left or waiting.session not in (None, *left):
            self._waiting.pop(req, None)
            waiting.expected.fail(NoPeer(f"{waiting.expected.about}: {why}"))

    def _abandon(self, req: str) -> None:
        """Who asked waits no longer: the function that answers need not go on."""
        if self._waiting.pop(req, None) is not None:
            if self._asking.may_answer(self._comm_id) is None:
                self._untold.append(req)
            self._asking.cancel_request(self._comm_id, req, None)

    def end(self, error: TsushinError) -> None:
        """The comm is closed: every wait ends with ``error``."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self._untold.clear()
            self._queue.clear()
            cancels, self._cancels = self._cancels, {}
        for one in waiting.values():
            one.expected.fail(error)
        for cancel in cancels.values():
            cancel()

    # ------------------------------------------------------------------ answering

    def handle(self, name: str, function: Handler) -> None:
        """Let ``function`` answer requests for ``name``."""
        self._handlers[name] = function

    def refuse_unknown(self, asked: Asked, session: str) -> bool:
        """Answer a request of a session that nobody here handles; False where somebody does."""
        if asked.name in self._handlers:
            return False
        text = f"no handler for {quote(asked.name)} is registered"
        failed = Failed(asked.req, NO_HANDLER, text)
        self._answer(lambda: self._send({}, failure_entry(failed), to=session))
        return True

    def take_request(self, asked: Asked, message: Message) -> None:
        """Answer a request. Call on the thread that the comm's handlers run on."""
        with self._lock:
            if self._running >= MAX_RUNNING:
                self._queue.append((asked, message))
                return
        function = self._handlers.get(asked.name)
        if function is None:
            self.refuse_unknown(asked, message.session)
            return
        classic = to_classic(message)
        try:
            result = self._runtime.run(lambda: function(classic), message)
        except (Exception, SystemExit) as error:  # a handler never ends its host
            self._fail(asked, error, message)
        else:
            if isinstance(result, AsyncIterator | Generator):
                self._await(asked, message, self._send_parts(asked, result, message.session))
            elif inspect.isawaitable(result):
                self._await(asked, message, result)
            else:
                self._succeed(asked, result, message)

    def cancel_answer(self, req: str) -> None:
        """Nobody waits for this answer any more: end the function that makes it. Any thread."""
        with self._lock:
            self._queue = [one for one in self._queue if one[0].req != req]
            cancel = self._cancels.pop(req, None)
        if cancel is not None:
            cancel()

    def renew_lock(self) -> None:
        """See ``CommManager.renew_locks``."""
        self._lock = threading.Lock()

    def credit_answer(self, req: str, taken: int) -> None:
        """So many parts of this answer were taken in all: more may be sent. Any thread."""
        with self._lock:
            sending = self._sending.get(req)
            if sending is None or taken <= sending.taken:
                return
            sending.taken = taken
            room, sending.room = sending.room, None
        if room is not None:
            room.settle(None)

    # ------------------------------------------------------------------ inside

    # Any: what a user's function yields.
    async def _send_parts(
        self, asked: Asked, parts: AsyncIterator[Any] | Generator[Any, None, None], session: str
    ) -> None:
        """Send each part as it comes, no more ahead of the reader than it wants."""
        sent = 0
        self._sending[asked.req] = _Sending(asked.stream)
        try:
            if not asked.stream:
                raise TypeError("the answer comes in parts: use comm.stream(…) instead of request")
            async for value in _each(parts):
                await self._room(asked.req, sent)
                sent += 1
                self._send({"value": value}, part_entry(asked.req, sent), to=session)
        finally:
            self._sending.pop(asked.req, None)
            if isinstance(parts, Generator):
                parts.close()
            elif isinstance(parts, AsyncGenerator):
                await parts.aclose()

    async def _room(self, req: str, sent: int) -> None:
        """Wait until the reader wants more than it was sent."""
        while True:
            with self._lock:
                sending = self._sending[req]
                if sent < sending.taken + sending.window:
                    return
                room = sending.room = Expected(f"credit for {req}", timeout_s=None)
            await room

    # Any: the awaitable is the user's.
    def _await(self, asked: Asked, message: Message, result: Any) -> None:
        with self._lock:
            self._running += 1

        async def run() -> None:
            value = await result
            if self._cancels.pop(asked.req, None) is not None:
                self._succeed(asked, value, message)

        def done(error: BaseException | None) -> None:
            with self._lock:
                self._running -= 1
                is_wanted = self._cancels.pop(asked.req, None) is not None
                following = self._queue.pop(0) if self._queue else None
            if error is not None and is_wanted:
                self._fail(asked, error, message)
            if following is not None:
                self.take_request(*following)

        with self._lock:
            self._cancels[asked.req] = lambda: None
        cancel = self._runtime.spawn(run(), done)
        with self._lock:
            if asked.req in self._cancels:
                self._cancels[asked.req] = cancel

    def _succeed(self, asked: Asked, value: object, message: Message) -> None:
        try:
            entry = answer_entry(asked.req)
            self._answer(lambda: self._send({"value": value}, entry, to=message.session))
        except (TypeError, ValueError) as error:  # JSON cannot carry it
            self._fail(asked, error, message)

    def _fail(self, asked: Asked, error: BaseException, message: Message) -> None:
        self._runtime.report(error, f"handler of {quote(asked.name)} of {self._about()}", message)
        is_told = self._asking.allow_tracebacks
        trace = "".join(traceback.format_exception(error)) if is_told else ""
        failed = Failed(asked.req, type(error).__name__, _text(error), trace)
        self._answer(lambda: self._send({}, failure_entry(failed), to=message.session))

    def _answer(self, send: Callable[[], None]) -> None:
        """Send an answer; with the comm closed, or its link gone, nobody waits for it."""
        try:
            send()
        except (CommClosed, TransportError):
            return


# Any: what a user's function yields.
async def _each(parts: AsyncIterator[Any] | Generator[Any, None, None]) -> AsyncIterator[Any]:
    if isinstance(parts, Generator):
        for value in parts:
            yield value
    else:
        async for value in parts:
            yield value


def _text(error: BaseException) -> str:
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "(its text cannot be made: __str__ raised)"
