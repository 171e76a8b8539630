"""Jupyter messages as values.

A ``Message`` is what every wire produces and every transport moves. Nothing here looks at a clock or
makes an id: ``now`` and ``msg_id`` come from the caller.

``content["data"]`` of a message on its way out is usually ``msgspec.Raw``: JSON that was encoded when the
user called ``send``, so later changes to the user's objects change nothing that was sent, and the wire
copies it instead of encoding again. ``plain`` turns such a message into ordinary objects.

Spec: Jupyter messaging, "General Message Format".
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NewType, NotRequired, TypedDict

import msgspec
from msgspec.structs import replace

CommId = NewType("CommId", str)
MsgId = NewType("MsgId", str)
SessionId = NewType("SessionId", str)

Channel = Literal["shell", "iopub", "control", "stdin"]
CHANNELS: Final[tuple[Channel, ...]] = ("shell", "iopub", "control", "stdin")

# Any: a JSON value as decoded; no static type says more.
JsonObject = dict[str, Any]

PROTOCOL_VERSION: Final = "5.4"
COMM_TYPES: Final = frozenset({"comm_open", "comm_msg", "comm_close"})


class Header(TypedDict):
    """A message header as it is on the wire."""

    msg_id: str
    msg_type: str
    session: str
    username: str
    date: str
    version: str
    subshell_id: NotRequired[str | None]


class CommTarget(TypedDict):
    """What a ``comm_info_reply`` tells of one comm."""

    target_name: str


# Open comms as a comm_info_reply lists them: comm id -> its target.
CommInfo = dict[str, CommTarget]


class Message(msgspec.Struct, frozen=True):
    """One Jupyter message on one channel.

    A struct and no dataclass: three are made on the way of each message, and a frozen dataclass takes six
    times as long to make.

    Attributes:
        channel: the channel it travels on.
        header: see ``Header``; a message from a peer may lack keys, so read with ``get``.
        parent_header: the header of the message that caused this one, or ``{}``.
        metadata: JSON object.
        content: JSON object.
        buffers: binary attachments as read-only byte views (format "B", one dimension).
        identities: ZMQ routing frames, in order; empty on every other wire.
    """

    channel: Channel
    header: Header
    parent_header: JsonObject = msgspec.field(default_factory=dict)
    metadata: JsonObject = msgspec.field(default_factory=dict)
    content: JsonObject = msgspec.field(default_factory=dict)
    buffers: tuple[memoryview, ...] = ()
    identities: tuple[bytes, ...] = ()

    @property
    def msg_type(self) -> str:
        """The header's ``msg_type``, or "" where a peer left it out."""
        return self.header.get("msg_type", "")

    @property
    def session(self) -> str:
        """The header's ``session``: which client process sent this, or ""."""
        return self.header.get("session", "")


class ClassicMessage(TypedDict):
    """A message as user handlers get it: the shape ipykernel and jupyter_client use."""

    header: Header
    msg_id: str
    msg_type: str
    parent_header: JsonObject
    metadata: JsonObject
    content: JsonObject
    buffers: list[Any]  # memoryview, read-only; Any because lists are invariant


def new_header(
    msg_type: str, *, msg_id: str, session: str, now: float, username: str = ""
) -> Header:
    """Build a header. ``now`` is in seconds since 1970, UTC."""
    return {
        "msg_id": msg_id,
        "msg_type": msg_type,
        "session": session,
        "username": username,
        "date": _date(now),
        "version": PROTOCOL_VERSION,
    }


def _date(now: float) -> str:
    seconds, micros = divmod(round(now * 1e6), 1_000_000)
    return f"{_second(seconds)}.{micros:06d}+00:00"


@lru_cache(maxsize=8)  # of a burst nearly all have the same
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")


def to_classic(message: Message) -> ClassicMessage:
    """Return the message as handlers get it; nothing is copied."""
    header = message.header
    return {
        "header": header,
        "msg_id": header.get("msg_id", ""),
        "msg_type": header.get("msg_type", ""),
        "parent_header": message.parent_header,
        "metadata": message.metadata,
        "content": message.content,
        "buffers": list(message.buffers),
    }


def plain(message: Message) -> Message:
    """Return the message with every ``msgspec.Raw`` inside decoded, as a peer would see it."""
    metadata, content = msgspec.json.decode(
        msgspec.json.encode((message.metadata, message.content))
    )
    return replace(message, metadata=metadata, content=content)
