"""The kernel end in kernels with comms of their own behind the ``comm`` package: those carry ours.

Such a kernel (xeus-python, async-kernel) replaces ``comm.create_comm`` and ``comm.get_comm_manager``. One of
its comms carries one of ours; it reads and publishes as it always does. So what holds is what it gives:
messages come when it delivers them, between cells as a rule, with the parents and statuses that it sets.

xeus-python gives each comm an id of its own, so there ``comm_id`` is not what the page knows a comm by.

A provider is used only where it is known by name here; any other is left alone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Final
from uuid import uuid4

from tsushin.comm import Comm
from tsushin.errors import LocalProtocolError, RemoteProtocolError
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.kernel.raw import Raw, message_of
from tsushin.manager import CommManager, Target
from tsushin.protocol.messages import JsonObject, Message, plain
from tsushin.runtime import Cancel, MadeUnder, Run

# Name of the kernel -> the module in whose presence its provider is in place.
KNOWN: Final = {"async-kernel": "async_kernel.comm", "xeus-python": "xeus_python_shell"}

_log = logging.getLogger("tsushin")
_lock = threading.Lock()
_managers: dict[str, ProvidedManager] = {}


def provided_manager() -> CommManager | None:
    """Return the manager of the known kernel that runs here, made on first use; None where there is none."""
    name = running_provider()
    if name is None:
        return None
    with _lock:
        if name not in _managers:
            _managers[name] = ProvidedManager(sys.modules["comm"])
        return _managers[name]


def running_provider() -> str | None:
    """Return the name of the known kernel whose comms are behind the ``comm`` package now, or None."""
    package = sys.modules.get("comm")
    if package is None:
        return None
    is_default = package.get_comm_manager is getattr(package, "_get_comm_manager", None)
    present = [name for name, module in KNOWN.items() if module in sys.modules]
    return None if is_default or not present else present[0]


class ProvidedManager(CommManager):
    """The comms and targets of a kernel whose own comms carry them.

    Args:
        package: the ``comm`` package; its two functions are looked up at each use.
    """

    # Any: a module, and comms of a class that is the provider's own.
    def __init__(self, package: Any) -> None:
        super().__init__(
            send=self._carry,
            runtime=ProvidedRuntime(),
            channel="iopub",
            on_unknown="close",
            session=uuid4().hex,
        )
        self._package = package
        self._carriers: dict[str, Any] = {}  # by our id
        self._ids: dict[str, str] = {}  # the carrier's id -> ours, where they differ

    # Any: as the overloads of ``CommManager.register_target`` say.
    def register_target(self, target_name: str, f: Any = None, *, run: Run = "main") -> Any:
        """See ``CommManager.register_target``."""
        registered = super().register_target(target_name, f, run=run)
        if f is not None:
            self._package.get_comm_manager().register_target(target_name, self._opened)
        return registered

    def unregister_target(self, target_name: str, f: Target | None = None) -> Target:
        """See ``CommManager.unregister_target``."""
        target = super().unregister_target(target_name, f)
        self._package.get_comm_manager().unregister_target(target_name, self._opened)
        return target

    def expect_open(self, target_name: str, timeout: float = DEFAULT_TIMEOUT_S) -> Expected[Comm]:
        """See ``CommManager.expect_open``."""
        if target_name not in self.targets:
            self._package.get_comm_manager().register_target(target_name, self._opened)
        return super().expect_open(target_name, timeout)

    def may_answer(self, comm_id: str) -> None:
        """See ``CommManager.may_answer``: without sessions there may always be somebody."""

    # ------------------------------------------------------------------ inside

    def _carry(self, message: Message) -> None:
        """Send by the provider's comm, as its users would."""
        sent = plain(message)
        comm_id = str(sent.content["comm_id"])
        options: JsonObject = {
            "data": sent.content["data"],
            "metadata": sent.metadata,
            "buffers": [bytes(buffer) for buffer in sent.buffers],
        }
        match sent.msg_type:
            case "comm_open":
                target_name = sent.content["target_name"]
                # xeus-python 0.17 crashes where it does not know the target of a comm that it opens.
                self._package.get_comm_manager().register_target(target_name, self._opened)
                make = self._package.create_comm
                carrier = make(target_name=target_name, comm_id=comm_id, **options)
                if carrier.comm_id != comm_id:  # xeus-python gives it one of its own
                    self._ids[carrier.comm_id] = comm_id
                self._listen(carrier, comm_id)
            case "comm_close":
                carrier = self._carriers.pop(comm_id, None)
                if carrier is not None:
                    self._ids.pop(carrier.comm_id, None)
                    carrier.close(**options)
            case _:
                self._carriers[comm_id].send(**options)

    def _opened(self, carrier: Any, msg: Raw) -> None:
        self._listen(carrier, str(msg["content"]["comm_id"]))
        self._take(msg)

    def _listen(self, carrier: Any, comm_id: str) -> None:
        self._carriers[comm_id] = carrier
        carrier.on_msg(self._take)
        carrier.on_close(self._take_close)

    def _take_close(self, msg: Raw) -> None:
        comm_id = str(msg["content"]["comm_id"])
        self._take(msg)
        self._carriers.pop(self._ids.pop(comm_id, comm_id), None)

    def _take(self, msg: Raw) -> None:
        try:
            comm_id = msg["content"]["comm_id"]
            content = {**msg["content"], "comm_id": self._ids.get(comm_id, comm_id)}
            message = message_of({**msg, "content": content})
        except (RemoteProtocolError, KeyError) as error:
            self.runtime.fault(RemoteProtocolError(f"a message of the kernel's own comm: {error}"))
        else:
            self.runtime.poll(None)
            self.receive(message)


