"""The cases of the WebSocket default subprotocol."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vectorgen.cases import BAD_JSON, MESSAGES, PLAIN, bad, json_text, over, with_part
from vectorgen.kit import (
    JsonObject,
    case,
    comm_msg,
    compact,
    default_frame,
    default_json,
    default_offsets,
    default_parts,
    hexes,
    v1_frame,
    v1_parts,
)


def all_cases() -> Iterator[tuple[str, JsonObject]]:
    for name, (about, flags, message) in MESSAGES.items():
        yield f"ws-default/valid/{name}", default_ok(about, flags, message)
    for name, valid in default_valid().items():
        yield f"ws-default/valid/{name}", valid
    for name, (about, flags, part, data) in BAD_JSON.items():
        yield f"ws-default/invalid/{name}", default_bad_json(about, flags, part, data)
    cases = default_text() | default_keys() | default_malformed() | default_bad_offsets()
    for name, invalid in (cases | default_over()).items():
        yield f"ws-default/invalid/{name}", invalid


def default_ok(about: str, flags: str, message: JsonObject, **keys: object) -> JsonObject:
    if message["buffers"]:
        frames = hexes([default_frame(default_parts(message))])
        return case(about, flags, frames=frames, message=message, ok=True, **keys)
    text = compact(default_json(message, with_buffers=True)).decode()
    return case(about, flags, text=text, message=message, ok=True, **keys)


def default_bad_json(about: str, flags: str, part: str, data: bytes) -> JsonObject:
    """Put the bad part into the one JSON; what breaks its syntax is a fault of the whole message.

    Text frames are UTF-8 already, so the bytes travel as the JSON of a binary frame.
    """
    whole = json_text(with_part(PLAIN, part, data))
    shapes = {b"[]", b"[1]", b"1", b"null", b'"{}"'}
    broken = data not in shapes and not (part == "header" and data.startswith(b'{"'))
    error = bad("message" if broken else part)
    return case(about, flags, frames=hexes([default_frame([whole])]), error=error)


def default_valid() -> dict[str, JsonObject]:
    shuffled = default_json(PLAIN, with_buffers=True)
    extra = {"msg_id": "m1", "msg_type": "comm_msg"} | dict(reversed(shuffled.items()))
    bare = compact(default_json(PLAIN, with_buffers=False))
    listed = shuffled | {"parent_header": [], "metadata": []}
    two = comm_msg({}, "00", "01")

    def text(about: str, value: JsonObject) -> JsonObject:
        return case(about, text=compact(value).decode(), message=PLAIN, ok=True)

    return {
        "no-buffers-key": case(
            "Text without buffers, as Jupyter Server sends its own status messages.",
            text=bare.decode(),
            message=PLAIN,
            ok=True,
        ),
        "extra-keys": text("Other keys, such as msg_id, and another order are fine.", extra),
        "empty-list-parts": text(
            "IRkernel writes {} as []: tolerated in parent header and metadata.", listed
        ),
        "binary-without-buffers": case(
            "A binary frame of one part: the JSON alone.",
            frames=hexes([default_frame([bare])]),
            message=PLAIN,
            ok=True,
        ),
        "white-space": case(
            "White space around the JSON.", text=f" \n{bare.decode()}\t\r\n", message=PLAIN, ok=True
        ),
        "at-the-limits": default_ok(
            "Exactly as many buffers and bytes as allowed.",
            "canonical",
            two,
            limits={"max_buffers": 2, "max_message_bytes": len(default_frame(default_parts(two)))},
        ),
    }


def default_text() -> dict[str, JsonObject]:
    def text(value: str, about: str) -> JsonObject:
        return case(about, text=value, error=bad("message"))

    whole = compact(default_json(PLAIN, with_buffers=True)).decode()
    return {
        "text-empty": text("", "A text frame of 0 bytes."),
        "text-not-json": text("hello", "Text that is not JSON."),
        "text-not-object": text("[]", "JSON that is no object."),
        "text-null": text("null", "JSON null."),
        "text-truncated": text(whole[:-1], "The closing brace is missing."),
        "text-two-messages": text(whole + whole, "Two messages in one frame."),
        "text-byte-order-mark": text("\ufeff" + whole, "A byte order mark ahead of the object."),
    }


def default_keys() -> dict[str, JsonObject]:
    good = default_json(PLAIN, with_buffers=True)

    def without(key: str) -> JsonObject:
        value = {k: v for k, v in good.items() if k != key}
        return case(f"{key} is missing.", text=compact(value).decode(), error=bad(key))

    def replaced(key: str, value: object, about: str) -> JsonObject:
        return case(about, text=compact(good | {key: value}).decode(), error=bad(key))

    keys = ("channel", "header", "parent_header", "metadata", "content")
    return {f"without-{key.replace('_', '-')}": without(key) for key in keys} | {
        "channel-null": replaced("channel", None, "The channel is null."),
        "channel-number": replaced("channel", 1, "The channel is a number."),
        "channel-array": replaced("channel", ["shell"], "The channel is an array."),
        "channel-unknown": replaced("channel", "hb", "A channel that messages do not travel on."),
        "buffers-in-text": replaced("buffers", [{}], "Buffers cannot travel inside JSON."),
        "buffers-object": replaced("buffers", {}, "buffers is an object."),
        "buffers-null": replaced("buffers", None, "buffers is null, which is no empty list."),
    }


def default_malformed() -> dict[str, JsonObject]:
    parts = default_parts(comm_msg({}, "0011"))
    frame = default_frame(parts)
    at_count = bad("offset table", 0)

    def broken(about: str, data: bytes, error: JsonObject = at_count) -> JsonObject:
        return case(about, frames=hexes([data]), error=error)

    not_object = default_frame([b"[]", b"\0"])
    return {
        "binary-empty": broken("A binary frame of 0 bytes.", b""),
        "binary-short-count": broken("3 bytes, the count needs 4.", b"\0\0\1"),
        "binary-count-zero": broken(
            "A count of 0: not even the JSON.", default_frame(parts, count=0)
        ),
        "binary-huge-count": broken(
            "4 bytes that claim ten million parts: refused before anything is allocated.",
            struct.pack(">I", 10_000_000),
        ),
        "binary-count-all-ones": broken("A count of 2^32 - 1.", b"\xff" * 4 + frame[4:]),
        "binary-count-wraps": broken(
            "A count of 2^30: times 4 it is 0 in 32 bits.", struct.pack(">I", 2**30) + frame[4:]
        ),
        "binary-little-endian": broken(
            "The count in the other byte order.", struct.pack("<I", 2) + frame[4:]
        ),
        "binary-table-truncated": broken("The frame ends inside the table.", frame[:10]),
        "binary-json-not-object": broken("The JSON is an array.", not_object, bad("message")),
        "binary-json-empty": broken(
            "The JSON has no bytes.", default_frame([b"", b"\0"]), bad("message")
        ),
        "binary-v1-frame": broken(
            "A frame of v1: its first bytes are a count of 100,663,296.", v1_frame(v1_parts(PLAIN))
        ),
    }


def default_bad_offsets() -> dict[str, JsonObject]:
    parts = default_parts(comm_msg({}, "00112233", "4455"))
    good = default_offsets(parts)

    def at(index: int, value: int, about: str) -> JsonObject:
        offsets = [*good[:index], value, *good[index + 1 :]]
        frame = default_frame(parts, offsets)
        return case(about, frames=hexes([frame]), error=bad("offset table", 4 * (index + 1)))

    return {
        "first-offset-too-small": at(0, good[0] - 1, "The JSON begins inside the table."),
        "first-offset-too-large": at(0, good[0] + 1, "A byte between the table and the JSON."),
        "offset-past-end": at(2, 9912, "An offset past the end of the frame."),
        "offset-all-ones": at(2, 2**32 - 1, "The largest offset there is."),
        "offsets-decreasing": at(2, good[1] - 1, "A part that ends before it begins."),
        "offset-zero": at(1, 0, "An offset of 0 in the middle."),
    }


def default_over() -> dict[str, JsonObject]:
    text = compact(default_json(PLAIN, with_buffers=True)).decode()
    wide = compact(default_json(comm_msg({"v": "🐍" * 50}), with_buffers=True)).decode()
    many = default_frame(default_parts(comm_msg({}, "00", "01", "02")))
    return {
        "too-many-buffers": case(
            "One buffer more than allowed.",
            frames=hexes([many]),
            limits={"max_buffers": 2},
            error=over("max_buffers"),
        ),
        "text-too-large": case(
            "JSON of one byte more than allowed.",
            text=text,
            limits={"max_json_bytes": len(text) - 1},
            error=over("max_json_bytes"),
        ),
        "text-too-large-utf8": case(
            "Fewer characters than allowed, but more bytes: UTF-8 is counted.",
            text=wide,
            limits={"max_json_bytes": len(wide.encode()) - 1},
            error=over("max_json_bytes"),
        ),
        "json-too-large": case(
            "JSON of a binary frame, larger than allowed.",
            frames=hexes([many]),
            limits={"max_json_bytes": 100},
            error=over("max_json_bytes"),
        ),
        "message-too-large": case(
            "A frame of one byte more than allowed.",
            frames=hexes([many]),
            limits={"max_message_bytes": len(many) - 1},
            error=over("max_message_bytes"),
        ),
    }
