"""One end of a comm, as users hold it: the classic ``Comm`` of ipykernel with its promises kept.

Conveniences live here, above the strict table of ``protocol/states.py``: ``close()`` twice is a no-op,
registering a handler returns the handler.

One piece, because a comm is one object to who uses it; half of these lines are what they read of it.

Spec: Jupyter messaging, "Custom Messages".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Final, Literal, Protocol, Self, TypeVar, cast, get_args, overload

from tsushin.delivery import Delivery, GapHandler
from tsushin.errors import ClosedBy, CommClosed, LocalProtocolError, TsushinError, quote
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.host import host_manager
from tsushin.peers import Peer
from tsushin.protocol.buffers import BytesLike, Encoded, encode_data
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import ClassicMessage, CommId, JsonObject, Message, to_classic
from tsushin.protocol.packed import Packed
from tsushin.protocol.routing import CommRecord
from tsushin.protocol.states import State
from tsushin.requests import DEFAULT_WINDOW, Answer, Asking, Requests
from tsushin.runtime import Handler, Run, Runtime
from tsushin.sessions import OnProgress, Sessions
from tsushin.streams import Stream

Data = Mapping[str, object]
Buffers = Sequence[BytesLike]
Snapshot = Callable[[], Data | None]
# What a full send queue does to a message.
OnFull = Literal["wait", "raise", "keep"]
H = TypeVar("H", bound=Handler)

_RUNS: Final = get_args(Run)
ON_FULL_TIMEOUT_S: Final = 30.0  # a ``send`` that waits for peers ends after that


# Ids are no secrets. The system's generator would let another thread have the interpreter each time; this one
# is our own, so that ids stay apart whatever a user seeds.
_random: Final = Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


class CommOwner(Asking, Protocol):
    """What a comm asks of its manager."""

    runtime: Runtime
    limits: Limits
    _lock: threading.RLock

    @property
    def display(self) -> Callable[[], JsonObject | None]:
        """Returns what a notebook shows for a comm, as MIME types; None for its text."""

    def runtime_for(self, run: Run) -> Runtime:
        """Return what runs the handlers of a comm."""

    @property
    def sessions(self) -> Sessions:
        """Its peers."""

    def open_comm(self, comm: Comm, encoded: Encoded) -> None:
        """Register the comm and send its ``comm_open``."""

    def send_comm(
        self,
        comm: Comm,
        encoded: Encoded,
        *,
        coalesce: str | None = None,
        on_full: OnFull = "keep",
        to: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Send a ``comm_msg``; ``on_full`` "keep" queues it anyway, ``to`` who is not there means all."""

    def close_comm(self, comm: Comm, encoded: Encoded) -> None:
        """Send its ``comm_close`` and unregister the comm."""


