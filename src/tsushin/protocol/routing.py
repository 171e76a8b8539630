"""All comms of one end: who may send, what an arriving message means, what must be answered.

The only place that knows about more than one comm. It is sans-IO: messages and ``now`` go in, events and
messages to send come out. The states are ``states.TABLE``; what differs between a kernel and a frontend is
data given to the constructor (the channel it sends on, whether it closes opens it does not know).

A driver does, for each message and each call::

    router.receive(message, now)
    while event := router.next_event():
        ...                                # see events.py for what each one asks
    for message in router.messages_to_send():
        transport.send(message)

Closed ids are remembered (bounded), so that what crossed a close on its way is ``Late`` and not an error:
comms closed here or there, opens that were refused, and other ends' comms whose close was seen, so that a
stale ``comm_info_reply`` does not bring them back.
A remembered id is never opened again. An open for it, or above a limit, is a fault that is answered by
``comm_close`` where the end answers unknown opens, because no good comm can be hurt by that. An open for a
*live* id is a fault without an answer: a ``comm_close`` would close the good comm.

Spec: Jupyter messaging, "Custom Messages".
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Literal, NotRequired, TypedDict

import msgspec

from tsushin.errors import (
    ClosedBy,
    CommClosed,
    CommNotOpen,
    DuplicateComm,
    LimitExceeded,
    RemoteProtocolError,
    UnknownTarget,
    quote,
)
from tsushin.protocol.contents import comm_content
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
    Channel,
    CommId,
    JsonObject,
    Message,
    SessionId,
    new_header,
)
from tsushin.protocol.states import Input, State, advance
from tsushin.protocol.states import Late as LateOutcome
from tsushin.protocol.waiting import WaitingRoom

OnUnknown = Literal["close", "ignore", "keep"]


class CommRecord(msgspec.Struct, gc=False):
    """What the router knows of one comm. No cycle can come about in it: what it holds is text and JSON.

    Attributes:
        primary: this end sent the ``comm_open``.
        closed_by: set when ``state`` becomes CLOSED.
        close_data: the data of the close.
    """

    comm_id: CommId
    target_name: str
    primary: bool
    state: State = State.UNOPENED
    closed_by: ClosedBy | None = None
    close_data: JsonObject | None = None


class CloseReason(TypedDict):
    """``metadata.tsushin.error`` of a ``comm_close`` that refuses an open."""

    code: str
    message: str
    name: NotRequired[str]


class Outgoing(msgspec.Struct, frozen=True):
    """What the caller wants sent, checked and encoded.

    Attributes:
        data: a JSON object, or ``msgspec.Raw`` of one.
        parent: header of the message that caused this one, or ``{}``.
    """

    data: object
    metadata: JsonObject = msgspec.field(default_factory=dict)
    buffers: tuple[memoryview, ...] = ()
    parent: JsonObject = msgspec.field(default_factory=dict)


class Router:
    """The comms of one end.

    Args:
        channel: what this end sends comm messages on: "iopub" for a kernel, "shell" for a frontend.
        session: the header's ``session`` of everything sent.
        on_unknown: "close" answers an open for an unknown target with ``comm_close``; "ignore" leaves
            it to others, as a frontend does that attached to a kernel it did not start; "keep" does too,
            and keeps the comm with its messages (bounded) until the target is registered: ``release``.
        knows_target: says whether a target name is registered here, now.
        new_msg_id: makes message ids that are never used twice.
        username: the header's ``username``.
    """

    def __init__(
        self,
        *,
        channel: Channel,
        session: SessionId,
        on_unknown: OnUnknown,
        knows_target: Callable[[str], bool],
        new_msg_id: Callable[[], str],
        limits: Limits = DEFAULT_LIMITS,
        username: str = "",
    ) -> None:
        self.channel = channel
        self.session = session
        self.on_unknown = on_unknown
        self._knows_target = knows_target
        self._new_msg_id = new_msg_id
        self._limits = limits
        self._username = username
        self._live: dict[CommId, CommRecord] = {}
        self._closed: dict[CommId, None] = {}  # a set in the order they closed; no data is kept
        self._waiting = WaitingRoom(limits)  # used with "keep" only
        self._events: list[Event] = []
        self._outgoing: list[Message] = []

    # ------------------------------------------------------------------ asking

    def record(self, comm_id: str) -> CommRecord | None:
        """Return what is known of an open comm, or None."""
        return self._live.get(CommId(comm_id))

    def open_comms(self) -> dict[str, str]:
        """Return comm id -> target name of every open comm."""
        return {record.comm_id: record.target_name for record in self._live.values()}

    def is_new(self, comm_id: str) -> bool:
        """Say whether an id was never heard of here: neither open, nor waiting, nor closed."""
        known = CommId(comm_id)
        return self._state(known) is State.UNOPENED and known not in self._waiting

    def next_event(self) -> Event | None:
        """Take the oldest event, or None. Call until None after each ``receive`` and ``lose``."""
        return self._events.pop(0) if self._events else None

    def events(self) -> list[Event]:
        """Take every event there is, in order: ``next_event`` until None."""
        events, self._events = self._events, []
        return events

    def messages_to_send(self) -> list[Message]:
        """Take everything to be sent, in order. Call after each call that acts."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # ------------------------------------------------------------------ receiving

    def receive(self, message: Message, now: float) -> None:
        """Feed one comm message of the peer; any other type is passed over.

        Never raises for what a peer sent: that becomes a ``ProtocolFault``. Call ``next_event`` next.
        """
        try:
            match message.msg_type:
                case "comm_open":
                    self._receive_open(message, comm_content(message), now)
                case "comm_msg":
                    self._receive_for_comm(message, comm_content(message), Input.RECV_MSG)
                case "comm_close":
                    self._receive_for_comm(message, comm_content(message), Input.RECV_CLOSE)
                case _:
                    return
        except RemoteProtocolError as error:
            self._events.append(ProtocolFault(error, message))

    def release(self, target_name: str, now: float) -> None:
        """Receive what waits for a target that is registered now. Call ``next_event`` next."""
        for message in self._waiting.take(target_name):
            self.receive(message, now)

    def _receive_open(self, message: Message, content: JsonObject, now: float) -> None:
        comm_id, target_name = CommId(content["comm_id"]), content["target_name"]
        if comm_id in self._live or comm_id in self._waiting:
            raise RemoteProtocolError(
                f"comm_open {quote(comm_id)}: expected a new id, this comm is open"
            )
        if comm_id in self._closed:
            about = f"expected a new id, comm {quote(comm_id)} was closed"
            reason: CloseReason = {"code": RemoteProtocolError.code, "message": about}
            reply = self._refusal(comm_id, message, reason, now)
            raise RemoteProtocolError(f"comm_open: {about}", reply=reply)
        if not self._knows_target(target_name):
            self._receive_unknown_target(message, comm_id, target_name, now)
            return
        target_name = intern(target_name)  # one for all comms of a target, which is known here
        try:
            self._start(CommRecord(comm_id, target_name, primary=False), Input.RECV_OPEN)
        except LimitExceeded as error:
            reason = {"code": error.code, "message": str(error)}
            error.reply = self._refusal(comm_id, message, reason, now)
            raise
        target_module = content.get("target_module")
        self._events.append(Opened(comm_id, target_name, target_module, message))

    def _receive_unknown_target(
        self, message: Message, comm_id: CommId, target_name: str, now: float
    ) -> None:
        if self.on_unknown == "keep":
            self._waiting.open(comm_id, target_name, message)
            return
        if self.on_unknown == "ignore":
            self._events.append(Unknown(comm_id, message))
            return
        about = f"no target {quote(target_name)} is registered"
        reason: CloseReason = {"code": UnknownTarget.code, "message": about}
        reply = self._refusal(comm_id, message, reason, now)
        raise UnknownTarget(f"comm_open: {about}", target_name=target_name, reply=reply)

    def _receive_for_comm(self, message: Message, content: JsonObject, given: Input) -> None:
        comm_id = CommId(content["comm_id"])
        if comm_id in self._waiting:
            self._receive_for_waiting(comm_id, message, given)
            return
        record = self._live.get(comm_id)
        if given is Input.RECV_MSG and record is not None and record.state is State.OPEN:
            self._events.append(Received(comm_id, message))  # as nearly always
            return
        state = self._state(comm_id) if record is None else record.state
        match advance(state, given):
            case State.OPEN:
                self._events.append(Received(comm_id, message))
            case State.CLOSED if record is not None:
                self._finish(record, "there", content["data"])
                self._events.append(Closed(comm_id, message))
            case LateOutcome.LATE:
                self._events.append(Late(comm_id, message))
            case _:  # never opened here: somebody else's comm, or one of an earlier life
                if given is Input.RECV_CLOSE:
                    self.remember_closed(comm_id)  # STYLE 3: an adoption may be under way
                self._events.append(Unknown(comm_id, message))

    def _receive_for_waiting(self, comm_id: CommId, message: Message, given: Input) -> None:
        if given is Input.RECV_MSG:
            self._waiting.put(comm_id, message)
        else:
            self._waiting.forget(comm_id)  # nobody here has seen it
            self.remember_closed(comm_id)

    def _state(self, comm_id: CommId) -> State:
        record = self._live.get(comm_id)
        if record is not None:
            return record.state
        return State.CLOSED if comm_id in self._closed else State.UNOPENED

    # ------------------------------------------------------------------ sending

    def send_open(
        self,
        record: CommRecord,
        sent: Outgoing,
        now: float,
        *,
        target_module: str | None = None,
    ) -> None:
        """Open a comm. Call ``messages_to_send`` next.

        Raises:
            DuplicateComm: the id is open here, or was.
            CommClosed: this comm was open before.
            LimitExceeded: more than ``max_open_comms`` would be open, or the id is too long.
        """
        self._start(record, Input.SEND_OPEN)
        record.primary = True  # whatever was planned when the comm was made
        content = {"comm_id": record.comm_id, "target_name": record.target_name, "data": sent.data}
        if target_module is not None:
            content["target_module"] = target_module
        self._queue("comm_open", content, sent, now)

    def send_msg(self, record: CommRecord, sent: Outgoing, now: float) -> None:
        """Send on an open comm. Call ``messages_to_send`` next.

        Raises:
            CommClosed: the comm is closed; the error has the data of the close.
            CommNotOpen: it was never opened.
        """
        if record.state is not State.OPEN:  # then nothing may be sent: say why
            _next_state(record, Input.SEND_MSG)
        self._queue("comm_msg", {"comm_id": record.comm_id, "data": sent.data}, sent, now)

    def send_close(self, record: CommRecord, sent: Outgoing, now: float) -> None:
        """Close an open comm. Call ``messages_to_send`` next. Raises as ``send_msg``."""
        _next_state(record, Input.SEND_CLOSE)
        self._finish(record, "here", None)
        self._queue("comm_close", {"comm_id": record.comm_id, "data": sent.data}, sent, now)

    def refuse(self, opened: Opened, error: CloseReason, now: float) -> None:
        """Close a comm the peer just opened, because its target could not run.

        Does nothing where the target closed it itself. Call ``messages_to_send`` next.
        """
        record = self._live.get(opened.comm_id)
        if record is not None:
            self._finish(record, "here", None)
            self._outgoing.append(self._close_message(opened.comm_id, opened.message, error, now))

    def adopt(self, record: CommRecord) -> None:
        """Take over a comm that is open at the peer, without sending anything.

        A ``comm_info_reply`` (shell) and a ``comm_close`` (iopub) are not ordered relative to each
        other, so the remembered closes are looked at first. Raises as ``send_open``.
        """
        self._start(record, Input.ADOPT)

    def forget(self, record: CommRecord) -> None:
        """Drop a comm without telling the peer or remembering its id; it counts as closed here."""
        if self._live.get(record.comm_id) is record:
            del self._live[record.comm_id]
        record.state, record.closed_by = State.CLOSED, "here"

    def remember_closed(self, comm_id: str) -> None:
        """Remember the id of a comm that is closed, ours or not: what arrives for it is late."""
        if len(comm_id) > self._limits.max_comm_id_chars:
            return
        self._closed[CommId(comm_id)] = None
        if len(self._closed) > self._limits.max_closed_ids:
            del self._closed[next(iter(self._closed))]

    def lose(self, reason: str) -> None:
        """The kernel or the link is gone: every open comm is lost. Call ``next_event`` next."""
        for record in list(self._live.values()):
            self._finish(record, "lost", None)
            self._events.append(Lost(record.comm_id, reason))
        self._closed.clear()
        self._waiting.clear()

    # ------------------------------------------------------------------ inside

    def _start(self, record: CommRecord, given: Input) -> None:
        state = _next_state(record, given)
        known = self._state(record.comm_id)
        if known is not State.UNOPENED:
            raise DuplicateComm(
                f"comm {quote(record.comm_id)}: expected a new id, this one is {known.value}",
                comm_id=record.comm_id,
            )
        self._limits.check("max_comm_id_chars", len(record.comm_id), where="comm_id")
        self._limits.check("max_open_comms", len(self._live) + 1)
        record.state = state
        self._live[record.comm_id] = record
        self._waiting.forget(record.comm_id)  # taken over by ``adopt``

    def _finish(self, record: CommRecord, closed_by: ClosedBy, data: JsonObject | None) -> None:
        record.state, record.closed_by, record.close_data = State.CLOSED, closed_by, data
        self._live.pop(record.comm_id, None)
        self.remember_closed(record.comm_id)

    def _refusal(
        self, comm_id: CommId, message: Message, error: CloseReason, now: float
    ) -> Message | None:
        if self.on_unknown != "close":
            return None
        self.remember_closed(comm_id)
        return self._close_message(comm_id, message, error, now)

    def _close_message(
        self, comm_id: CommId, message: Message, error: CloseReason, now: float
    ) -> Message:
        """Build the ``comm_close`` that refuses ``message``: empty data, the reason in metadata."""
        sent = Outgoing({}, {"tsushin": {"error": error}}, (), dict(message.header))
        return self._message("comm_close", {"comm_id": comm_id, "data": {}}, sent, now)

    def _queue(self, msg_type: str, content: JsonObject, sent: Outgoing, now: float) -> None:
        self._outgoing.append(self._message(msg_type, content, sent, now))

    def _message(self, msg_type: str, content: JsonObject, sent: Outgoing, now: float) -> Message:
        header = new_header(
            msg_type,
            msg_id=self._new_msg_id(),
            session=self.session,
            now=now,
            username=self._username,
        )
        return Message(self.channel, header, sent.parent, sent.metadata, content, sent.buffers)


def _next_state(record: CommRecord, given: Input) -> State:
    """Return the state after ``given``, or raise why this end may not do that now."""
    outcome = advance(record.state, given)
    if isinstance(outcome, State):
        return outcome
    what = f"comm {quote(record.comm_id)} on target {quote(record.target_name)}: {given.value}"
    if record.state is State.UNOPENED:
        raise CommNotOpen(f"{what} before it was opened")
    if record.state is State.OPEN:
        raise DuplicateComm(f"{what} while it is open", comm_id=record.comm_id)
    raise CommClosed(
        f"{what} after it was closed ({record.closed_by})",
        closed_by=record.closed_by,
        data=record.close_data,
    )