class ProvidedRuntime:
    """Handlers run where the provider calls; there is no other place to run them."""

    def __init__(self) -> None:
        self._soon: deque[Callable[[], None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """See ``Runtime.run``."""
        del message  # the kernel has set it as parent
        return handler()

    def soon(self, callback: Callable[[], None]) -> None:
        """See ``Runtime.soon``: on the loop where one runs, else with the next message or ``poll``."""
        self._soon.append(callback)
        loop = _running_loop()
        if loop is not None:
            loop.call_soon_threadsafe(self._run_soon)

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See ``Runtime.later``: such a kernel has no sessions, so nothing is ever to be done later."""

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> Cancel:
        """See ``Runtime.spawn``; without a running loop it is awaited here and now."""

        async def run() -> None:
            try:
                await awaitable
            except (Exception, SystemExit) as error:  # neither ends the kernel
                done(error)
            else:
                done(None)

        loop = _running_loop()
        if loop is None:
            asyncio.run(run())
            return lambda: None
        task = loop.create_task(run())
        self._tasks.add(task)  # a loop holds its tasks weakly
        task.add_done_callback(self._tasks.discard)

        def cancel() -> None:
            loop.call_soon_threadsafe(task.cancel)

        return cancel

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """See ``Runtime.report``: the traceback, on stderr."""
        del message
        traceback.print_exception(error)
        print(f"(raised in {about})", file=sys.stderr)  # noqa: T201 (what a user has to see)

    def fault(self, error: RemoteProtocolError) -> None:
        """See ``Runtime.fault``: a warning of the logger ``tsushin``."""
        _log.warning("%s", error)

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """See ``Runtime.parent``: the kernel sets it."""
        del made_under
        return {}

    def poll(self, comm_id: str | None) -> int:
        """See ``Runtime.poll``: only what was kept; messages come when the kernel delivers them."""
        del comm_id
        self._run_soon()
        return 0

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """See ``Runtime.wait``: refused where it would keep the kernel from what is waited for."""
        del timeout_s, handlers
        if not future.done():
            raise LocalProtocolError(
                "this kernel delivers comm messages between cells: use a handler, or await in an async cell"
            )

    def _run_soon(self) -> None:
        while self._soon:
            self._soon.popleft()()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
