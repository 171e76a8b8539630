"""Comm messages are handled while a cell runs: ipykernel's shell channel, tapped and shared out.

What arrives goes one of four ways (DESIGN 6, "Delivery"):

- ``comm_info_request``: answered at once.
- A comm whose handlers run on the delivery thread (``run="thread"``): handed to that thread.
- An answer to a request, and a message for which no handler has to run, since somebody waits for it or
  nobody has registered: delivered on the spot.
- Everything else is due on the main thread (``due.py``): at a safe point of the running cell, or in turn.

A message that opens nothing known, or belongs to no open comm, is left to its turn: the cell or a request
before it may be about to register what it is for.

One piece, because the order of what goes which way is settled under one lock.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from tsushin.comm import Comm
from tsushin.errors import ProtocolError, RemoteProtocolError, SignatureError
from tsushin.kernel.alarm import Alarm
from tsushin.kernel.delivery_thread import DeliveryThread
from tsushin.kernel.due import Due, comm_id_of
from tsushin.kernel.handling import Handling, interruptible
from tsushin.kernel.iopub import IopubSender
from tsushin.kernel.raw import message_of
from tsushin.kernel.shell_channel import Frames, ShellChannel, ThreadedShell, tap
from tsushin.kernel.switch_interval import SwitchInterval
from tsushin.protocol.messages import COMM_TYPES, JsonObject, Message
from tsushin.wire import zmq
from tsushin.wire.signing import Signer

INFO: Final = "comm_info_request"
# Above this nothing more is read until half of it is handled: the sender waits, as it would without us.
MAX_WAITING: Final = 20_000  # messages
MAX_WAITING_BYTES: Final = 256 << 20

# Frames after the delimiter: signature, header, parent_header, metadata, content.
_HEADER_AT: Final = 2
# Requests by which a frontend shows that it is one; others come from servers, too.
_OF_FRONTENDS: Final = frozenset({"execute_request", "complete_request", "inspect_request"})
ACTIVITY_S: Final = (
    30.0  # what comes by a lane is shown on iopub so often; a server's shortest cull is longer
)
_LONGEST_WAIT_S: Final = 0.5  # then look again, and let an interrupt in where a lock would not


class Manager(Protocol):
    """What is asked of the kernel's manager."""

    comms: Any  # Any: comm id -> comm, of this package or another

    def knows_target(self, target_name: str) -> bool:
        """Say whether a ``comm_open`` for this target would be accepted."""

    def arrive(self, message: Message) -> list[Message]:
        """Return what can be handled now that a message has arrived, in order."""

    def heard_plain(self, session: str) -> None:
        """A session sent a request that frontends send."""

    def keep(self, message: Message, *, only_answers: bool = False) -> bool:
        """Deliver a message for which no handler has to run; False where one has to."""

    def take(self, message: Message) -> None:
        """Handle a message."""

    def comm_info(self, target_name: str | None = None) -> JsonObject:
        """Return the content of a ``comm_info_reply``."""

    def shown_under(self, message: Message) -> Message:
        """Return what outputs belong to of a handler whose message no frontend knows as a request."""


