"""The parts every wire carries, checked by one rule: channel, four JSON objects, buffers.

JSON is UTF-8 and strict: no NaN, no lone surrogate, no byte order mark, nothing after the object.
Deviation from the specification: ``parent_header`` and ``metadata`` may be an empty list and count as
``{}``, because IRkernel writes it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from tsushin.errors import WireError, quote
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import CHANNELS, Channel, Header, JsonObject, Message

BytesLike = bytes | bytearray | memoryview
JsonParts = tuple[Header, JsonObject, JsonObject, JsonObject]

JSON_PARTS: Final = ("header", "parent_header", "metadata", "content")

_MAY_BE_EMPTY_LIST: Final = frozenset({"parent_header", "metadata"})
_EMPTY: Final = memoryview(b"")
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder()


def byte_view(data: BytesLike, part: str) -> memoryview:
    """Return ``data`` as a read-only view of bytes (format "B", one dimension); nothing is copied.

    Raises:
        TypeError: not bytes-like.
        ValueError: not C-contiguous; its bytes have no order without a copy.
    """
    view = memoryview(data)
    if type(data) is bytes:
        return view  # as it should be already
    if not view.nbytes:
        return _EMPTY  # Python cannot cast a shape that has a zero in it.
    if not view.c_contiguous:
        raise ValueError(f"{part}: expected contiguous memory, got shape {view.shape} with gaps")
    # len() of a view counts elements; cast to bytes, it counts bytes.
    return view.cast("B").toreadonly()


def buffer_views(message: Message) -> list[memoryview]:
    """Return the buffers of ``message`` as byte views. Errors are those of ``byte_view``."""
    return [byte_view(data, f"buffer {i}") for i, data in enumerate(message.buffers)]


def encode_json(value: object) -> bytes:
    """Return compact JSON; any ``msgspec.Raw`` inside is copied through as it is.

    Raises:
        TypeError: JSON cannot carry a value.
        UnicodeEncodeError: text with a lone surrogate.
        RecursionError: nested too deeply.
    """
    return _encoder.encode(value)


def encode_parts(message: Message) -> list[bytes]:
    """Return the four JSON parts in wire order. Errors are those of ``encode_json``."""
    encode = _encoder.encode
    return [
        encode(message.header),
        encode(message.parent_header),
        encode(message.metadata),
        encode(message.content),
    ]


# Any: JSON as decoded.
def decode_json(data: BytesLike | str, part: str) -> Any:
    """Parse JSON.

    Raises:
        WireError: malformed, not UTF-8, or nested deeper than the parser goes.
    """
    try:
        return _decoder.decode(data)
    except UnicodeError as error:
        raise WireError("expected UTF-8", part=part) from error
    except msgspec.DecodeError as error:
        # Without the path to the value, which is as long as the peer nests.
        why = str(error).partition(" - at ")[0]
        raise WireError(f"expected JSON: {why}", part=part) from error
    except RecursionError as error:
        raise WireError("JSON is nested too deeply", part=part) from error


def check_sizes(parts: Sequence[memoryview], limits: Limits) -> None:
    """Raise LimitExceeded if one of the four JSON parts has more bytes than allowed."""
    if max(map(len, parts)) <= limits.max_json_bytes:
        return
    for name, data in zip(JSON_PARTS, parts, strict=True):
        limits.check("max_json_bytes", data.nbytes, where=name)


def decode_parts(parts: Sequence[memoryview]) -> JsonParts:
    """Parse and check the four JSON parts, in wire order.

    Raises:
        WireError: a part is not a JSON object; the header lacks what a header needs.
    """
    try:
        values = list(map(_decoder.decode, parts))
    except (UnicodeError, msgspec.DecodeError, RecursionError):  # once more, to say which it is
        values = [decode_json(data, name) for name, data in zip(JSON_PARTS, parts, strict=True)]
    return check_parts(values)


def check_parts(values: Sequence[object]) -> JsonParts:
    """Check the four values in wire order and return them typed. Errors: see ``decode_parts``."""
    if set(map(type, values)) != {dict}:
        values = [_object(value, name) for name, value in zip(JSON_PARTS, values, strict=True)]
    header, parent_header, metadata, content = cast("Sequence[JsonObject]", values)
    return _header(header), parent_header, metadata, content


def check_channel(value: object) -> Channel:
    """Return ``value`` if it names a channel.

    Raises:
        WireError: it is no string, or names none of the four.
    """
    if not isinstance(value, str) or value not in CHANNELS:
        expected = ", ".join(CHANNELS)
        raise WireError(f"expected one of {expected}, got {quote(value)}", part="channel")
    return value


def _object(value: object, part: str) -> JsonObject:
    if isinstance(value, dict):
        return value
    if value == [] and part in _MAY_BE_EMPTY_LIST:
        return {}
    raise WireError(f"expected a JSON object, got {quote(value)}", part=part)


def _header(value: JsonObject) -> Header:
    if not (isinstance(value.get("msg_id"), str) and isinstance(value.get("msg_type"), str)):
        key = "msg_type" if isinstance(value.get("msg_id"), str) else "msg_id"
        got = quote(value[key]) if key in value else "nothing"
        raise WireError(f"{key}: expected a string, got {got}", part="header")
    # A session identifies the sender and serves as a key; it may be absent, but not of another type.
    if not isinstance(value.get("session", ""), str):
        raise WireError(f"session: expected a string, got {quote(value['session'])}", part="header")
    return cast("Header", value)  # other keys may be missing, as Message says
