"""The kernel end in ipykernel: its shell handlers lead to a ``CommManager``, which answers on iopub.

Pages behind a bridge are frontends beside those: ``route.py`` says what goes which way.

Messages are taken from the shell channel (``shell_delivery.py``). Where that cannot be, and for what came
before we were attached, ipykernel calls the handlers here by ``msg_type``, as ever. The registry (``comms``
and ``targets``) is the one that the kernel's manager had before, so whatever was registered there stays.

Spec: Jupyter messaging, "Custom Messages" and "Comm info".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, MutableMapping
from typing import Any, cast

from tsushin.comm import Comm
from tsushin.errors import RemoteProtocolError, quote
from tsushin.kernel.answers import Answers
from tsushin.kernel.bridge import Bridge, run_on
from tsushin.kernel.end import Frames, Page
from tsushin.kernel.events import balanced_events
from tsushin.kernel.fork import lose_in_children
from tsushin.kernel.handled import handling
from tsushin.kernel.iopub import IopubSender
from tsushin.kernel.lane import KernelLanes
from tsushin.kernel.pace import Pace
from tsushin.kernel.raw import Raw, message_of
from tsushin.kernel.route import Route, Way
from tsushin.kernel.shell_channel import connection_file_of
from tsushin.kernel.shell_delivery import ShellDelivery
from tsushin.kernel.shell_runtime import ShellRuntime, ThreadRuntime
from tsushin.kernel.widget_model import CONTROL
from tsushin.manager import AnyComm, CommManager, Target
from tsushin.profile.control import is_control
from tsushin.protocol.buffers import Encoded
from tsushin.protocol.messages import COMM_TYPES, ClassicMessage, Header, JsonObject, Message
from tsushin.runtime import Handler, Run, Runtime

TRACEBACKS = "TSUSHIN_TRACEBACKS"
UNSEEN = ""  # the session of who may be there


class KernelCommManager(CommManager):
    """The comms and targets of a running ipykernel.

    Args:
        kernel: the kernel, with a session and an iopub socket.
        loop: its main loop.
        comms: the registry of the manager it had before.
        targets: likewise.
    """

    def __init__(
        self,
        kernel: Any,  # Any: the class differs between versions
        loop: asyncio.AbstractEventLoop,
        *,
        comms: MutableMapping[str, AnyComm],
        targets: MutableMapping[str, Target],
    ) -> None:
        sender = IopubSender(kernel)
        self._route = Route(sender.send)
        self.delivery: ShellDelivery = ShellDelivery(kernel, loop, self, sender)
        super().__init__(
            send=self._route.send,
            runtime=ShellRuntime(kernel, lambda: loop, self.delivery),
            channel="iopub",
            on_unknown="close",
            session=kernel.session.session,
            username=kernel.session.username,
            comms=comms,
            targets=targets,
        )
        self.kernel = kernel
        thread = self.delivery.thread
        lose_in_children(self)
        self._on_thread = ThreadRuntime(kernel, lambda: thread.loop, self.delivery)
        self._loop = loop
        self._shared = comms
        self._bridge: Bridge | None = None
        self.pace: Pace = Pace()
        self.allow_tracebacks: bool = os.environ.get(TRACEBACKS, "1") not in ("", "0")
        self.lenient_targets: set[str] = set()
        self._cells: dict[
            str, JsonObject
        ] = {}  # target name -> the request under which it was registered
        self._has_noted = False
        self.lanes: KernelLanes = KernelLanes(
            self.sessions,
            receive=self._take_from_lane,
            fault=self.runtime.fault,
            connection_file=connection_file_of(kernel),
            limits=self.limits,
        )
        self.sessions.use_lanes(self.lanes)
        if not self.delivery.is_early:
            self.sessions.heard_plain(UNSEEN)  # who sends what is not to be seen
        about = "a notebook's kernel behind a bridge"
        self._answers = Answers(self, about=about, publish=lambda m: self.bridge().publish(m))

    # The names and parameters that ipykernel's manager has, and that other packages call.

    def comm_open(self, stream: object, ident: object, msg: Raw) -> None:
        """Handle a ``comm_open`` from the shell channel."""
        del stream, ident
        self._take(msg)

    def comm_msg(self, stream: object, ident: object, msg: Raw) -> None:
        """Handle a ``comm_msg`` from the shell channel."""
        del stream, ident
        self._take(msg)

    def comm_close(self, stream: object, ident: object, msg: Raw) -> None:
        """Handle a ``comm_close`` from the shell channel."""
        del stream, ident
        self._take(msg)

    # Any: a ZMQ stream or socket, whichever the version has.
    def comm_info_request(self, stream: Any, ident: Any, parent: Raw) -> None:
        """Answer ``comm_info_request``, whatever other threads do to the comms meanwhile."""
        content = parent["content"]
        target_name = content.get("target_name") if isinstance(content, dict) else None
        self.kernel.session.send(
            stream, "comm_info_reply", self.comm_info(target_name), parent, ident
        )

    def close_comm(self, comm: Comm, encoded: Encoded) -> None:
        """See ``CommManager.close_comm``; the kernel's registry forgets it also while detached."""
        super().close_comm(comm, encoded)
        self._shared.pop(comm.comm_id, None)

    # Any: as the overloads of ``CommManager.register_target`` say.
    def register_target(self, target_name: str, f: Any = None, *, run: Run = "main") -> Any:
        """See ``CommManager.register_target``; its comms are strict (``LenientManager``)."""
        self.lenient_targets.discard(target_name)
        self._cells[target_name] = self.runtime.parent()
        return super().register_target(target_name, f, run=run)

    def comm_class(self, target_name: str) -> type[Comm]:
        """See ``CommManager.comm_class``."""
        if target_name not in self.lenient_targets:
            return Comm
        # Imported here: in some kernels of other makers there is another package called ``comm``.
        from tsushin.kernel.lenient_comm import LENIENT_COMM  # noqa: PLC0415

        return LENIENT_COMM

    def _call_foreign(self, handler: Handler, msg: ClassicMessage) -> None:
        """See ``CommManager``: ``comm``'s own comms leave the shell's events open after an error."""
        with balanced_events(getattr(self.kernel, "shell", None)):
            handler(msg)

    # Any: as ``CommManager.send_comm`` says.
    def send_comm(self, comm: Comm, encoded: Encoded, **ways: Any) -> None:
        """See ``CommManager.send_comm``; towards plain frontends not faster than a server passes on."""
        pause_s = self.pace.pause() if self.sessions.is_for_plain(comm.comm_id) else 0.0
        if pause_s and ways.get("coalesce") is None:
            self.pace.sleep(pause_s)
        super().send_comm(comm, encoded, **ways, pause_s=pause_s)

    # ------------------------------------------------------------------ the bridge

    def bridge(self) -> Bridge:
        """Return this kernel's bridge, made on first use."""
        if self._bridge is None:
            self._bridge = Bridge(
                self.session,
                receive=self._take_bridged,
                hand_over=self._hand_over,
                fault=self.runtime.fault,
                limits=self.limits,
            )
            self._route.pages = self._bridge
            self.delivery.carriers = self._bridge.carriers
        return self._bridge

    def end_bridge(self, reason: str) -> None:
        """Tell the pages behind the bridge that the kernel ends."""
        if self._bridge is not None:
            self._bridge.end(reason)

    # ------------------------------------------------------------------ for the delivery

    def arrive(self, message: Message) -> list[Message]:
        """Take a message of the shell channel or of a lane; return what can be handled now, in order."""
        self._route.heard(message, Way.IOPUB)
        if not is_control(message.content.get("comm_id")):
            self.sessions.heard_plain(message.session)
        return self.sessions.arrive(message)

    def heard_plain(self, session: str) -> None:
        """A session sent a request that frontends send."""
        self.sessions.heard_plain(session)

    def shown_under(self, message: Message) -> Message:
        """Return what outputs belong to of a handler whose message no frontend knows as a request."""
        comm = self.comms.get(str(message.content.get("comm_id")))
        if not isinstance(comm, Comm):
            return message
        cell = self._made_under(comm) if comm.primary else self._cells.get(comm.target_name)
        return Message("shell", cast("Header", cell)) if cell else message

    def _take_from_lane(self, messages: list[Message], session: str) -> None:
        for message in messages:
            if message.session != session:
                about = f"lane: expected messages of session {quote(session)}"
                raise RemoteProtocolError(f"{about}, got one of {quote(message.session)}")
        ours = [message for message in messages if message.msg_type in COMM_TYPES]
        self.delivery.take_from_lane(ours)

    def _deliver_late(self, messages: list[Message]) -> None:
        """See ``Hooks.deliver``: whichever thread it is."""
        self.delivery.place_late(messages)

    def take(self, message: Message) -> None:
        """Handle a message that ``arrive`` handed on, on the thread that its handlers belong to."""
        # A page asks ipywidgets for all models there are, and forgets the others.
        if self._bridge is not None and message.content.get("target_name") == CONTROL:
            self._bridge.join_ipywidgets()
        self.deliver(message)

    def runtime_for(self, run: Run) -> Runtime:
        """See ``CommManager.runtime_for``: handlers may run on a thread of their own."""
        if run == "main":
            return self.runtime
        if not self.delivery.is_beside and not self._has_noted:
            self._has_noted = True
            self.kernel.log.warning(
                'tsushin: this ipykernel reads messages on the main thread; handlers with run="thread" '
                "run when a cell asks (poll, wait) or awaits, or after it"
            )
        return self._on_thread

    def renew_locks(self) -> None:
        """See ``CommManager.renew_locks``; a child reads no shell channel either."""
        super().renew_locks()
        self.delivery.close()
        self.lanes.forget()

    # ------------------------------------------------------------------ joining and leaving

    def join(self) -> None:
        """Keep comms in the kernel's registry."""
        self._shared.update(self.comms)
        self.comms: MutableMapping[str, AnyComm] = self._shared

    def leave(self) -> None:
        """Keep comms apart; the kernel's registry gets something that its own manager can call."""
        self.comms = {i: c for i, c in self._shared.items() if isinstance(c, Comm)}
        self._shared.update({i: _Passage(self, c) for i, c in self.comms.items()})

    # ------------------------------------------------------------------ inside

    def _take(self, msg: Raw) -> None:
        try:
            message = message_of(msg)
        except RemoteProtocolError as error:
            self.runtime.fault(error)
        else:
            for arrived in self.arrive(message):
                self.take(arrived)

    def _take_bridged(self, message: Message, page: Page) -> None:
        """Handle a message of a page behind the bridge. On the main thread."""
        self._route.heard(message, Way.BRIDGE)
        with handling(message):
            if message.msg_type in COMM_TYPES:
                self._answers.dispatch(message, page)
                return
            # Who asks waits for the answer and for "idle"; comm messages are not slowed down by it.
            self._tell(page, "busy")
            self._answers.dispatch(message, page)
            self._tell(page, "idle")

    def _tell(self, page: Page, state: str) -> None:
        status = self._answers.message("iopub", "status", {"execution_state": state})
        page.send(Frames(status))

    def _hand_over(self, callback: Callable[[], None]) -> None:
        """Call on the main thread: a widget's messages may be read on a subshell's."""
        if not run_on(self._loop, callback):
            self.runtime.soon(callback)


class _Passage:
    """One of our comms, as ``comm``'s own manager handles them: what arrives is passed on to us."""

    def __init__(self, manager: KernelCommManager, comm: Comm) -> None:
        self.comm_id = comm.comm_id
        self.target_name = comm.target_name
        self.handle_msg = lambda msg: manager.comm_msg(None, None, msg)
        self.handle_close = lambda msg: manager.comm_close(None, None, msg)
