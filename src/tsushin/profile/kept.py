"""What is kept of a comm for a session that takes it up later: its ``comm_open`` and its newest messages.

There may be very many comms, and most keep nothing but their open. Most of that would be dictionaries: what
is in them is kept, and they are made again when somebody asks.

Spec: spec/profile.md, "Taking up".
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Final

import msgspec

from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, JsonObject, Message, new_header

MAX_OPEN_BYTES: Final = 1 << 20  # a larger comm_open is not kept: one for each comm adds up


class Kept:
    """What is kept of one comm.

    Args:
        comm_id: its id.
        count: how many of its messages, besides the open. They have at most ``max_history_bytes``.
    """

    __slots__ = ("_newest", "_open", "_open_bytes", "comm_id")

    def __init__(self, comm_id: str, count: int = 0, limits: Limits = DEFAULT_LIMITS) -> None:
        self.comm_id: str = comm_id
        self._open: _Opening | None = None
        self._open_bytes = 0
        self._newest = _Newest(count, limits.max_history_bytes) if count else None

    @property
    def nbytes(self) -> int:
        """The size of what is kept."""
        return self._open_bytes + (0 if self._newest is None else self._newest.nbytes)

    def put(self, message: Message, nbytes: int) -> None:
        """A message of the comm has left."""
        if message.msg_type != "comm_open":
            if self._newest is not None:
                self._newest.put(message, nbytes)
        elif nbytes <= MAX_OPEN_BYTES:
            self._open, self._open_bytes = _opening(message), nbytes

    def messages(self) -> list[Message]:
        """Return what is kept, in order; the open first, or nothing where it is not kept."""
        if self._open is None:
            return []
        opening = self._open.message(self.comm_id)
        return [opening, *(() if self._newest is None else self._newest.messages())]


class _Newest:
    """The newest messages of a comm.

    Args:
        count: so many of them,
        max_bytes: and no more bytes.

    Attributes:
        nbytes: what is kept.
    """

    __slots__ = ("_count", "_max_bytes", "_messages", "nbytes")

    def __init__(self, count: int, max_bytes: int) -> None:
        self.nbytes: int = 0
        self._count = count
        self._max_bytes = max_bytes
        self._messages: deque[tuple[Message, int]] = deque()

    def put(self, message: Message, nbytes: int) -> None:
        self._messages.append((message, nbytes))
        self.nbytes += nbytes
        while len(self._messages) > self._count or self.nbytes > self._max_bytes:
            self.nbytes -= self._messages.popleft()[1]

    def messages(self) -> list[Message]:
        return [message for message, _ in self._messages]


class _Opening(msgspec.Struct, frozen=True):
    """A ``comm_open`` of this end, without its dictionaries; the parent's is shared by many."""

    channel: Channel
    msg_id: str
    session: str
    username: str
    made_at: float  # seconds; a third of what the text takes
    parent_header: JsonObject
    metadata: JsonObject | None
    target_name: str
    data: object
    target_module: str | None
    buffers: tuple[memoryview, ...]

    def message(self, comm_id: str) -> Message:
        """Return it as it was sent."""
        content = {"comm_id": comm_id, "target_name": self.target_name, "data": self.data}
        if self.target_module is not None:
            content["target_module"] = self.target_module
        header = new_header(
            "comm_open",
            msg_id=self.msg_id,
            session=self.session,
            now=self.made_at,
            username=self.username,
        )
        metadata = self.metadata or {}
        return Message(self.channel, header, self.parent_header, metadata, content, self.buffers)


def _opening(message: Message) -> _Opening:
    header, content = message.header, message.content
    return _Opening(
        message.channel,
        header["msg_id"],
        header["session"],
        header["username"],
        datetime.fromisoformat(header["date"]).timestamp(),
        message.parent_header,
        message.metadata or None,
        content["target_name"],
        content["data"],
        content.get("target_module"),
        message.buffers,
    )