class Comm:
    """One end of a comm.

    Making one opens it at the peer, unless ``primary`` is False: then the peer has opened it, and
    ``CommManager.register_comm`` takes it over.

    Args:
        target_name: what the peer looks up.
        data: a JSON object for the peer's target; may hold bytes and arrays (``send``).
        metadata: a JSON object.
        buffers: bytes-like attachments, in order.
        comm_id: made automatically unless given; never reused.
        primary: this end opens.
        target_module: where a frontend finds the target if it is not registered there.
        manager: whose comm this is; None means the kernel or the endpoint of this process.
        run: where its handlers run in a kernel. "main": on the main thread, one at a time, when the
            running cell awaits or asks (``poll``, ``wait``), at the latest between two cells. "thread":
            at once, on one thread beside it; what they touch must stand that. Elsewhere handlers run on
            the event loop and this makes no difference.
        history: so many of its newest messages are kept in a kernel, and given to each page that takes the
            comm up later (``Frontend.restore``), after what it was opened with.

    Raises:
        NoHost: no manager was given and this process has neither kernel nor endpoint.
        DuplicateComm: ``comm_id`` is in use.
        TypeError: JSON cannot carry ``data`` or ``metadata``; the path is named.
        ValueError: ``run`` is neither "main" nor "thread", or ``history`` is below 0.

    Attributes:
        comm_id: the id both ends share.
        target_module: where a frontend finds the target if it is not registered there.
    """

    # There may be very many comms. What most of them never need is the class's, until a comm has its own.
    target_module: str | None = None
    _opened: Packed | Message | None = None
    _run: Run = "main"
    _history: int = 0
    _snapshot: Snapshot | None = None
    _own_delivery: Delivery | None = None  # made when first needed: some only send
    _own_requests: Requests | None = None  # made when first needed: most never ask

    def __init__(  # noqa: PLR0913 (the classic signature)
        self,
        target_name: str = "comm",
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Buffers | None = None,
        comm_id: str | None = None,
        primary: bool = True,  # noqa: FBT001, FBT002 (the classic signature)
        target_module: str | None = None,
        *,
        manager: CommOwner | None = None,
        run: Run = "main",
        history: int = 0,
    ) -> None:
        if history < 0:
            raise ValueError(f"history: expected 0 or more messages, got {quote(history)}")
        self._manager = host_manager() if manager is None else manager
        self._record = CommRecord(CommId(comm_id or _new_id()), target_name, primary)
        self._request: JsonObject | None = self._manager.runtime.parent()
        if check_run(run) != "main":
            self._run = run
            self._manager.runtime_for(run)  # a host that has no such thread says so now
        if history:
            self._history = history
        if target_module is not None:
            self.target_module = target_module
        if primary:
            self.open(data, metadata, buffers)

    @property
    def comm_id(self) -> str:
        """The id both ends share."""
        return self._record.comm_id

    @property
    def target_name(self) -> str:
        """The name the secondary end looked up."""
        return self._record.target_name

    @property
    def primary(self) -> bool:
        """True where this end opened the comm."""
        return self._record.primary

    @property
    def open_msg(self) -> ClassicMessage | None:
        """The ``comm_open`` that made this comm here, made anew each time; None where this end opened."""
        opening = self._opening()
        return None if opening is None else to_classic(opening)

    @property
    def run(self) -> Run:
        """Where its handlers run in a kernel: "main" or "thread"."""
        return self._run

    @property
    def history(self) -> int:
        """How many of its messages are kept for who takes it up later."""
        return self._history

    @property
    def closed(self) -> bool:
        """True once closed by either end, or lost."""
        return self._record.state is State.CLOSED

    @property
    def closed_by(self) -> ClosedBy | None:
        """Who closed: "here", "there", "lost"; None while not closed."""
        return self._record.closed_by

    def open(
        self,
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Buffers | None = None,
    ) -> None:
        """Open at the peer. Done by the constructor; needed only after ``primary=False``.

        Raises:
            DuplicateComm: it is open already, or another comm has its id.
            CommClosed: it was closed. A comm is opened once; make a new one.
        """
        self._manager.open_comm(self, self._encoded(data, metadata, buffers))

    def send(
        self,
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Buffers | None = None,
        *,
        copy: bool = True,
        coalesce: str | None = None,
        on_full: Literal["wait", "raise"] = "wait",
        to: Peer | str | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Send a message. It is encoded now: what is changed afterwards does not change it.

        Args:
            data: a JSON object. Bytes-like values and arrays in it travel as buffers and come back
                as views and arrays at a tsushin end; a plain peer sees ``null``.
            metadata: a JSON object.
            buffers: bytes-like attachments, in order.
            copy: copy buffers that can still be changed; False saves the copy of a large array and
                asks that it is left alone until it has left.
            coalesce: a key: while messages of this comm have to wait because a peer cannot keep up, only
                the newest with this key is sent.
            on_full: when more than ``Limits.max_queue_bytes`` wait: "wait" for peers, at most 30 s, or
                "raise". On an event loop both raise: ``await comm.drain()`` first.
            to: one of ``comm_manager.peers``, or its session: nobody else gets the message. At a frontend the
                kernel end is the only one.
            on_progress: called with bytes sent and bytes in all as a large message leaves in pieces, or once
                for a small one. Where it returns False, the rest is not sent.

        Raises:
            QueueFull: peers do not keep up. Nothing was sent.
            LimitExceeded: above what the route takes in one message, and there is no peer that joins pieces.
            NoPeer: ``to`` is not there. Nothing was sent.
            CommClosed: closed by either end, or lost; the error has the data of the close.
            CommNotOpen: never opened.
            TypeError: JSON cannot carry a value; its path is named, as ``data.points[3].t``.
        """
        encoded = self._encoded(data, metadata, buffers, copy=copy)
        session = self._session_of(to)
        if session is not None:
            self._manager.check_live(session, str(self))
        self._manager.send_comm(
            self,
            encoded,
            coalesce=coalesce,
            on_full=on_full,
            to=session,
            on_progress=on_progress,
        )

    def drain(self, timeout: float | None = DEFAULT_TIMEOUT_S) -> Expected[None]:
        """Return the moment when peers have all that was sent, as something to ``await`` or ``.result()``.

        It is now where there is no peer that confirms anything; one that lags by 5 s is not waited for.

        Args:
            timeout: seconds from now; then the builtin TimeoutError.
        """
        return self._manager.sessions.drained(
            self.comm_id, f"everything sent on {self} to arrive", timeout
        )

    def close(
        self,
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Buffers | None = None,
    ) -> None:
        """Close at both ends. A second call, or one after the peer closed, does nothing."""
        if not self.closed:
            self._manager.close_comm(self, self._encoded(data, metadata, buffers))

    @overload
    def on_msg(self, callback: H) -> H: ...
    @overload
    def on_msg(self, callback: None) -> None: ...
    def on_msg(self, callback: H | None) -> H | None:
        """Call ``callback(msg)`` for each message; usable as a decorator.

        Replaces the callback before; None removes it. One message at a time, in order; an ``async``
        callback is awaited before the next. Messages that came before are delivered right after.
        """
        self._delivery.set_on_msg(callback)
        return callback

    @overload
    def on_close(self, callback: H) -> H: ...
    @overload
    def on_close(self, callback: None) -> None: ...
    def on_close(self, callback: H | None) -> H | None:
        """Call ``callback(msg)`` once when the peer closes or the comm is lost; a decorator too.

        Not called for one's own ``close()``. For a loss ``msg`` is shaped like a ``comm_close`` whose
        ``metadata.tsushin.lost`` has the reason.
        """
        self._delivery.set_on_close(callback)
        return callback

    def expect_msg(self, timeout: float = DEFAULT_TIMEOUT_S) -> Expected[ClassicMessage]:
        """Return the next unread message, kept or to come, as something to ``await`` or ``.result()``.

        May be made before the peer sends. That message then goes to nobody else.

        Args:
            timeout: seconds from now; then the builtin TimeoutError.
        """
        return self._delivery.expect(f"comm_msg on {self}", timeout)

    @overload
    def on_gap(self, callback: GapHandler) -> GapHandler: ...
    @overload
    def on_gap(self, callback: None) -> None: ...
    def on_gap(self, callback: GapHandler | None) -> GapHandler | None:
        """Call ``callback(missed)`` when messages of this comm are lost for good; a decorator too.

        ``missed`` is how many: dropped here because nobody read them, or sent by the peer and not to be had
        again. Without a callback they are reported as a warning. None removes it.
        """
        self._delivery.set_on_gap(callback)
        return callback

    @overload
    def snapshot(self, f: Snapshot) -> Snapshot: ...
    @overload
    def snapshot(self, f: None) -> None: ...
    def snapshot(self, f: Snapshot | None) -> Snapshot | None:
        """Call ``f()`` for the state of this comm, which is what it returns as ``data``; a decorator too.

        A page that takes the comm up later, or has lost messages of it for good, gets it as a message, with
        ``metadata.tsushin.snapshot``; nobody else does. For comms that a kernel opens. It runs where handlers
        run. None removes it.
        """
        self._snapshot = f
        return f

    def _send_snapshot(self, session: str) -> None:
        """Send the state to one session. For the manager, on the thread that handlers run on."""
        if self._snapshot is None or self.closed:
            return
        try:
            self._send_entry(self._snapshot(), {"snapshot": True}, to=session)
        except (Exception, SystemExit) as error:  # a callback never ends its host
            self._manager.runtime.report(error, f"snapshot of {self}", None)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The live sessions that have this comm open, as far as they have said so."""
        return self._manager.sessions.peers.with_open(self.comm_id)

    def ready(self, timeout: float | None = DEFAULT_TIMEOUT_S) -> Expected[Peer]:
        """Return the first peer that has this comm open, as something to ``await`` or ``.result()``.

        Args:
            timeout: seconds from now.

        Raises:
            NoPeer: (the wait, at a frontend) the kernel has no end that knows the profile.
            TimeoutError: (the wait) nobody has accepted it in time. At a kernel that may be because no page
                knows the profile: one that does may be opened at any time.
        """
        return self._manager.sessions.ready(self.comm_id, f"a peer for {self}", timeout)

    # ------------------------------------------------------------------ requests

    def request(
        self,
        name: str,
        data: Data | None = None,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        to: Peer | str | None = None,
    ) -> Expected[Answer]:
        """Ask the peer's ``handle(name, …)``; return its answer to come: ``await`` it.

        Args:
            name: as the peer registered it.
            data: a JSON object; may hold bytes and arrays.
            timeout: seconds from now; None waits as long as the comm is open.
            to: as in ``send``; None asks every peer, and the first answer counts.

        Raises:
            CommClosed, CommNotOpen, TypeError, NoPeer: as ``send``.

        The answer raises ``RemoteError`` where the peer's function raised, ``NoPeer`` where it has none for
        ``name``, the builtin ``TimeoutError``, and whatever ended the comm.
        """
        return self._requests.ask(name, data, timeout, self._session_of(to))

    def request_sync(
        self,
        name: str,
        data: Data | None = None,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        to: Peer | str | None = None,
    ) -> Answer:
        """Do as ``request`` and wait for the answer, in plain code: also in the very cell that runs.

        Due handlers of other comms run meanwhile; in a kernel Ctrl-C ends it.

        Raises:
            LocalProtocolError: this is the event loop that brings the answer: ``await comm.request(…)``.
        """
        return self.request(name, data, timeout=timeout, to=to).result()

    def stream(
        self,
        name: str,
        data: Data | None = None,
        *,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = DEFAULT_TIMEOUT_S,
        to: Peer | str | None = None,
    ) -> Stream:
        """Ask the peer's ``handle(name, …)`` for an answer in parts; iterate over what this returns.

        ``async for part in comm.stream(…)``, or ``for`` in a plain cell. The peer's function yields the
        parts; one that returns a value gives one part.

        Args:
            name: as the peer registered it.
            data: a JSON object; may hold bytes and arrays.
            window: parts that may have arrived unread; the function waits at its ``yield`` until one is read.
            timeout: seconds to wait for each part; None waits as long as the comm is open.
            to: as in ``request``.

        Raises:
            ValueError: ``window`` is below 1.
            CommClosed, CommNotOpen, TypeError, NoPeer: as ``send``.

        The iteration raises what the answer of ``request`` raises.
        """
        if window < 1:
            raise ValueError(f"window: expected 1 or more parts, got {quote(window)}")
        return self._requests.ask_stream(name, data, timeout, window, self._session_of(to))

    @overload
    def handle(self, name: str, f: H) -> H: ...
    @overload
    def handle(self, name: str) -> Callable[[H], H]: ...
    def handle(self, name: str, f: Handler | None = None) -> object:
        """Answer the peer's requests for ``name`` by ``f(msg)``, possibly ``async``; a decorator too.

        Args:
            name: what the peer asks for.
            f: its value, any JSON value or binary, is the answer; what it yields are the parts of it, for
                who asked by ``stream``; what it raises is the peer's error. Left out, this is a decorator.

        Returns:
            The function; it replaces the one before.
        """
        if not isinstance(name, str):  # @comm.handle without its name
            raise TypeError(f"handle: expected a name, got {quote(name)}")
        if f is None:
            return lambda function: self.handle(name, function)
        if not callable(f):
            raise TypeError(f"handle {name!r}: expected a function, got {quote(f)}")
        self._requests.handle(name, f)
        return f

    @property
    def _delivery(self) -> Delivery:
        if self._own_delivery is None:
            runtime = self._manager.runtime_for(self._run)
            with self._manager._lock:  # one only, whatever another thread does
                if self._own_delivery is None:
                    self._own_delivery = Delivery(runtime, self._manager.limits, self)
        return self._own_delivery

    @property
    def _requests(self) -> Requests:
        if self._own_requests is None:
            runtime = self._manager.runtime_for(self._run)
            with self._manager._lock:  # one only, whatever another thread does
                if self._own_requests is None:
                    self._own_requests = Requests(
                        self._record.comm_id, self._send_entry, runtime, self._manager, self.__str__
                    )
        return self._own_requests

    def _opening(self) -> Message | None:
        return self._opened.message() if isinstance(self._opened, Packed) else self._opened

    def _opened_by(self, message: Message, packed: Packed | None) -> None:
        """The peer has opened this comm by that message. For the manager."""
        self._opened = packed or message
        if packed is not None and self._request == message.header:
            self._request = None  # that is in there, too

    def _made_under(self) -> JsonObject:
        """Return the header of the message that was worked on when this comm was made, or {}."""
        if self._request is None:  # who asks once asks often: it is kept from here on
            opening = self._opening()
            self._request = {} if opening is None else cast("JsonObject", opening.header)
        return self._request

    def _end_requests(self, error: TsushinError) -> None:
        """The comm is closed: every wait for an answer ends. For the manager."""
        if self._own_requests is not None:
            self._own_requests.end(error)

    def _send_entry(self, data: Data | None, entry: JsonObject, *, to: str | None = None) -> None:
        self._manager.send_comm(self, self._encoded(data, None, None, entry=entry), to=to)

    def _session_of(self, to: Peer | str | None) -> str | None:
        return to.session if isinstance(to, Peer) else to

    def _encoded(
        self,
        data: Data | None,
        metadata: Data | None,
        buffers: Buffers | None,
        *,
        copy: bool = True,
        entry: JsonObject | None = None,
    ) -> Encoded:
        data, metadata = self._cleaned(data), self._cleaned(metadata)
        return encode_data(data, metadata, buffers, copy=copy, entry=entry)

    def _cleaned(self, data: Data | None) -> Data | None:
        """Return what is checked and encoded; more lenient hosts do something first."""
        return data

    # ------------------------------------------------------------------ asking, in a running cell

    def poll(self) -> list[ClassicMessage]:
        """Take what has come for this comm, without waiting: what a loop calls between two steps.

        Returns:
            The messages nobody has read, oldest first. With ``on_msg`` set they are its to handle: it
            runs for each of them, now, and the list is empty. The same holds for ``on_close``.
        """
        self._manager.runtime.poll(self.comm_id)
        return [to_classic(message) for message in self._delivery.take_all()]

    def wait(self, timeout: float | None = DEFAULT_TIMEOUT_S) -> list[ClassicMessage]:
        """Wait until something has come for this comm, then do as ``poll``.

        Due handlers of other comms run meanwhile; in a kernel Ctrl-C ends it.

        Args:
            timeout: seconds; None waits until the comm ends.

        Raises:
            TimeoutError: nothing came.
            CommClosed: the comm was closed, and nothing is left to read.
            TsushinError: whatever else ended it, as ``KernelGone``.
            LocalProtocolError: this is the event loop that brings the messages: use ``async for``.
        """
        arrival = self._delivery.arrival(f"a message on {self}", timeout)
        found = self.poll()
        if not found:
            arrival.result()
            found = self.poll()
        arrival.cancel()
        return found

    def __aiter__(self) -> Self:
        """Iterate over the messages: ``async for msg in comm``. It ends when the comm is closed.

        Raises:
            LocalProtocolError: ``on_msg`` is set, which takes them.
        """
        if self._delivery.has_on_msg:
            raise LocalProtocolError(f"{self}: on_msg is set, so there is nothing to iterate over")
        return self

    async def __anext__(self) -> ClassicMessage:
        """Return the next unread message. Raises what ended the comm, if it was lost."""
        try:
            return await self._delivery.next()
        except CommClosed as closed:
            if closed.closed_by == "lost":
                raise
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # object: what IPython asks for; a host that shows something shows all of it.
    def _repr_mimebundle_(self, **_kwargs: object) -> JsonObject | None:
        """Show what the host needs to reach its pages, if anything; else the text is shown."""
        return self._manager.display()

    def __str__(self) -> str:
        return f"comm {self.comm_id[:8]} on target {self.target_name!r}"

    def __repr__(self) -> str:
        state = self._record.state.value.lower()
        by = f" by {self.closed_by}" if self.closed_by else ""
        return f"<Comm {self.target_name!r} {self.comm_id} {state}{by}>"


def _new_id() -> str:
    return f"{_random.getrandbits(128):032x}"


def check_run(run: Run) -> Run:
    """Return ``run``, or raise ValueError where it is none."""
    if run not in _RUNS:
        raise ValueError(f"run: expected 'main' or 'thread', got {quote(run)}")
    return run
