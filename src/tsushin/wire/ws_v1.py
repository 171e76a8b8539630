"""WebSocket subprotocol ``v1.kernel.websocket.jupyter.org``: every message is one binary frame.

``count, offsets…, channel, header, parent_header, metadata, content, buffers…``; integers are 64 bits,
little endian; the last offset is the length of the frame. Nothing is signed: the WebSocket's own
authentication stands for that.

Spec: Jupyter Server, "WebSocket protocols". Vectors: spec/vectors/ws-v1.
"""

from __future__ import annotations

from typing import Final

from tsushin.errors import WireError, quote
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import CHANNELS, Channel, Message
from tsushin.wire.offsets import Layout
from tsushin.wire.parts import (
    JSON_PARTS,
    BytesLike,
    buffer_views,
    byte_view,
    check_sizes,
    decode_parts,
    encode_parts,
)

SUBPROTOCOL: Final = "v1.kernel.websocket.jupyter.org"
TABLE_ROOM_BYTES: Final = (
    64 * 1024
)  # of a frame, beside its message: the table of the most buffers allowed
# Offered with a dot and the token behind it, beside the one that is spoken.
TOKEN_SUBPROTOCOL: Final = "v1.token.websocket.jupyter.org"  # noqa: S105 (a name)

_BUFFERS_AT: Final = 1 + len(JSON_PARTS)  # behind the channel and the JSON parts
_LAYOUT: Final = Layout(order="<", kind="Q", least_parts=_BUFFERS_AT, has_end=True)
_CHANNELS: Final[dict[bytes, Channel]] = {name.encode(): name for name in CHANNELS}
_LONGEST: Final = max(map(len, _CHANNELS))


def encode(message: Message) -> bytes:
    """Return the frame of ``message``; buffers are copied once, into it. Identities stay behind.

    Raises:
        TypeError: JSON cannot carry a value; a buffer is not bytes-like.
        ValueError: a buffer is not contiguous; text has a lone surrogate.
    """
    return b"".join(encode_pieces(message))


def encode_pieces(message: Message) -> list[bytes | memoryview]:
    """Return what ``encode`` joins; no buffer is copied. Errors are the same."""
    channel = message.channel.encode()
    return _LAYOUT.with_table([channel, *encode_parts(message), *buffer_views(message)])


def decode(frame: BytesLike, *, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Split and parse one whole binary frame.

    Returns:
        Message whose ``buffers`` are views into ``frame`` (no copy; they keep it alive).

    Raises:
        WireError: the offset table is short, not in order, or does not end where the frame ends; the
            channel is unknown; a JSON part is malformed. ``offset`` is given for the table.
        LimitExceeded: more buffers or bytes than ``limits`` allows.
    """
    parts = _LAYOUT.cut(byte_view(frame, "frame"), limits)
    channel = _channel(parts[0])
    json_parts = parts[1:_BUFFERS_AT]
    check_sizes(json_parts, limits)
    return Message(channel, *decode_parts(json_parts), buffers=tuple(parts[_BUFFERS_AT:]))


def _channel(data: memoryview) -> Channel:
    # One byte more than the longest name is enough to tell that it is none.
    name = bytes(data[: _LONGEST + 1])
    if name not in _CHANNELS:
        expected = ", ".join(CHANNELS)
        raise WireError(f"expected one of {expected}, got {quote(name)}", part="channel")
    return _CHANNELS[name]
