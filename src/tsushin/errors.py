"""The errors of Tsushin, one tree under ``TsushinError``.

Three families are told apart by type: your call was illegal and nothing was sent
(``LocalProtocolError``); the peer broke a rule (``RemoteProtocolError``); the link is gone
(``TransportError``). Each class has a stable ``code``; ``spec/errors.json`` lists them for both
languages. A message says what, where, expected and got, and never holds a key, a token or more than
40 characters of what a peer sent (``quote``).
"""

from __future__ import annotations

import reprlib
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from tsushin.protocol.messages import Message

ClosedBy = Literal["here", "there", "lost"]
KernelGoneWhy = Literal["restarted", "died", "shut down", "forked"]

_QUOTED_CHARS = 40


class _Brief(reprlib.Repr):
    """repr of the first items of two levels; objects stay in their order, unsorted."""

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        if level <= 0:
            return "{…}"
        items = islice(x.items(), self.maxdict)
        pairs = (f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in items)
        return "{" + ", ".join(pairs) + "}"


_brief = _Brief()
_brief.maxlevel = 2
_brief.maxlist = _brief.maxdict = _brief.maxstring = _QUOTED_CHARS + 1


def quote(value: object) -> str:
    """Return ``repr(value)``, cut to 40 characters: peer data safe to put into an error message."""
    # Huge or deeply nested peer data is cut before repr: quoting costs nothing and cannot fail.
    text = (
        repr(value[: _QUOTED_CHARS + 1]) if isinstance(value, str | bytes) else _brief.repr(value)
    )
    return text if len(text) <= _QUOTED_CHARS else text[: _QUOTED_CHARS - 1] + "…"


class TsushinError(Exception):
    """Base of every error Tsushin raises on its own account."""

    code: ClassVar[str] = "tsushin_error"


class ProtocolError(TsushinError):
    """A rule of the comm protocol was broken. Abstract: raised only as a subclass."""

    code = "protocol_error"

    def __init__(self, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError(
                "ProtocolError is abstract: raise LocalProtocolError or RemoteProtocolError"
            )
        super().__init__(message)


class LocalProtocolError(ProtocolError):
    """Your call is illegal now; nothing was sent."""

    code = "local_protocol_error"


class CommClosed(LocalProtocolError):
    """The comm is closed.

    Attributes:
        closed_by: "here", "there" or "lost".
        data: the data of the close; ``{}`` when the comm was lost.
    """

    code = "comm_closed"

    def __init__(
        self,
        message: str,
        *,
        closed_by: ClosedBy | None = None,
        data: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.closed_by: ClosedBy | None = closed_by
        self.data: dict[str, object] = {} if data is None else data


class CommNotOpen(LocalProtocolError):
    """The comm was never opened."""

    code = "comm_not_open"


class DuplicateComm(LocalProtocolError):
    """A comm with this id is already known here."""

    code = "duplicate_comm"

    def __init__(self, message: str, *, comm_id: str) -> None:
        super().__init__(message)
        self.comm_id = comm_id


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule.

    Attributes:
        reply: the message to answer with, or None when the protocol wants no answer.
    """

    code = "remote_protocol_error"

    def __init__(self, message: str, *, reply: Message | None = None) -> None:
        super().__init__(message)
        self.reply = reply


class WireError(RemoteProtocolError):
    """The bytes are not a message.

    Attributes:
        part: where: "header", "offset table", "buffer 3", ….
        offset: byte offset of the fault inside ``part`` (for WebSocket carriers: inside the frame),
            or None where an offset has no meaning.
    """

    code = "wire_error"

    def __init__(self, message: str, *, part: str, offset: int | None = None) -> None:
        super().__init__(f"{part}: {message}")
        self.part = part
        self.offset = offset


class SignatureError(WireError):
    """The signature is missing, wrong, or was seen before."""

    code = "signature_error"


class UnknownTarget(RemoteProtocolError):
    """A comm was opened to a target that is not registered here."""

    code = "unknown_target"

    def __init__(self, message: str, *, target_name: str, reply: Message | None = None) -> None:
        super().__init__(message, reply=reply)
        self.target_name = target_name


class LimitExceeded(RemoteProtocolError):
    """A limit of ``Limits`` was passed.

    Attributes:
        limit: the limit's name, as in ``Limits``.
        allowed: its value.
        actual: what was met.
        unit: "bytes" or "count".
    """

    code = "limit_exceeded"

    def __init__(
        self, *, limit: str, allowed: int, actual: int, unit: str, where: str = ""
    ) -> None:
        place = f"{where}: " if where else ""
        super().__init__(f"{place}{limit} is {allowed} {unit}, got {actual}")
        self.limit = limit
        self.allowed = allowed
        self.actual = actual
        self.unit = unit


class TransportError(TsushinError):
    """The link between the ends."""

    code = "transport_error"


class ConnectFailed(TransportError):
    """The link could not be made."""

    code = "connect_failed"


class TransportClosed(TransportError):
    """The link was closed by us, or orderly by the peer."""

    code = "transport_closed"


class TransportLost(TransportError):
    """The link broke; ``__cause__`` says how where it is known."""

    code = "transport_lost"


class PeerError(TsushinError):
    """The other end answered, with a refusal."""

    code = "peer_error"


class RemoteError(PeerError):
    """The peer's handler raised.

    Attributes:
        name: class name of the peer's exception.
        remote_traceback: its traceback as text, or "" where the peer sends none.
    """

    code = "remote_error"

    def __init__(self, message: str, *, name: str, remote_traceback: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.remote_traceback = remote_traceback


class NoPeer(PeerError):
    """Nobody can answer."""

    code = "no_peer"


class Unsupported(PeerError):
    """The peer lacks a feature."""

    code = "unsupported"

    def __init__(self, message: str, *, feature: str) -> None:
        super().__init__(message)
        self.feature = feature


class QueueFull(TsushinError):
    """The send queue is full.

    Attributes:
        queued: bytes waiting now.
        limit: bytes allowed.
    """

    code = "queue_full"

    def __init__(self, message: str, *, queued: int, limit: int) -> None:
        super().__init__(message)
        self.queued = queued
        self.limit = limit


class NoHost(TsushinError):
    """Neither a kernel nor an endpoint runs in this process."""

    code = "no_host"


class ExecutionError(TsushinError):
    """Code run by a frontend raised.

    Attributes:
        name: class name of the exception in the kernel.
        value: its message.
        traceback: lines as the kernel formats them, possibly with ANSI colours.
    """

    code = "execution_error"

    def __init__(self, *, name: str, value: str, traceback: list[str]) -> None:
        lines = "\n".join(traceback)
        super().__init__(f"{name}: {value}" + (f"\n{lines}" if lines else ""))
        self.name = name
        self.value = value
        self.traceback = traceback


class KernelGone(TsushinError):
    """The kernel is gone, and with it every comm it had.

    Attributes:
        why: "restarted", "died", "shut down" or "forked".
    """

    code = "kernel_gone"

    def __init__(self, message: str, *, why: KernelGoneWhy) -> None:
        super().__init__(message)
        self.why = why
