"""Messages inside the custom messages of an anywidget (AFM) model: the wire of the bridge.

The model's carrier moves JSON and, beside it, buffers. JSON is strict here as on every wire: a host's own
parser may have let in what could not be sent back.

Spec: docs/reference/wire.md, "The bridge".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tsushin.errors import WireError, quote
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import JsonObject, Message, plain
from tsushin.wire.parts import JSON_PARTS, BytesLike, byte_view, check_channel, check_parts

MARK: Final = "tsushin"
VERSION: Final = 1


def encode(message: Message) -> JsonObject:
    """Return the JSON of ``message``, without its buffers and identities.

    What was encoded when the user called ``send`` is decoded again: the carrier encodes it itself.
    """
    decoded = plain(message)
    return {
        "channel": decoded.channel,
        "header": dict(decoded.header),
        "parent_header": decoded.parent_header,
        "metadata": decoded.metadata,
        "content": decoded.content,
    }


def decode(
    value: object, buffers: Sequence[BytesLike] = (), limits: Limits = DEFAULT_LIMITS
) -> Message:
    """Return the message that a peer packed by ``encode``; ``buffers`` are not copied.

    Raises:
        WireError: a part is missing or not what it should be.
        LimitExceeded: more buffers or bytes of them than ``limits`` allows.
    """
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, got {quote(value)}", part="message")
    limits.check("max_buffers", len(buffers))
    views = tuple(byte_view(data, f"buffer {i}") for i, data in enumerate(buffers))
    limits.check("max_message_bytes", sum(view.nbytes for view in views))
    channel = check_channel(value.get("channel"))
    parts = check_parts([value.get(part) for part in JSON_PARTS])
    return Message(channel, *parts, buffers=views)