class ShellDelivery:
    """Takes comm messages from one kernel's shell channel.

    Args:
        kernel: an ipykernel.
        loop: its main loop.
        manager: whose comms they are for.
        sender: publishes on iopub.

    Attributes:
        thread: where handlers of comms with ``run="thread"`` run.
        alarm: calls things later.
        placing: held while what arrived is put where it belongs, so that order is kept.
        handling: what is around each handled message.
        carriers: returns the ids of comms that carry messages of other comms.
    """

    def __init__(
        self,
        kernel: Any,  # Any: the class differs between versions
        loop: asyncio.AbstractEventLoop,
        manager: Manager,
        sender: IopubSender,
    ) -> None:
        self.thread: DeliveryThread = DeliveryThread()
        self.alarm: Alarm = Alarm()
        self.placing: threading.RLock = threading.RLock()
        self.handling: Handling = Handling(kernel, sender.status, lambda: self._running)
        self.carriers: Callable[[], set[str]] = set
        self._kernel = kernel
        self._loop = loop
        self._manager = manager
        session = kernel.session
        self._sender = sender
        self._signer = Signer(session.key, scheme=session.signature_scheme)
        self._due = Due()
        self._channel: ShellChannel | None = tap(kernel, self)
        self._changed = threading.Event()
        self._has_room = threading.Event()
        self._soon: deque[Callable[[], None]] = deque()
        self._running: Message | None = None
        self._is_paused = False
        self._is_look_due = False
        # To the delivery thread; each is counted by one thread at a time.
        self._handed = self._handed_bytes = self._done = self._done_bytes = 0
        self._shown_until = 0.0
        self._interval = SwitchInterval(self._later)

    @property
    def is_early(self) -> bool:
        """True where messages can be had before their turn; else ipykernel delivers them as ever."""
        return self._channel is not None

    @property
    def is_beside(self) -> bool:
        """True where messages are read beside the main thread, and so in a cell that never asks."""
        return isinstance(self._channel, ThreadedShell)

    def open(self, undo: ExitStack) -> None:
        """Begin; closing ``undo`` ends it."""
        if self._channel is not None:
            self._channel.open(undo)
            undo.callback(self._interval.put_back)
            undo.callback(self.soon, self._handle_rest)

    def close(self) -> None:
        """End for good, in a process that the channel does not belong to."""
        self._channel = None

    # ------------------------------------------------------------------ safe points

    def safe_point(self, comm_id: str | None = None) -> int:
        """Handle what is due for the main thread; return how many messages that were.

        On another thread nothing happens. A KeyboardInterrupt belongs to whoever calls.

        Args:
            comm_id: only what is for this comm, or may carry something for it; None for all.
        """
        if not self._is_main():
            return 0
        self._run_soon()
        if self._channel is None:
            return 0
        self._channel.read()
        only = None if comm_id is None else {comm_id, *self.carriers()}
        return self._due.claim(self._is_claimable, self._handle, only)

    def wait(
        self, is_over: Callable[[], bool], timeout_s: float | None, *, handlers: bool = True
    ) -> bool:
        """Wait on the main thread and handle what is due meanwhile; False when the time is up.

        Args:
            handlers: False only reads what comes.
        """
        until = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        while True:
            self._changed.clear()
            if handlers:
                self.safe_point()
            elif self._channel is not None:
                self._channel.read()
            remaining = until - time.monotonic()
            if is_over():
                return True
            if remaining <= 0:
                return False
            if self._channel is None:
                self._changed.wait(min(remaining, _LONGEST_WAIT_S))
            else:
                self._channel.wait(self._changed, min(remaining, _LONGEST_WAIT_S))

    def shown_under(self, message: Message) -> Message:
        """Return what outputs of a message's handler belong to: itself, where a frontend knows it."""
        is_known = self._channel is None or not _is_quiet(message)
        return message if is_known else self._manager.shown_under(message)

    def changed(self) -> None:
        """Let ``wait`` look again. Any thread."""
        self._changed.set()

    def soon(self, callback: Callable[[], None]) -> None:
        """Call on the main thread, in this context: at the next safe point, or when the loop is free."""
        context = contextvars.copy_context()
        self._soon.append(lambda: context.run(callback))
        self._changed.set()
        if not self._loop.is_closed():  # else the kernel has ended and nobody is left to run it
            self._loop.call_soon_threadsafe(lambda: self._guarded(self._run_soon))

    def _run_soon(self) -> None:
        while self._soon:
            self._soon.popleft()()

    def _is_main(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    # ------------------------------------------------------------------ Taker

    def take(self, frames: Frames) -> tuple[bool, int | None]:
        """See ``Taker.take``. Never waits; runs no user code."""
        try:
            message = self._decode(frames) if _is_ours(frames) else None
        except SignatureError as error:
            # Not left to ipykernel, which cannot know that it is a replay of one that came this way.
            self._kernel.log.warning("tsushin: a comm message was refused: %s", error)
            return True, None
        if message is None:
            self._note_sender(frames)
            self._due.pass_by()
            return False, None
        if self._running is not None:
            self._interval.shorten()
        if message.msg_type == INFO:
            self._answer(message)
            return True, None
        with self.placing:
            arrived = self._manager.arrive(message)
            msg_id = message.header.get("msg_id")
            if all(one.header.get("msg_id") != msg_id for one in arrived):
                # Not its turn yet, or no user's message.
                self.handling.note(message)
            return True, self._place_all(arrived, sum(len(frame.buffer) for frame in frames))

    def place_late(self, messages: list[Message]) -> None:
        """Handle messages that no frames brought just now, in turn at the latest. Any thread."""
        with self.placing:
            if self._channel is None:
                self.soon(lambda: self._take_all(messages))
            elif self._place_all(messages, 0) is not None:
                self.soon(self._handle_rest)

    def take_from_lane(self, messages: list[Message]) -> None:
        """Take comm messages that came by a lane, in order; runs no user code. On the lane's thread."""
        if self._running is not None:
            self._interval.shorten()
        self._show_activity(messages)
        with self.placing:
            for message in messages:
                for arrived in self._manager.arrive(message):
                    self._place_from_lane(arrived)
        while self._is_full() or self._is_thread_full():  # the sender waits
            self._has_room.clear()
            self._has_room.wait(_LONGEST_WAIT_S)

    def first_turn(self) -> int | None:
        """See ``Taker.first_turn``: older messages of comms open now may be on their way already."""
        return self._due.hold(list(self._manager.comms))

    def turn(self, number: int) -> None:
        """See ``Taker.turn``."""
        self._due.turn(number, self._handle_in_turn)
        if len(self._due):  # what came by a lane meanwhile has no turn
            self._look_soon()

    @contextmanager
    def running(self, frames: Frames) -> Iterator[None]:
        """See ``Taker.running``; what is due is claimed whenever the request awaits something."""
        self._running = _peek(frames)
        self._loop.call_soon(self._at_await)
        try:
            yield
        finally:
            self._running = None

    # ------------------------------------------------------------------ inside

    def _decode(self, frames: Frames) -> Message | None:
        """Return a message for us; None where ipykernel shall say what is wrong with it."""
        try:
            return zmq.decode(frames, channel="shell", signer=self._signer)
        except SignatureError:
            raise
        except ProtocolError:
            return self._decode_leniently(frames)

    def _decode_leniently(self, frames: Frames) -> Message | None:
        """Decode as jupyter_client does, which takes what JSON does not have: NaN, lone surrogates."""
        session = self._kernel.session
        identities, rest = session.feed_identities(frames, copy=False)
        try:
            raw = session.deserialize(rest, content=False, copy=False)
            message = message_of(raw | {"content": session.unpack(raw["content"])})
        except (RemoteProtocolError, ValueError, TypeError):
            return None
        return replace(message, identities=tuple(bytes(identity) for identity in identities))

    def _take_all(self, messages: list[Message]) -> None:
        for message in messages:
            self._manager.take(message)

    def _place_all(self, messages: list[Message], nbytes: int) -> int | None:
        """Place messages; return the segment to ask a turn for, as ``Due.put`` does."""
        numbers = [self._place(message, nbytes) for message in messages]
        return max((number for number in numbers if number is not None), default=None)

    def _place(self, message: Message, nbytes: int) -> int | None:
        if self._place_at_once(message):
            return None
        number = self._due.put(message, nbytes)
        self._hold_back()
        self._changed.set()
        if self._running is not None:
            self._loop.call_soon_threadsafe(self._at_await)
        return number

    def _place_at_once(self, message: Message) -> bool:
        """Place a message that need not wait for the main thread; False where it has to."""
        comm_id = comm_id_of(message)
        comm = self._manager.comms.get(comm_id)
        if not isinstance(comm, Comm) or message.msg_type == "comm_open":
            return False
        has_earlier = self._due.has(comm_id)
        is_for_thread = comm.run == "thread"
        if self._manager.keep(message, only_answers=has_earlier or is_for_thread):
            if not _is_quiet(message):
                self.handling.note(message)
            self._changed.set()
            return True
        if is_for_thread and not has_earlier:
            self._hand_over(message)
            return True
        return False

    def _place_from_lane(self, message: Message) -> None:
        if self._place_at_once(message):
            return
        if self._channel is None:  # no safe point claims anything
            self.soon(lambda: self._handle_here(message))
            return
        comm_id = comm_id_of(message)
        is_known = comm_id in self._manager.comms or self._due.has(comm_id)
        if not is_known and message.msg_type != "comm_open":
            self._manager.take(message)  # late, or of no comm: it is counted
            return
        self._due.add(message, _buffer_bytes(message))
        self._changed.set()
        self._look_soon()

    def _show_activity(self, messages: list[Message]) -> None:
        """Let the server know now and then that the kernel is in use: it may end those that are not."""
        now = time.monotonic()
        if messages and now >= self._shown_until:
            self._shown_until = now + ACTIVITY_S
            self.handling.note(messages[-1])

    def _look_soon(self) -> None:
        """Claim what can be claimed when the main thread's loop is free. Any thread."""
        if not self._is_look_due and not self._loop.is_closed():
            self._is_look_due = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._is_look_due = False
        self._guarded(self.safe_point)

    def _note_sender(self, frames: Frames) -> None:
        """Note who sends what only frontends send."""
        header = _header(frames)
        with suppress(msgspec.MsgspecError):
            read = msgspec.json.decode(header, type=_Type)
            if read.msg_type in _OF_FRONTENDS:
                self._manager.heard_plain(read.session)

    def _handle_rest(self) -> None:
        """What was taken while attached is handled, although nobody is asked for a turn any more."""
        self._due.turn(sys.maxsize, self._handle_in_turn)

    def _is_claimable(self, message: Message) -> bool:
        """Say whether a message of a comm nothing of which waits could be handled now, as in turn."""
        if message.msg_type != "comm_open":
            # One that has no turn is late where its comm is not open: nothing before it is left to open that.
            return comm_id_of(message) in self._manager.comms or _is_quiet(message)
        target_name = message.content.get("target_name")
        return isinstance(target_name, str) and self._manager.knows_target(target_name)

    def _handle(self, message: Message) -> None:
        comm = self._manager.comms.get(comm_id_of(message))
        if message.msg_type != "comm_open" and isinstance(comm, Comm) and comm.run == "thread":
            with self.placing:
                self._hand_over(message)
        else:
            self._handle_here(message)
        self._go_on()

    def _handle_in_turn(self, message: Message) -> None:
        """Handle a message between two requests: it counts as the running one; nothing may escape."""
        before, self._running = self._running, message
        try:
            self._guarded(lambda: self._handle(message))
        finally:
            self._running = before

    def _hand_over(self, message: Message) -> None:
        """Have it handled on the delivery thread. Call with ``placing`` held."""
        nbytes = _buffer_bytes(message)
        self._handed += 1
        self._handed_bytes += nbytes
        self.thread.call(lambda: self._handle_handed(message, nbytes))

    def _handle_handed(self, message: Message, nbytes: int) -> None:
        try:
            self._handle_here(message)
        finally:
            self._done += 1
            self._done_bytes += nbytes
            self._has_room.set()

    def _handle_here(self, message: Message) -> None:
        work = partial(self._manager.take, message)
        if _is_quiet(message):
            self.handling.handle_quietly(message, self.shown_under(message), work)
        else:
            self.handling.handle(message, work)

    def _at_await(self) -> None:
        """On the main loop, while the running request awaits something."""
        if self._running is not None:
            self._guarded(self.safe_point)

    def _guarded(self, work: Callable[[], object]) -> None:
        """Let Ctrl-C in, as ipykernel does around its handlers, and nothing out, which ends the loop."""
        try:
            with interruptible():
                work()
        except (KeyboardInterrupt, SystemExit):
            self._kernel.log.warning("tsushin: interrupted while a comm message was handled")

    def _answer(self, request: Message) -> None:
        target_name = request.content.get("target_name")
        content = self._manager.comm_info(target_name if isinstance(target_name, str) else None)
        reply = Message(
            "shell",
            self._sender.header("comm_info_reply"),
            dict(request.header),
            {},
            content,
            identities=request.identities,
        )
        if self._channel is not None:
            self._channel.reply(zmq.encode(reply, self._signer))
        self.handling.note(request)

    def _is_full(self) -> bool:
        return len(self._due) >= MAX_WAITING or self._due.nbytes >= MAX_WAITING_BYTES

    def _is_thread_full(self) -> bool:
        count, nbytes = self._handed - self._done, self._handed_bytes - self._done_bytes
        return count >= MAX_WAITING or nbytes >= MAX_WAITING_BYTES

    def _hold_back(self) -> None:
        if self._is_full() and self._channel is not None and not self._is_paused:
            self._is_paused = True
            self._channel.pause()
            self._go_on()  # the main thread may have emptied it just before

    def _go_on(self) -> None:
        due = self._due
        is_low = len(due) < MAX_WAITING // 2 and due.nbytes < MAX_WAITING_BYTES // 2
        if is_low:
            self._has_room.set()
        if self._is_paused and is_low and self._channel is not None:
            self._is_paused = False
            self._channel.resume()

    def _later(self, delay_s: float, callback: Callable[[], None]) -> None:
        timer = threading.Timer(delay_s, callback)
        timer.daemon = True
        timer.start()


def _buffer_bytes(message: Message) -> int:
    return sum(buffer.nbytes for buffer in message.buffers)


def _is_quiet(message: Message) -> bool:
    """Say whether no frontend knows a message as a request: it came by a lane, or in another message."""
    return not message.identities


def _is_ours(frames: Frames) -> bool:
    """Look at the header only; what looks like ours by chance is found out when it is decoded."""
    header = _header(frames)
    if b"comm_" not in header:  # as it is for most of what others send: nothing is parsed
        return False
    try:
        msg_type = msgspec.json.decode(header, type=_Type).msg_type
    except msgspec.MsgspecError:
        return False
    return msg_type == INFO or msg_type in COMM_TYPES


class _Type(msgspec.Struct):
    msg_type: str = ""
    session: str = ""


def _peek(frames: Frames) -> Message:
    """Read the header of a request that ipykernel verifies itself; {} where it is malformed."""
    header: Any = {}  # Any: as a peer sent it; read with ``get``
    with suppress(msgspec.MsgspecError):
        header = msgspec.json.decode(_header(frames), type=dict)
    return Message("shell", header)


def _header(frames: Frames) -> bytes:
    """Return the frame with the header, not verified; empty where there is none."""
    for i, frame in enumerate(frames):
        if frame.buffer == zmq.DELIMITER:
            return bytes(frames[i + _HEADER_AT].buffer) if len(frames) > i + _HEADER_AT else b""
    return b""
