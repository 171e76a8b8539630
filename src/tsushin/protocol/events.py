"""What the router tells its caller after a message was fed to it. A tagged union: ``match`` on it."""

from __future__ import annotations

from dataclasses import dataclass

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import CommId, Message


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a comm to a target that is known here. Run the target, or ``refuse``."""

    comm_id: CommId
    target_name: str
    target_module: str | None
    message: Message


@dataclass(frozen=True, slots=True)
class Received:
    """A ``comm_msg`` for an open comm."""

    comm_id: CommId
    message: Message


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closed the comm."""

    comm_id: CommId
    message: Message


@dataclass(frozen=True, slots=True)
class Lost:
    """The comm is gone without a ``comm_close``. ``reason`` is for people."""

    comm_id: CommId
    reason: str


@dataclass(frozen=True, slots=True)
class Late:
    """The message crossed a close on its way: normal, to be counted at most."""

    comm_id: CommId
    message: Message


@dataclass(frozen=True, slots=True)
class Unknown:
    """The message is about a comm this end has no part in: normal at a frontend, odd at a kernel."""

    comm_id: CommId
    message: Message


@dataclass(frozen=True, slots=True)
class ProtocolFault:
    """The peer broke a rule; nothing changed. Send ``error.reply`` if it is not None, and report."""

    error: RemoteProtocolError
    message: Message


Event = Opened | Received | Closed | Lost | Late | Unknown | ProtocolFault
