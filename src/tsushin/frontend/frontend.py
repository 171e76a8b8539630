"""The frontend end: one kernel over one transport, with its comms and its code execution.

The way of a message in: transport → who waits for it by its parent (``Requests``) → comms (``CommManager``)
→ what it says about the kernel (``StatusWatch``). What ends the kernel or the link reaches everything that
waits: executions, requests, expected opens and messages, and every comm's ``on_close``.

Everything here runs on the loop it was made on; ``comm_manager`` and its comms may be used from any thread.

One piece, because what ends the kernel or the link has to reach everything that waits here.

Spec: Jupyter messaging, "Execute", "Comm info", "Kernel info", "Kernel interrupt".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from msgspec.structs import replace

from tsushin.comm import Comm
from tsushin.errors import (
    KernelGone,
    KernelGoneWhy,
    RemoteProtocolError,
    TransportClosed,
    TransportError,
    TransportLost,
    TsushinError,
    Unsupported,
)
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.frontend.comm_info import open_comms
from tsushin.frontend.execution import Execution, OnOutput, Result
from tsushin.frontend.kernel import Kernel
from tsushin.frontend.lane import FrontendLane
from tsushin.frontend.requests import Reply, Requests, Watcher
from tsushin.frontend.tasks import finish, stop
from tsushin.frontend.watch import StatusWatch
from tsushin.loop_runtime import LoopRuntime
from tsushin.manager import CommManager
from tsushin.profile.control import TARGET, is_control
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import COMM_TYPES, Channel, CommInfo, JsonObject, Message, new_header
from tsushin.protocol.routing import OnUnknown
from tsushin.sessions import GRACE_S
from tsushin.transports.base import Transport

EXECUTE_TIMEOUT_S: Final = 60.0
RESTART_TIMEOUT_S: Final = 60.0
_INTERRUPT_TIMEOUT_S: Final = 10.0
_FATE_TIMEOUT_S: Final = 2.0  # a lost link is reported without a server's word after this
_LOOK_TIMEOUT_S: Final = 600.0  # a kernel without us answers after the cell that it runs
_AWAY_TIMEOUT_S: Final = 60.0  # a link that broke is made anew within that time, or given up
_ATTEMPT_TIMEOUT_S: Final = 10.0  # of one try: where packets vanish it would end much later
_FIRST_PAUSE_S: Final = 0.1  # between two tries, doubling
_LAST_PAUSE_S: Final = 2.0
_LANE_ORDER_TIMEOUT_S: Final = 1.0  # then the lane is in trouble, and order with it
_BATCH: Final = 64  # messages handled in a row before other tasks of the loop get a turn
_GONE: Final[dict[KernelGoneWhy, str]] = {
    "restarted": "was restarted",
    "died": "died",
    "shut down": "was shut down",
    "forked": "was forked",
}

T = TypeVar("T")


class Frontend:
    """One kernel as a Python program sees it. Made by ``tsushin.connect``.

    Attributes:
        comm_manager: the comms and targets of this end.
    """

    def __init__(
        self,
        kernel: Kernel,
        transport: Transport,
        *,
        session: str,
        on_unknown: OnUnknown,
        limits: Limits,
        lane: bool = True,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.comm_manager: CommManager = CommManager(
            send=self._send,
            runtime=LoopRuntime(self._loop),
            channel="shell",
            on_unknown=on_unknown,
            session=session,
            limits=limits,
            joins=True,
            max_whole_bytes=kernel.max_whole_bytes,
        )
        self._kernel = kernel
        self._transport = transport
        self._requests = Requests()
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()  # a loop holds them weakly
        self._ended: TsushinError | None = None
        self._is_closing = False
        self._held: list[Message] | None = None  # while the kernel restarts: to be sent to the next
        self._is_away = False  # the link broke, and is being made anew
        self._lane: FrontendLane | None = None
        if lane:
            self._lane = FrontendLane(
                self.comm_manager.sessions,
                session=session,
                address=kernel,
                peer=self._kernel_session,
                receive=self._receive_by_lane,
                limits=limits,
            )
            self.comm_manager.sessions.use_lanes(self._lane)
        self._listen()
        self._pumping = self._loop.create_task(self._pump(), name="tsushin frontend pump")

    @property
    def is_alive(self) -> bool:
        """True while the kernel lives, as far as this end knows, and can be reached."""
        return self._ended is None

    @property
    def has_lane(self) -> bool:
        """True while comm messages go straight to the kernel's process."""
        return self.comm_manager.sessions.has_lane()

    # ------------------------------------------------------------------ using

    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = EXECUTE_TIMEOUT_S,  # noqa: ASYNC109 (the public word)
        raise_on_error: bool = True,
        on_output: OnOutput | None = None,
        silent: bool = False,
        store_history: bool = True,
        stop_on_error: bool = False,
    ) -> Result:
        """Run code in the kernel; return what it printed, showed and gave once it is through.

        Code that asks for input gets an error in the kernel: there is nobody to type.

        Args:
            timeout: seconds; None waits as long as the kernel lives. The code itself is not interrupted
                by it, nor by cancelling: ``interrupt`` does that.
            raise_on_error: False returns a result whose ``error`` is set.
            on_output: called with each output (``Result.outputs``) as it arrives, and with the two that
                change earlier ones, ``update_display_data`` and ``clear_output``.
            silent: no output but streams and displays, no history, no ``execution_count``.
            stop_on_error: if the code raises, or is interrupted, requests queued behind it are not run.

        Raises:
            ExecutionError: the code raised, or was not run because earlier code did.
            KernelGone: the kernel died or was restarted meanwhile.
            TransportError: the link broke, or was closed.
            TimeoutError: time is up.
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history and not silent,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": stop_on_error,
        }
        sessions = self.comm_manager.sessions
        must_wait = self._turn.locked() or sessions.has_queued or sessions.has_lane()
        execution = Execution(
            timeout_s=math.inf if timeout is None else timeout,
            on_output=None if on_output is None else self._guarded(on_output),
        )
        before = self._comms_sent if must_wait and not self._is_away else None
        result = await self._ask(
            "shell", "execute_request", content, execution, execution.expected, before=before
        )
        await self._lane_arrived()  # what the code sent has come, as by the standard route
        if raise_on_error and result.error is not None:
            raise result.error
        return result

    async def comms(
        self,
        target_name: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,  # noqa: ASYNC109 (the public word)
    ) -> CommInfo:
        """List the comms open in the kernel: comm id -> ``{"target_name": …}``. Errors as ``execute``."""
        content = {} if target_name is None else {"target_name": target_name}
        return open_comms(await self._reply("shell", "comm_info_request", content, timeout))

    async def restore(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,  # noqa: ASYNC109 (the public word)
    ) -> list[str]:
        """Take up comms that the kernel has open and this frontend does not know.

        Such are those opened before it came. Each is offered to its target, marked by
        ``metadata.tsushin.restored``, with what it was opened with, its ``history`` and its snapshot where
        the kernel end knows the profile, else with ``data: {}``; see ``CommManager.take_up``. Errors as
        ``execute``.

        Returns:
            The ids of those whose target is registered here.
        """
        found = await self.comms(timeout=timeout)
        if not self.comm_manager.peers:
            await self._look(timeout)  # it may have one by now
        with contextlib.suppress(TimeoutError):
            await self.comm_manager.sessions.first(GRACE_S)
        return await self.comm_manager.take_up(found)

    async def kernel_info(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,  # noqa: ASYNC109 (the public word)
    ) -> JsonObject:
        """Return the content of the kernel's ``kernel_info_reply``. Errors as ``execute``."""
        return await self._reply("shell", "kernel_info_request", {}, timeout)

    def expect_open(self, target_name: str, timeout: float = DEFAULT_TIMEOUT_S) -> Expected[Comm]:
        """Return the next comm the kernel opens to ``target_name``; see ``CommManager.expect_open``."""
        if self._ended is not None:
            raise self._ended
        return self.comm_manager.expect_open(target_name, timeout)

    async def interrupt(self) -> None:
        """Interrupt what the kernel runs: by a signal or the server, else by an ``interrupt_request``."""
        if self._ended is not None:
            raise self._ended
        try:
            await self._kernel.interrupt()
        except Unsupported:
            await self._reply("control", "interrupt_request", {}, _INTERRUPT_TIMEOUT_S)

    async def restart(
        self,
        *,
        timeout: float = RESTART_TIMEOUT_S,  # noqa: ASYNC109 (the public word)
    ) -> None:
        """Restart the kernel; also revives one that died. Targets stay, comms are lost.

        Raises:
            Unsupported: this kernel was not started here, and no server can do it.
            TimeoutError: not within ``timeout`` seconds; the frontend is closed then.
        """
        if self._is_closing:
            raise TransportClosed("the frontend is closed")
        if not self._kernel.can_restart:
            about = f"{self._kernel.about}: only who started it, or its server, can restart it"
            raise Unsupported(about, feature="restart")
        try:
            async with asyncio.timeout(timeout):
                await self._restart()
        except TimeoutError:
            await self.aclose()
            raise TimeoutError(
                f"restart of {self._kernel.about}: not within {timeout:g} s"
            ) from None

    async def aclose(self) -> None:
        """Leave: comms opened here are closed at the kernel, a kernel started here ends.

        All other comms are lost and every wait ends with ``TransportClosed``. A second call does nothing.
        """
        if self._is_closing:
            return
        self._is_closing = True
        await finish(self._aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "alive" if self._ended is None else str(self._ended)
        return f"<Frontend of {self._kernel.about}: {state}>"

    # ------------------------------------------------------------------ asking

    async def _reply(
        self, channel: Channel, msg_type: str, content: JsonObject, timeout_s: float
    ) -> JsonObject:
        reply = Reply(msg_type, timeout_s=timeout_s)
        return await self._ask(channel, msg_type, content, reply, reply.expected)

    async def _ask(
        self,
        channel: Channel,
        msg_type: str,
        content: JsonObject,
        watcher: Watcher,
        expected: Expected[T],
        *,
        before: Callable[[float], Awaitable[None]] | None = None,
    ) -> T:
        """Send, wait, and stop watching whatever came of it.

        Args:
            before: is waited for before anything is sent, at most so many seconds.
        """
        message = self._message(channel, msg_type, content)
        msg_id = message.header["msg_id"]
        self._requests.watch(msg_id, watcher)  # a kernel that goes while it waits ends it
        try:
            if before is not None:
                await before(expected.timeout_s)
            if expected.is_waiting():
                self._send(message)
            return await expected
        finally:
            self._requests.stop(msg_id)

    async def _comms_sent(self, timeout_s: float) -> None:
        """Wait until what was sent on comms before comes before, also where it has to wait."""
        sent = self.comm_manager.sessions.all_sent(None)
        try:
            async with asyncio.timeout(None if timeout_s == math.inf else timeout_s), self._turn:
                await sent
                await self._lane_arrived()
        except TimeoutError:
            about = "execute (what was sent before has not left)"
            raise TimeoutError(f"{about}: not within {timeout_s:g} s") from None

    async def _lane_arrived(self) -> None:
        """Wait until all that was sent by the lane is there, and what the kernel sent is here; bounded."""
        marked = self.comm_manager.sessions.arrived_by_lane(_LANE_ORDER_TIMEOUT_S)
        if marked is not None:
            with contextlib.suppress(TimeoutError):
                await marked

    def _kernel_session(self) -> str | None:
        return next((peer.session for peer in self.comm_manager.peers), None)

    def _message(self, channel: Channel, msg_type: str, content: JsonObject) -> Message:
        session = self.comm_manager.session
        msg_id = f"{session}_r{next(self._numbers)}"  # apart from the comm messages' numbers
        header = new_header(msg_type, msg_id=msg_id, session=session, now=time.time())
        return Message(channel, header, content=content)

    def _send(self, message: Message) -> None:
        if self._ended is not None:
            raise self._ended
        if self._turn.locked() and message.msg_type == "comm_open" and not _is_control(message):
            # It goes by no lane, and keeps its place behind code that waits for what went by one.
            self._loop.call_soon_threadsafe(self._begin_turn, message)
        else:
            self._send_now(message)

    def _begin_turn(self, message: Message) -> None:
        sending = self._loop.create_task(self._send_in_turn(message))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send_in_turn(self, message: Message) -> None:
        async with self._turn:
            with contextlib.suppress(TsushinError):  # the link has ended: its comm is lost with it
                self._send_now(message)

    def _send_now(self, message: Message) -> None:
        if self._ended is not None:
            raise self._ended
        if self._is_away:
            if message.msg_type not in COMM_TYPES or not self.comm_manager.peers:
                raise TransportLost(f"{self._kernel.about}: the link broke, and is being made anew")
            # It is numbered and kept: the kernel end asks for it once we are back.
        elif self._held is None:
            self._transport.send(message)
        else:
            self._held.append(message)

    def _guarded(self, on_output: OnOutput) -> OnOutput:
        """Report what a user's callback raises, and go on."""

        def call(output: JsonObject) -> None:
            try:
                on_output(output)
            except Exception as error:
                self.comm_manager.runtime.report(error, "on_output", None)

        return call

    # ------------------------------------------------------------------ listening

    def _listen(self) -> None:
        self._transport.on_fault = self.comm_manager.runtime.fault
        self._status = StatusWatch()
        self._watching = self._loop.create_task(self._watch(), name="tsushin kernel watch")
        self._looking = self._loop.create_task(self._look(), name="tsushin profile")

    async def _pump(self) -> None:
        """Receive as long as there is a link, and make it anew when it broke or the kernel was restarted."""
        try:
            while True:
                try:
                    await self._receive_until_restarted()
                    await self._reconnect()
                except TransportLost as error:
                    await self._come_back(error)
        except TransportError as error:
            await self._end_link(error)

    async def _look(self, timeout_s: float = _LOOK_TIMEOUT_S) -> None:
        """Ask whether the kernel has an end that knows the profile, and say hello to it."""
        sessions = self.comm_manager.sessions
        try:
            found = await self.comms(TARGET, timeout=timeout_s)
        except (RemoteProtocolError, TimeoutError):  # no kernel end of ours answers like that
            sessions.decline()
            return
        except TsushinError:  # who else waits is told
            return
        if TARGET in found:
            sessions.found()
            return
        if self.comm_manager.peers:
            self._lose(KernelGone(f"{self._kernel.about} is another one", why="restarted"))
        sessions.decline()

    async def _come_back(self, lost: TransportLost) -> None:
        """Make a broken link anew. Comms live on, where the kernel end knows what it has to send again.

        Raises:
            TransportLost: there is no such end, or no way to it in time.
        """
        if not (self.comm_manager.peers and self._kernel.can_reconnect):
            raise lost
        self._is_away = True
        self.comm_manager.sessions.pause()
        self._requests.end(lost)
        try:
            async with asyncio.timeout(_AWAY_TIMEOUT_S):
                await self._try_to_connect()
        except TimeoutError:
            raise lost from None
        finally:
            self._is_away = False
        self._listen()

    async def _try_to_connect(self) -> None:
        await stop(self._watching, self._looking)
        await self._transport.aclose()
        pause = _FIRST_PAUSE_S
        while True:
            transport = await self._attempt()
            if transport is not None:
                self._transport = transport
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)

    async def _attempt(self) -> Transport | None:
        """Try once to make the link anew; None where there is no way just now."""
        try:
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                why = await self._kernel.fate()
                if why is None:
                    return await self._kernel.connect()
        except (TransportError, TimeoutError):
            return None
        raise TransportLost(f"{self._kernel.about} {_GONE[why]}")

    async def _receive_until_restarted(self) -> None:
        while True:
            for _ in range(_BATCH):
                if self._receive(await self._transport.receive()) == "restarted":
                    return
            await asyncio.sleep(0)

    def _receive(self, message: Message) -> KernelGoneWhy | None:
        try:
            self._requests.receive(message)
            self.comm_manager.receive(message)
            if message.msg_type == "input_request":
                self._answer_input(message)
        except Exception as error:  # nothing a peer sends, or a handler does, may end the pump
            self.comm_manager.runtime.report(error, f"receiving {message.msg_type}", message)
        why = self._status.verdict(message)
        if why is not None:
            self._lose_kernel(why)
        return why

    def _receive_by_lane(self, message: Message) -> None:
        try:
            self.comm_manager.receive(message)
        except Exception as error:  # nothing a peer sends, or a handler does, may end the lane
            self.comm_manager.runtime.report(error, f"receiving {message.msg_type}", message)

    def _answer_input(self, request: Message) -> None:
        """Answer with an empty line: some kernels ask although told that nobody is there."""
        reply = self._message("stdin", "input_reply", {"status": "ok", "value": ""})
        self._send(replace(reply, parent_header=dict(request.header)))

    async def _watch(self) -> None:
        self._lose_kernel(await self._kernel.wait_gone())

    async def _reconnect(self) -> None:
        """Make the link anew: the old one may hear the next process too late, and miss what it says."""
        await stop(self._watching, self._looking)
        await self._transport.aclose()
        self._transport = await self._kernel.connect(after=self._status.session)
        held, self._held = self._held, None
        for message in held or ():
            self._transport.send(message)
        self._listen()

    # ------------------------------------------------------------------ ending

    def _lose_kernel(self, why: KernelGoneWhy) -> None:
        """The kernel's process is gone. After a restart the link serves the next one."""
        gone = KernelGone(f"{self._kernel.about} {_GONE[why]}", why=why)
        if why == "restarted":
            self._held = []
        else:
            self._ended = self._ended or gone
        self._lose(gone)
        if why == "restarted":
            self.comm_manager.sessions.hope()  # the next one is asked

    async def _end_link(self, error: TransportError) -> None:
        why = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FATE_TIMEOUT_S):
                why = await self._kernel.fate()
        if why is not None:
            self._lose_kernel(why)
            return
        self._ended = self._ended or error
        self._lose(error)

    def _lose(self, error: TsushinError) -> None:
        self._requests.end(error)
        self.comm_manager.lose(str(error), error)

    async def _restart(self) -> None:
        await stop(self._pumping, self._watching, self._looking)
        self._ended = None
        self._lose_kernel("restarted")
        try:
            await self._kernel.restart()
            await self._reconnect()
        except BaseException as error:
            gone = TransportClosed(f"{self._kernel.about} could not be restarted")
            self._ended = error if isinstance(error, TsushinError) else gone
            self._lose(self._ended)
            raise
        self._pumping = self._loop.create_task(self._pump(), name="tsushin frontend pump")

    async def _aclose(self) -> None:
        if self._ended is None and not self._kernel.is_ours:
            self._close_own_comms()
            self.comm_manager.sessions.leave()
        if self._lane is not None:
            await self._lane.aclose()
        await stop(self._pumping, self._watching, self._looking)
        self._ended = self._ended or TransportClosed("the frontend was closed")
        self._lose(self._ended)
        try:
            await self._transport.aclose()
        finally:
            await self._kernel.aclose()

    def _close_own_comms(self) -> None:
        """Close what was opened here; other comms may have other frontends too."""
        for comm in list(self.comm_manager.comms.values()):
            if isinstance(comm, Comm) and comm.primary:
                comm.close(metadata={"reason": "the frontend was closed"})


def _is_control(message: Message) -> bool:
    return is_control(message.content.get("comm_id"))
