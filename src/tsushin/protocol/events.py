"""What the router tells its caller after a message was fed to it. A tagged union: ``match`` on it."""

from __future__ import annotations

import msgspec

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import CommId, Message


class Opened(msgspec.Struct, frozen=True):
    """The peer opened a comm to a target that is known here. Run the target, or ``refuse``."""

    comm_id: CommId
    target_name: str
    target_module: str | None
    message: Message


class Received(msgspec.Struct, frozen=True):
    """A ``comm_msg`` for an open comm."""

    comm_id: CommId
    message: Message


class Closed(msgspec.Struct, frozen=True):
    """The peer closed the comm."""

    comm_id: CommId
    message: Message


class Lost(msgspec.Struct, frozen=True):
    """The comm is gone without a ``comm_close``. ``reason`` is for people."""

    comm_id: CommId
    reason: str


class Late(msgspec.Struct, frozen=True):
    """The message crossed a close on its way: normal, to be counted at most."""

    comm_id: CommId
    message: Message


class Unknown(msgspec.Struct, frozen=True):
    """The message is about a comm this end has no part in: normal at a frontend, odd at a kernel."""

    comm_id: CommId
    message: Message


class ProtocolFault(msgspec.Struct, frozen=True):
    """The peer broke a rule; nothing changed. Send ``error.reply`` if it is not None, and report."""

    error: RemoteProtocolError
    message: Message


Event = Opened | Received | Closed | Lost | Late | Unknown | ProtocolFault
