"""A message for who keeps it long: bytes, which take a quarter of what its objects do.

The bytes are ``marshal``'s, and never leave the process: they hold what JSON as parsed may hold, NaN and text
with lone surrogates too, and are made and read in a microsecond or two.
"""

from __future__ import annotations

import marshal
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from tsushin.protocol.buffers import restore_data
from tsushin.protocol.contents import comm_content
from tsushin.protocol.messages import Channel, Message


class Packed(msgspec.Struct, frozen=True, gc=False):
    """A comm message that was received and found to be in order."""

    channel: Channel
    parts: bytes
    buffers: tuple[memoryview, ...]

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """Pack a message whose binary is not yet put back; None where it holds more than JSON."""
        # Any: JSON, as a rule.
        parts: Any = (message.header, message.parent_header, message.metadata, message.content)
        try:
            return cls(message.channel, marshal.dumps(parts), message.buffers)
        except ValueError:  # jupyter_client's parser makes a datetime of a header's date
            return None

    def message(self) -> Message:
        """Return the message, made anew, with its binary put back."""
        header, parent_header, metadata, content = marshal.loads(self.parts)  # noqa: S302 (our own bytes)
        message = Message(self.channel, header, parent_header, metadata, content, self.buffers)
        content = comm_content(message)
        data, buffers = restore_data(content["data"], metadata, self.buffers)
        return replace(message, content={**content, "data": data}, buffers=buffers)
