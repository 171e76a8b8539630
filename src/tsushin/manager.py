"""All comms and targets of one end: the classic ``CommManager``, at a kernel and at a frontend alike.

The host feeds it arriving messages (``receive``) and gives it two things: ``send``, which takes a message
to the peer without waiting, and a ``Runtime``. The rules are the router's; here they meet user code.

Objects of other classes may live in ``comms`` beside ours, if they have ``comm_id``, ``handle_msg`` and
``handle_close``, as every comm of the ``comm`` package has: messages for them are handed on as they are.

Any thread may register, open, send and close. ``receive`` and ``lose`` are called on the thread that
handlers run on; messages of different comms may be received on different threads.

One piece, because every part of it works on the same registry under the same lock.

Spec: Jupyter messaging, "Custom Messages".
"""

from __future__ import annotations

import inspect
import itertools
import pkgutil
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, TypeVar, cast, overload
from uuid import uuid4

from msgspec.structs import replace

from tsushin.comm import ON_FULL_TIMEOUT_S, Buffers, Comm, Data, OnFull, check_run
from tsushin.errors import (
    CommClosed,
    DuplicateComm,
    KernelGone,
    LocalProtocolError,
    QueueFull,
    RemoteProtocolError,
    TransportError,
    TsushinError,
    UnknownTarget,
    quote,
)
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.peers import Peer
from tsushin.profile import requests
from tsushin.profile.control import TARGET as SESSION_TARGET
from tsushin.profile.requests import Answered, Asked, Failed, Part
from tsushin.profile.sessions import Profile
from tsushin.protocol.buffers import Encoded, restore_data
from tsushin.protocol.contents import comm_content, comm_info_content
from tsushin.protocol.events import (
    Closed,
    Event,
    Late,
    Lost,
    Opened,
    ProtocolFault,
    Received,
    Unknown,
)
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import (
    COMM_TYPES,
    Channel,
    ClassicMessage,
    CommInfo,
    Header,
    JsonObject,
    Message,
    SessionId,
    new_header,
    to_classic,
)
from tsushin.protocol.packed import Packed
from tsushin.protocol.routing import CloseReason, OnUnknown, Outgoing, Router
from tsushin.runtime import Handler, Run, Runtime
from tsushin.sessions import Hooks, OnPeer, OnProgress, Sessions
from tsushin.taking_up import TakingUp

# object: a target's result is awaited if it can be, and otherwise of no interest.
Target = Callable[[Comm, ClassicMessage], object]
F = TypeVar("F", bound=Target)
# Any: a Comm, or another package's object with the same three members.
AnyComm = Any


