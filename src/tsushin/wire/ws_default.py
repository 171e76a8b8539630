"""WebSocket default subprotocol: JSON text, or one binary frame when there are buffers.

Text is one object with ``channel``, the four parts and an empty ``buffers``. Binary is
``count, offsets…, JSON, buffers…``; integers are 32 bits, big endian; the JSON has no ``buffers`` and each
part ends where the next begins, the last one with the frame.

Deviation: Jupyter Server takes a message without ``channel`` for shell; here it is refused.

Spec: Jupyter Server, "WebSocket protocols". Vectors: spec/vectors/ws-default.
"""

from __future__ import annotations

from typing import Any, Final

from tsushin.errors import WireError, quote
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.wire.offsets import Layout
from tsushin.wire.parts import (
    JSON_PARTS,
    BytesLike,
    buffer_views,
    byte_view,
    check_channel,
    check_parts,
    decode_json,
    encode_json,
)

_LAYOUT: Final = Layout(order=">", kind="I", least_parts=1, has_end=False)


def encode(message: Message) -> str | bytes:
    """Return the text frame of ``message``, or the binary one if it has buffers (copied once).

    Raises:
        TypeError: JSON cannot carry a value; a buffer is not bytes-like.
        ValueError: a buffer is not contiguous; text has a lone surrogate; a binary frame whose last
            buffer begins beyond 4 GiB.
    """
    value: dict[str, Any] = {  # Any: JSON
        "channel": message.channel,
        "header": message.header,
        "parent_header": message.parent_header,
        "metadata": message.metadata,
        "content": message.content,
    }
    if message.buffers:
        return _LAYOUT.join([encode_json(value), *buffer_views(message)])
    return encode_json({**value, "buffers": []}).decode()


def decode(frame: str | BytesLike, *, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Parse one whole frame, text (``str``) or binary.

    Returns:
        Message whose ``buffers`` are views into ``frame`` (no copy; they keep it alive).

    Raises:
        WireError: the JSON, a part of it or the channel is missing or malformed; ``buffers`` inside the
            JSON is not an empty list; the offset table is short, not in order, or does not fit.
        LimitExceeded: more buffers or bytes than ``limits`` allows.
    """
    if isinstance(frame, str):
        return _message(_text_bytes(frame, limits), (), limits)
    data, *buffers = _LAYOUT.cut(byte_view(frame, "frame"), limits)
    return _message(data, tuple(buffers), limits)


def _text_bytes(text: str, limits: Limits) -> bytes:
    # UTF-8 has at least one byte a character, so what is too long already need not be encoded.
    limits.check("max_message_bytes", len(text))
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise WireError("expected UTF-8, got a lone surrogate", part="message") from error
    limits.check("max_message_bytes", len(data))
    return data


def _message(data: BytesLike, buffers: tuple[memoryview, ...], limits: Limits) -> Message:
    limits.check("max_json_bytes", len(data), where="message")
    value = decode_json(data, "message")
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, got {quote(value)}", part="message")
    for key in ("channel", *JSON_PARTS):
        if key not in value:
            raise WireError("it is missing", part=key)
    if value.get("buffers", []) != []:
        raise WireError(
            f"expected none inside the JSON, got {quote(value['buffers'])}", part="buffers"
        )
    channel = check_channel(value["channel"])
    return Message(channel, *check_parts([value[part] for part in JSON_PARTS]), buffers=buffers)
