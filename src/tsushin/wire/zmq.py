"""ZMQ multipart: ``[identities…, <IDS|MSG>, signature, header, parent_header, metadata, content, buffers…]``.

Everything is counted and measured first, then the signature is verified, then JSON is parsed. Buffers are
never copied and never signed (see ``signing``).

Spec: Jupyter messaging, "The Wire Protocol". Vectors: spec/vectors/zmq.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from tsushin.errors import WireError
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, Message
from tsushin.wire.parts import (
    JSON_PARTS,
    BytesLike,
    buffer_views,
    byte_view,
    check_sizes,
    decode_parts,
    encode_parts,
)
from tsushin.wire.signing import Signer

DELIMITER: Final = b"<IDS|MSG>"
_DELIMITER_VIEW: Final = memoryview(DELIMITER)

_BUFFERS_AT: Final = 1 + len(JSON_PARTS)  # behind the signature and the JSON parts


class FrameObject(Protocol):
    """What ``zmq.Frame`` is to this file; pyzmq is not imported here."""

    @property
    def buffer(self) -> memoryview:
        """The bytes of the frame."""
        ...


def encode(message: Message, signer: Signer) -> list[bytes | memoryview]:
    """Return the frames of ``message``, signed; buffers are views, not copies.

    The channel is not among them: it is the socket that the frames are sent on.

    Raises:
        TypeError: JSON cannot carry a value; a buffer is not bytes-like.
        ValueError: a buffer is not contiguous; text has a lone surrogate.
    """
    parts = encode_parts(message)
    return [*message.identities, DELIMITER, signer.sign(parts), *parts, *buffer_views(message)]


def decode(
    frames: Sequence[BytesLike | FrameObject],
    *,
    channel: Channel,
    signer: Signer,
    limits: Limits = DEFAULT_LIMITS,
) -> Message:
    """Verify and parse the frames of one message.

    Args:
        frames: all parts of one multipart message, as pyzmq gives them with or without copying.
        channel: the socket they were received on.
        signer: remembers the signature; a second decode of the same frames is a replay.
        limits: bounds to apply.

    Returns:
        Message whose ``buffers`` are views into ``frames`` (no copy).

    Raises:
        SignatureError: see ``Signer.verify``.
        WireError: the delimiter or a part is missing or malformed; ``part`` names it.
        LimitExceeded: more identities, buffers or bytes than ``limits`` allows.
    """
    views = [memoryview(f) if type(f) is bytes else _view(f) for f in frames]
    limits.check("max_message_bytes", sum(map(len, views)))
    identities, rest = _split(views)
    limits.check("max_identities", len(identities))
    if len(rest) < _BUFFERS_AT:
        raise WireError(
            f"expected at least {_BUFFERS_AT} after the delimiter, got {len(rest)}", part="frames"
        )
    signature, parts, buffers = rest[0], rest[1:_BUFFERS_AT], rest[_BUFFERS_AT:]
    limits.check("max_buffers", len(buffers))
    check_sizes(parts, limits)
    signer.verify(signature, parts)
    return Message(
        channel,
        *decode_parts(parts),
        buffers=tuple(buffers),
        identities=tuple(map(bytes, identities)),
    )


def _view(frame: BytesLike | FrameObject) -> memoryview:
    data = frame if isinstance(frame, BytesLike) else frame.buffer
    return byte_view(data, "frame")


def _split(views: list[memoryview]) -> tuple[list[memoryview], list[memoryview]]:
    """Return the identities and what follows the first delimiter."""
    for i, view in enumerate(views):
        if view == _DELIMITER_VIEW:
            return views[:i], views[i + 1 :]
    raise WireError(f"expected a frame {DELIMITER.decode()}, found none", part="delimiter")