class CommManager:
    """The comms and targets of one end.

    Made by a host, not by users: a kernel has one (``tsushin.comm_manager()``), each frontend has one
    (``fe.comm_manager``).

    Args:
        send: takes one message towards the peer; never waits.
        runtime: where handlers run.
        channel: "iopub" at a kernel, "shell" at a frontend.
        on_unknown: what to do about an open for a target not registered here (``Router``).
        session: this end's session id; made automatically unless given.
        comms: the registry to use, where another object shares it.
        targets: likewise.
        joins: at a frontend: say hello to a kernel end that knows the profile, as soon as it shows.
        max_whole_bytes: what the route to the peer takes in one message; None for no bound.

    Attributes:
        allow_tracebacks: requests that fail here answer with their traceback, besides name and message.
        comms: comm id -> open comm.
        targets: target name -> function.
        sessions: its peers, and what was promised to them (``profile/``).
        display: returns what a notebook shows for a comm; None for its text. Hosts set it.
        late: messages that arrived after a close (count).
        unknown: messages for comms this end has no part in (count).
    """

    def __init__(  # noqa: PLR0913 (what a host has to give, each by name)
        self,
        *,
        send: Callable[[Message], None],
        runtime: Runtime,
        channel: Channel,
        on_unknown: OnUnknown,
        session: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
        username: str = "",
        comms: MutableMapping[str, AnyComm] | None = None,
        targets: MutableMapping[str, Target] | None = None,
        joins: bool = False,
        max_whole_bytes: int | None = None,
    ) -> None:
        self.session: SessionId = SessionId(session or uuid4().hex)
        self.runtime = runtime
        self.limits = limits
        self.comms: MutableMapping[str, AnyComm] = {} if comms is None else comms
        self.targets: MutableMapping[str, Target] = {} if targets is None else targets
        self.allow_tracebacks: bool = True
        self.late: int = 0
        self.unknown: int = 0
        self.display: Callable[[], JsonObject | None] = lambda: None
        self._clock = clock
        self._username = username
        self._lock = threading.RLock()
        self._expected: dict[str, deque[Expected[Comm]]] = {}
        self._runs: dict[str, Run] = {}  # of targets registered with one
        self._numbers = itertools.count(1)
        self._router = Router(
            channel=channel,
            session=self.session,
            on_unknown=on_unknown,
            knows_target=self.knows_target,
            new_msg_id=self._new_msg_id,
            limits=limits,
            username=username,
        )
        self._taking_up = TakingUp(self, clock)
        profile = Profile(
            channel=channel,
            session=self.session,
            epoch=uuid4().hex,
            new_header=self._header,
            open_comms=lambda: [i for i, c in dict(self.comms).items() if isinstance(c, Comm)],
            limits=limits,
            joins=joins,
            max_whole_bytes=max_whole_bytes,
        )
        self.sessions: Sessions = Sessions(
            profile,
            Hooks(
                send=send,
                deliver=self._deliver_late,
                gap=self._tell_gap,
                cancelled=self._cancel_request,
                credited=self._credit_request,
                peers_changed=self._look_at_requests,
                new_life=self._lose_kernel,
                peer_left=self._taking_up.peer_left,
                restore_asked=self._taking_up.asked,
                taken=self._taking_up.taken,
            ),
            lock=self._lock,
            clock=clock,
            runtime=runtime,
            hopes=joins,
        )

    # ------------------------------------------------------------------ targets

    @overload
    def register_target(self, target_name: str, f: F, *, run: Run = "main") -> F: ...
    @overload
    def register_target(self, target_name: str, f: str, *, run: Run = "main") -> Target: ...
    @overload
    def register_target(self, target_name: str, *, run: Run = "main") -> Callable[[F], F]: ...
    def register_target(
        self, target_name: str, f: Target | str | None = None, *, run: Run = "main"
    ) -> object:
        """Call ``f(comm, msg)`` for each comm the peer opens to ``target_name``.

        Args:
            target_name: what the peer names in its ``comm_open``.
            f: a function, possibly ``async``; or an import string, "package.module.function" or
                "package.module:function". Left out, this is a decorator.
            run: where the handlers of its comms run, as for ``Comm``; the function itself runs where
                the peer's open has its turn.

        Returns:
            The function. If it raises, the comm is closed with the error as reason.
        """
        if not isinstance(target_name, str):  # @register_target without its name
            raise TypeError(f"register_target: expected a name, got {quote(target_name)}")
        if f is None:
            return lambda function: self.register_target(target_name, function, run=run)
        target = cast("Target", pkgutil.resolve_name(f)) if isinstance(f, str) else f
        if not callable(target):
            raise TypeError(f"target {target_name!r}: expected a function, got {quote(target)}")
        self._runs[target_name] = check_run(run)
        self.targets[target_name] = target
        self._release_soon(target_name)
        return target

    def unregister_target(self, target_name: str, f: Target | None = None) -> Target:
        """Forget a target and return its function. Open comms are not touched.

        Args:
            target_name: as registered.
            f: if given, the function that must be the one registered.

        Raises:
            KeyError: no such target.
            ValueError: another function is registered.
        """
        registered = self.targets[target_name]
        if f is not None and f is not registered:
            raise ValueError(
                f"target {target_name!r}: expected {f!r}, registered is {registered!r}"
            )
        self._runs.pop(target_name, None)
        return self.targets.pop(target_name)

    def expect_open(self, target_name: str, timeout: float = DEFAULT_TIMEOUT_S) -> Expected[Comm]:
        """Return the next comm the peer opens to ``target_name``; to be made before it does.

        The comm goes to nobody else; what it was opened with is its ``open_msg``.

        Args:
            target_name: what the peer will name in its ``comm_open``.
            timeout: seconds from now; then the builtin TimeoutError.
        """
        expected: Expected[Comm] = Expected(
            f"comm_open on target {target_name!r}", timeout_s=timeout, wait=self.runtime.wait
        )
        with self._lock:
            self._expected.setdefault(target_name, deque()).append(expected)
        self._release_soon(target_name)
        return expected

    # ------------------------------------------------------------------ peers

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The live sessions at the other end; none of them is a plain peer."""
        return self.sessions.peers.live()

    def on_peer(self, callback: OnPeer | None) -> OnPeer | None:
        """Call ``callback(peer, is_live)`` when a session begins or ends; a decorator too.

        It replaces the one before; None removes it.
        """
        self.sessions.on_peer(callback)
        return callback

    # ------------------------------------------------------------------ comms

    def new_comm(
        self,
        target_name: str,
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Buffers | None = None,
        comm_id: str | None = None,
        *,
        run: Run = "main",
        history: int = 0,
    ) -> Comm:
        """Open a comm to the peer's target. Arguments and errors as ``Comm``."""
        return Comm(
            target_name, data, metadata, buffers, comm_id, manager=self, run=run, history=history
        )

    def get_comm(self, comm_id: str) -> AnyComm | None:
        """Return the open comm with this id, or None."""
        return self.comms.get(comm_id)

    def register_comm(self, comm: AnyComm) -> str:
        """Take over a comm that the peer has open, without sending; return its id.

        Raises:
            DuplicateComm: the id is open here, or was.
        """
        with self._lock:
            self._check_free(comm)
            if isinstance(comm, Comm):
                self._router.adopt(comm._record)
            self.comms[comm.comm_id] = comm
        if isinstance(comm, Comm) and not self.sessions.is_kernel:
            self.sessions.accept(comm.comm_id, "")
        return str(comm.comm_id)

    def unregister_comm(self, comm: AnyComm) -> AnyComm:
        """Drop a comm without telling the peer; return it. ``comm.close()`` is what users want.

        Raises:
            KeyError: it is not registered; another comm may be, under its id.
        """
        comm_id: str = comm.comm_id
        with self._lock:
            if self.comms.get(comm_id) is not comm:
                raise KeyError(comm_id)
            dropped = self.comms.pop(comm_id)
            if isinstance(dropped, Comm):
                self.sessions.forget(comm_id)
                self._router.forget(dropped._record)
                self._end(dropped)
            else:
                self._router.remember_closed(comm_id)
        return dropped

    def comm_info(self, target_name: str | None = None) -> JsonObject:
        """Return the content of a ``comm_info_reply`` about every open comm here."""
        if target_name == SESSION_TARGET and self._router.channel == "iopub":
            # Whoever asks for it by name knows the profile, and learns that this end does.
            return comm_info_content({SESSION_TARGET: SESSION_TARGET}, None)
        open_now = dict(self.comms)  # one step, so that other threads cannot change it under us
        targets = {i: getattr(c, "target_name", "") for i, c in open_now.items()}
        return comm_info_content(targets, target_name)

    # ------------------------------------------------------------------ for Comm (CommOwner)

    def runtime_for(self, run: Run) -> Runtime:
        """Return what runs the handlers of a comm; the same for all, but in a kernel."""
        del run
        return self.runtime

    def comm_class(self, target_name: str) -> type[Comm]:
        """Return the class of the comms that the peer opens to a target."""
        del target_name
        return Comm

    def open_comm(self, comm: Comm, encoded: Encoded) -> None:
        """Register ``comm`` and send its ``comm_open``; where it cannot leave, nothing is open."""
        with self._lock:
            self._check_free(comm)
            self._router.send_open(
                comm._record,
                self._outgoing(comm, encoded),
                self._clock(),
                target_module=comm.target_module,
            )
            self.comms[comm.comm_id] = comm
            if self.sessions.is_kernel:
                self.sessions.keep(comm.comm_id, comm.history)
            try:
                self._flush()
            except BaseException:
                self.unregister_comm(comm)
                raise

    def send_comm(
        self,
        comm: Comm,
        encoded: Encoded,
        *,
        coalesce: str | None = None,
        on_full: OnFull = "keep",
        to: str | None = None,
        on_progress: OnProgress | None = None,
        pause_s: float = 0.0,
    ) -> None:
        """Send a ``comm_msg``; without a peer, one with ``coalesce`` after ``pause_s``."""
        while True:
            with self._lock:
                self._router.send_msg(comm._record, self._outgoing(comm, encoded), self._clock())
                messages = self._router.messages_to_send()
                try:
                    self.sessions.send(
                        messages,
                        coalesce=coalesce,
                        always=on_full == "keep",
                        to=to,
                        on_progress=on_progress,
                        pause_s=pause_s,
                    )
                except QueueFull:
                    if on_full == "raise":
                        raise
                else:
                    return
            self._wait_for_room(comm)

    def _wait_for_room(self, comm: Comm) -> None:
        """Wait until less is queued.

        Raises:
            QueueFull: in vain, or this is the loop that brings what peers confirm.
        """
        room = self.sessions.room(ON_FULL_TIMEOUT_S)
        try:
            self.runtime.wait(room.future, ON_FULL_TIMEOUT_S, handlers=False)
            room.result(0)
        except (LocalProtocolError, TimeoutError) as error:
            limit = self.limits.max_queue_bytes
            about = f"{comm}: peers do not keep up with what is sent: await comm.drain()"
            raise QueueFull(about, queued=limit, limit=limit) from error

    def close_comm(self, comm: Comm, encoded: Encoded) -> None:
        """Send the ``comm_close`` and unregister ``comm``, whatever becomes of the message."""
        with self._lock:
            if comm.closed:  # by another thread, since it was asked
                return
            self._router.send_close(comm._record, self._outgoing(comm, encoded), self._clock())
            self.comms.pop(comm.comm_id, None)
            self._end(comm)
            self._flush()

    # ------------------------------------------------------------------ for the host

    def receive(self, message: Message) -> None:
        """Feed one message; other types than the three of comms are passed over.

        Never raises for what the peer sent or for what a handler raises: both are reported to the
        runtime. Call on the handler thread.
        """
        if message.msg_type in COMM_TYPES:
            for arrived in self.sessions.arrive(message):
                self.deliver(arrived)

    def deliver(self, message: Message) -> None:
        """Handle a comm message that ``sessions.arrive`` handed on. Call on the handler thread."""
        if self._receive_foreign(message):
            return
        with self._lock:
            self._router.receive(message, self._clock())
            events = self._router.events()
        for event in events:
            self._handle(event)

    def keep(self, message: Message, *, only_answers: bool = False) -> bool:
        """Deliver a ``comm_msg`` for which no handler has to run; False where one has to, or may not.

        For a host that receives on another thread than the one handlers run on. Any thread may call;
        messages of one comm in order.

        Args:
            only_answers: leave all but answers to requests, which may overtake other messages.
        """
        # Without an entry of ours it is no answer; then, often, nothing else is asked.
        if message.msg_type != "comm_msg" or (only_answers and "tsushin" not in message.metadata):
            return False
        try:
            content = comm_content(message)
            about = requests.read(replace(message, content=content))
        except RemoteProtocolError:
            return False  # its turn comes, and says what is wrong
        comm = self.comms.get(content["comm_id"])
        if not isinstance(comm, Comm) or comm.closed:
            return False
        if isinstance(about, Asked):
            return not only_answers and comm._requests.refuse_unknown(about, message.session)
        if about is None and (only_answers or not comm._delivery.can_keep()):
            return False
        return self._keep(comm, message)

    def restore(self, comms: CommInfo) -> list[str]:
        """Offer comms that the peer has open, as a ``comm_info_reply`` lists them, to the targets here.

        Each one that is new to this end is opened as if the peer had just opened it, with ``data: {}`` and
        ``metadata.tsushin.restored``. Nothing is sent. One whose target is not registered is kept where
        ``on_unknown`` says so, else left alone. Call on the handler thread.

        Returns:
            The ids of those that were opened.
        """
        opened = []
        for comm_id, about in self.restorable(comms).items():
            content = {"comm_id": comm_id, "target_name": about["target_name"]}
            self.receive(self.made_up("comm_open", content, {"restored": True}))
            if comm_id in self.comms:
                opened.append(comm_id)
        return opened

    def take_up(self, comms: CommInfo) -> Expected[list[str]]:
        """Do as ``restore``, with what a kernel end that knows the profile has kept of each comm.

        That is what it was opened with, the messages that its ``history`` keeps, and its snapshot. A kernel
        end without the profile has kept nothing. Call on the handler thread.

        Returns:
            The ids of those that were opened, to come.
        """
        return self._taking_up.begin(comms)

    def restorable(self, comms: CommInfo) -> CommInfo:
        """Return those of these comms that are new here, and have a target or are kept for it."""
        with self._lock:
            return {
                comm_id: about
                for comm_id, about in comms.items()
                if (self._router.on_unknown == "keep" or self.knows_target(about["target_name"]))
                and comm_id not in self.comms
                and self._router.is_new(comm_id)
            }

    def opened_by_peers(self) -> list[Comm]:
        """Return the open comms of this package that this end did not open."""
        return [c for c in dict(self.comms).values() if isinstance(c, Comm) and not c.primary]

    def lose(self, reason: str, error: TsushinError | None = None) -> None:
        """Every comm is lost: ``on_close`` runs with the reason, waits end with ``error``."""
        with self._lock:
            self._router.lose(reason)
            events = self._router.events()
            expected = [e for queue in self._expected.values() for e in queue]
            self._expected.clear()
        for event in events:
            if isinstance(event, Lost):
                self._lose_comm(event, error)
        for comm in list(self.comms.values()):
            self._hand_on(comm, self._loss_message(Lost(comm.comm_id, reason)))
        for waiting in expected:
            waiting.fail(error or TsushinError(reason))
        self.sessions.reset()

    def renew_locks(self) -> None:
        """Make the locks anew, in a forked child: who held them in the parent is not here to let go."""
        self._lock = threading.RLock()
        self.sessions.renew(self._lock)
        for comm in list(self.comms.values()):
            if isinstance(comm, Comm):
                if comm._own_delivery is not None:
                    comm._own_delivery.renew_lock()
                if comm._own_requests is not None:
                    comm._own_requests.renew_lock()

    def close_all(self, reason: str) -> None:
        """Close every comm made here by us, telling the peer why. For a host that shuts down."""
        for comm in list(self.comms.values()):
            if isinstance(comm, Comm):
                # The link may be gone already; the comm is closed here all the same.
                with suppress(TransportError):
                    comm.close(metadata={"reason": reason})

    # ------------------------------------------------------------------ inside

    def _release_soon(self, target_name: str) -> None:
        """Deliver comms that wait for this target after the registering call has returned."""
        if self._router.on_unknown == "keep":
            self.runtime.soon(lambda: self._release(target_name))

    def _release(self, target_name: str) -> None:
        with self._lock:
            self._router.release(target_name, self._clock())
            events = self._router.events()
        for event in events:
            self._handle(event)

    def knows_target(self, target_name: str) -> bool:
        """Say whether an open for this target would be accepted: it is registered or waited for."""
        return target_name in self.targets or self._waits_for(target_name)

    def _waits_for(self, target_name: str) -> bool:
        queue = self._expected.get(target_name)
        while queue and not queue[0].is_waiting():
            queue.popleft()
        return bool(queue)

    def _made_under(self, comm: Comm) -> JsonObject:
        """Return the header of the request that a comm was made under; {} where there was none."""
        return comm._made_under()

    def _outgoing(self, comm: Comm, encoded: Encoded) -> Outgoing:
        parent = self.runtime.parent(comm._made_under)
        return Outgoing(encoded.data, encoded.metadata, encoded.buffers, parent)

    def _flush(self) -> None:
        self.sessions.send(self._router.messages_to_send())

    def _new_msg_id(self) -> str:
        return f"{self.session}_{next(self._numbers)}"

    def _header(self, msg_type: str, now: float) -> Header:
        return new_header(
            msg_type,
            msg_id=self._new_msg_id(),
            session=self.session,
            now=now,
            username=self._username,
        )

    # What ``Sessions`` finds out (``Hooks``).

    def _deliver_late(self, messages: list[Message]) -> None:
        for message in messages:
            self.deliver(message)

    def _tell_gap(self, comm_id: str, missed: int) -> None:
        comm = self.comms.get(comm_id)
        if isinstance(comm, Comm):
            comm._delivery.tell_gap(missed)
            self._taking_up.missed(comm_id)

    def _cancel_request(self, comm_id: str, req: str) -> None:
        comm = self.comms.get(comm_id)
        if isinstance(comm, Comm):
            comm._requests.cancel_answer(req)

    def _credit_request(self, comm_id: str, req: str, taken: int) -> None:
        comm = self.comms.get(comm_id)
        if isinstance(comm, Comm):
            comm._requests.credit_answer(req, taken)

    def _lose_kernel(self) -> None:
        about = "the kernel was restarted"
        self.lose(about, KernelGone(about, why="restarted"))

    def _look_at_requests(self) -> None:
        for comm in list(self.comms.values()):
            if isinstance(comm, Comm) and comm._own_requests is not None:
                comm._own_requests.peers_changed()

    # What ``Requests`` asks (``Asking``).

    def check_live(self, session: str, about: str) -> None:
        """Raise NoPeer where a session is not there."""
        self.sessions.check_live(session, about)

    def may_answer(self, comm_id: str) -> set[str] | None:
        """Return the sessions that may answer a request; None while one that is not there may come."""
        there = self.sessions.peers.may_answer(comm_id)
        is_early = not self.sessions.peers.live() and self.sessions.may_come()
        return None if is_early else there

    def may_have_heard(self, comm_id: str) -> set[str]:
        """Return the sessions that may have got what was sent on a comm before they said hello."""
        # Pages that are there already, with the comm open, say hello just after a kernel end has come.
        if not self.sessions.may_come():
            return set()
        return {peer.session for peer in self.sessions.peers.with_open(comm_id)}

    def cancel_request(self, comm_id: str, req: str, but: str | None) -> None:
        """Nobody waits for an answer any more; ``but`` has given it."""
        self.sessions.cancel(comm_id, req, but)

    def credit_request(self, comm_id: str, req: str, taken: int, session: str) -> None:
        """So many parts of an answer were taken."""
        self.sessions.credit(comm_id, req, taken, session)

    def _handle(self, event: Event) -> None:
        match event:
            case Received():
                self._deliver(event)
            case Opened():
                self._accept(event)
            case Closed():
                self._close_received(event)
            case Late():
                self.late += 1
            case Unknown():
                self._meet_unknown(event)
            case ProtocolFault():
                self._answer_fault(event.error)
            case Lost():
                self._lose_comm(event, None)

    def _accept(self, event: Opened) -> None:
        record = self._router.record(event.comm_id)
        packed = Packed.of(event.message)  # as it came: what is binary is put back into it next
        message = self._restored(event.message)
        if record is None or message is None:
            self._refuse(event, {"code": RemoteProtocolError.code, "message": "malformed binary"})
            return
        comm = self.comm_class(event.target_name)(
            event.target_name,
            comm_id=event.comm_id,
            primary=False,
            target_module=event.target_module,
            manager=self,
            run=self._runs.get(event.target_name, "main"),
        )
        comm._record = record
        comm._opened_by(message, packed)
        self.comms[event.comm_id] = comm
        if not self._settle_expected(comm, message):
            self._run_target(event, comm, message)

    def _settle_expected(self, comm: Comm, message: Message) -> bool:
        with self._lock:
            queue = self._expected.get(comm.target_name)
            while queue:
                expected = queue.popleft()
                if expected.is_waiting() and expected.settle(comm):
                    self.sessions.accept(comm.comm_id, message.session)
                    return True
        return False

    def _run_target(self, event: Opened, comm: Comm, message: Message) -> None:
        target, classic = self.targets.get(event.target_name), to_classic(message)

        def done(error: BaseException | None) -> None:
            if error is not None:
                self._refuse(event, _handler_raised(error))
                self.runtime.report(error, f"target of {comm}", message)

        if target is None:  # unregistered, or no longer waited for, just now
            self._leave_or_refuse(event, comm)
            return
        try:
            result = self.runtime.run(lambda: target(comm, classic), message)
        except (Exception, SystemExit) as error:  # a handler never ends its host
            done(error)
            return
        self.sessions.accept(comm.comm_id, message.session)
        if result is not None and inspect.isawaitable(result):
            self.runtime.spawn(result, done)

    def _leave_or_refuse(self, event: Opened, comm: Comm) -> None:
        if self._router.on_unknown != "close":  # DESIGN 5: an attached frontend never closes it
            self.unknown += 1
            self.unregister_comm(comm)
            self.sessions.refuse(event.comm_id)
        else:
            self._refuse(event, {"code": UnknownTarget.code, "message": "the target is gone"})

    def _refuse(self, event: Opened, reason: CloseReason) -> None:
        with self._lock, suppress(TransportError):  # with the link the peer's comm is gone too
            self._router.refuse(event, reason, self._clock())
            comm = self.comms.pop(event.comm_id, None)
            if isinstance(comm, Comm):
                self._end(comm)
            self._flush()

    def _keep(self, comm: Comm, message: Message) -> bool:
        restored = self._restored(message)  # an answer may hold binary too
        if restored is None:
            return True
        if requests.read(restored) is None:
            return comm._delivery.keep(restored)
        self._deliver_to(comm, restored)
        return True

    def _deliver(self, event: Received) -> None:
        comm = self.comms.get(event.comm_id)
        message = self._restored(event.message)
        if message is not None and isinstance(comm, Comm):
            self._deliver_to(comm, message)

    def _deliver_to(self, comm: Comm, message: Message) -> None:
        try:
            about = requests.read(message)
        except RemoteProtocolError as error:
            self._answer_fault(error)
            return
        match about:
            case None:
                comm._delivery.put(message)
            case Asked():
                comm._requests.take_request(about, message)
            case Answered() | Part() | Failed():
                comm._requests.take_answer(about, message.session)

    def _close_received(self, event: Closed) -> None:
        comm = self.comms.pop(event.comm_id, None)
        content = comm_content(event.message)
        # A close counts even where the peer's entries for binary are malformed.
        message = self._restored(event.message) or replace(event.message, content=content)
        if isinstance(comm, Comm):
            data = message.content["data"]
            error = CommClosed(f"{comm} was closed by the peer", closed_by="there", data=data)
            comm._end_requests(error)
            self.sessions.peers.forget(comm.comm_id, error)
            comm._delivery.close(message, error)

    def _lose_comm(self, event: Lost, error: TsushinError | None) -> None:
        comm = self.comms.pop(event.comm_id, None)
        if isinstance(comm, Comm):
            lost = error or CommClosed(f"{comm} was lost: {event.reason}", closed_by="lost")
            comm._end_requests(lost)
            self.sessions.peers.forget(comm.comm_id, lost)
            comm._delivery.close(self._loss_message(event), lost)

    def _loss_message(self, event: Lost) -> Message:
        """Build what ``on_close`` gets for a loss, in the shape of a ``comm_close``."""
        return self.made_up("comm_close", {"comm_id": event.comm_id}, {"lost": event.reason})

    def made_up(self, msg_type: str, about: JsonObject, tsushin: JsonObject) -> Message:
        """Build a message that no peer has sent; ``tsushin`` in its metadata says why. For ``TakingUp``."""
        header = new_header(
            msg_type,
            msg_id="",
            session=self.session,
            now=self._clock(),
            username=self._username,
        )
        content = {**about, "data": {}}
        metadata: JsonObject = {"tsushin": tsushin} if tsushin else {}
        return Message(self._router.channel, header, {}, metadata, content)

    def _end(self, comm: Comm) -> None:
        error = CommClosed(f"{comm} was closed", closed_by="here")
        comm._end_requests(error)
        self.sessions.peers.forget(comm.comm_id, error)
        comm._delivery.end(error)

    def _meet_unknown(self, event: Unknown) -> None:
        self.unknown += 1
        if event.message.msg_type == "comm_open":
            self.sessions.refuse(event.comm_id)
        # A broadcast about other people's comms is normal at a frontend (Jupyter messaging, iopub).
        if self._router.channel == "iopub":
            kind = event.message.msg_type
            self.runtime.fault(
                RemoteProtocolError(f"{kind} {quote(event.comm_id)}: no comm with this id is open")
            )

    def _answer_fault(self, error: RemoteProtocolError) -> None:
        if error.reply is not None:
            # Without a link nobody reads the answer; its driver calls lose.
            with self._lock, suppress(TransportError):
                self.sessions.send([error.reply])
        self.runtime.fault(error)

    def _restored(self, message: Message) -> Message | None:
        """Put binary back into the data; None (and a fault) where the peer's entries are malformed."""
        ours = message.metadata.get("tsushin")
        has_binary = isinstance(ours, dict) and "bin" in ours
        if not has_binary and isinstance(message.content.get("data"), dict):
            return message
        content = comm_content(message)
        if content is message.content and not has_binary:
            return message
        try:
            data, buffers = restore_data(content["data"], message.metadata, message.buffers)
        except RemoteProtocolError as error:
            self._answer_fault(error)
            return None
        return replace(message, content={**content, "data": data}, buffers=buffers)

    def _receive_foreign(self, message: Message) -> bool:
        """Hand a message to a comm of another package; False where it is not for one."""
        comm_id = message.content.get("comm_id")
        comm = self.comms.get(comm_id) if isinstance(comm_id, str) else None
        if comm is None or isinstance(comm, Comm):
            return False
        if message.msg_type == "comm_open":
            about = f"comm_open {quote(comm_id)}: expected a new id, this comm is open"
            self.runtime.fault(RemoteProtocolError(about))
            return True
        self._hand_on(comm, message)
        return True

    def _hand_on(self, comm: AnyComm, message: Message) -> None:
        """Call a foreign comm's handler; a close takes it out of the registry first."""
        handler = comm.handle_msg
        if message.msg_type == "comm_close":
            self.comms.pop(comm.comm_id, None)
            self._router.remember_closed(comm.comm_id)
            if hasattr(comm, "_closed"):
                comm._closed = True  # as comm's own manager does, or it closes once more when freed
            handler = comm.handle_close
        try:
            self._call_foreign(handler, to_classic(message))
        except (Exception, SystemExit) as error:  # a handler never ends its host
            self.runtime.report(error, f"{message.msg_type} of {comm!r}", message)

    def _call_foreign(self, handler: Handler, msg: ClassicMessage) -> None:
        """Call what another package's comm does with a message. Hosts add what it needs around it."""
        handler(msg)

    def _check_free(self, comm: AnyComm) -> None:
        """Raise DuplicateComm where another comm, perhaps of another package, has this id."""
        if self.comms.get(comm.comm_id, comm) is not comm:
            about = f"comm {quote(comm.comm_id)}: expected a new id, this one is open"
            raise DuplicateComm(about, comm_id=comm.comm_id)


def _handler_raised(error: BaseException) -> CloseReason:
    about = str(error) or type(error).__name__
    return {"code": "remote_error", "name": type(error).__name__, "message": about}
