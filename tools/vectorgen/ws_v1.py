"""The cases of the WebSocket subprotocol v1."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vectorgen.cases import BAD_JSON, MESSAGES, PLAIN, bad, over, with_part
from vectorgen.kit import (
    JsonObject,
    case,
    comm_msg,
    compact,
    default_json,
    hexes,
    v1_frame,
    v1_offsets,
    v1_parts,
)


def all_cases() -> Iterator[tuple[str, JsonObject]]:
    for name, (about, flags, message) in MESSAGES.items():
        frames = hexes([v1_frame(v1_parts(message))])
        yield f"ws-v1/valid/{name}", case(about, flags, frames=frames, message=message, ok=True)
    for name, valid in v1_valid().items():
        yield f"ws-v1/valid/{name}", valid
    for name, (about, flags, part, data) in BAD_JSON.items():
        frames = hexes([v1_frame([b"shell", *with_part(PLAIN, part, data)])])
        yield f"ws-v1/invalid/{name}", case(about, flags, frames=frames, error=bad(part))
    for name, invalid in (v1_malformed() | v1_bad_offsets() | v1_channels() | v1_over()).items():
        yield f"ws-v1/invalid/{name}", invalid


def v1_valid() -> dict[str, JsonObject]:
    listed = [b"shell", compact(PLAIN["header"]), b"[]", b"[]", compact(PLAIN["content"])]
    two = comm_msg({}, "00", "01")
    return {
        "empty-list-parts": case(
            "IRkernel writes {} as []: tolerated in parent header and metadata.",
            frames=hexes([v1_frame(listed)]),
            message=PLAIN,
            ok=True,
        ),
        "at-the-limits": case(
            "Exactly as many buffers and bytes as allowed.",
            "canonical",
            frames=hexes([v1_frame(v1_parts(two))]),
            message=two,
            ok=True,
            limits={"max_buffers": 2, "max_message_bytes": len(v1_frame(v1_parts(two)))},
        ),
    }


def v1_case(about: str, frame: bytes, error: JsonObject, **keys: object) -> JsonObject:
    return case(about, frames=hexes([frame]), **keys, error=error)


def v1_malformed() -> dict[str, JsonObject]:
    parts = v1_parts(PLAIN)
    frame = v1_frame(parts)
    at_count = bad("offset table", 0)
    last = 8 * len(v1_offsets(parts))
    return {
        "empty-frame": v1_case("A frame of 0 bytes.", b"", at_count),
        "short-count": v1_case("7 bytes, the count needs 8.", b"\6" + b"\0" * 6, at_count),
        "count-zero": v1_case("A count of 0.", v1_frame(parts, count=0), at_count),
        "count-too-small": v1_case(
            "Five offsets: the content is missing.", v1_frame(parts[:4]), at_count
        ),
        "huge-count": v1_case(
            "8 bytes that claim ten million offsets: refused before anything is allocated.",
            struct.pack("<Q", 10_000_000),
            at_count,
        ),
        "count-all-ones": v1_case(
            "A count of 2^64 - 1, whose size in bytes overflows 64 bits.",
            b"\xff" * 8 + frame[8:],
            at_count,
        ),
        "count-wraps": v1_case(
            "A count of 2^61: times 8 it is 0 in 64 bits.",
            struct.pack("<Q", 2**61) + frame[8:],
            at_count,
        ),
        "count-beyond-double": v1_case(
            "A count of 2^53 + 6, which a double cannot hold.",
            struct.pack("<Q", 2**53 + 6) + frame[8:],
            at_count,
        ),
        "table-truncated": v1_case("The frame ends inside the table.", frame[:20], at_count),
        "big-endian-count": v1_case(
            "The count in the other byte order.", struct.pack(">Q", 6) + frame[8:], at_count
        ),
        "content-cut-off": v1_case(
            "The last byte is missing: the last offset is past the end.",
            frame[:-1],
            bad("offset table", last),
        ),
        "trailing-bytes": v1_case(
            "A byte after the last part.", frame + b"\0", bad("offset table", last)
        ),
        "text-in-binary": v1_case(
            "JSON of the default subprotocol: its first bytes are a huge count.",
            compact(default_json(PLAIN, with_buffers=True)),
            at_count,
        ),
    }


def v1_bad_offsets() -> dict[str, JsonObject]:
    parts = v1_parts(comm_msg({}, "00112233"))
    good = v1_offsets(parts)

    def at(index: int, value: int, about: str) -> JsonObject:
        offsets = [*good[:index], value, *good[index + 1 :]]
        return v1_case(about, v1_frame(parts, offsets), bad("offset table", 8 * (index + 1)))

    return {
        "first-offset-too-small": at(0, good[0] - 1, "The first part begins inside the table."),
        "first-offset-too-large": at(
            0, good[0] + 1, "A byte between the table and the first part."
        ),
        "offset-past-end": at(5, 9912, "An offset past the end of the frame."),
        "offset-beyond-double": at(5, 2**63 + 5, "An offset no signed integer holds."),
        "offsets-decreasing": at(3, good[2] - 1, "A part that ends before it begins."),
        "offset-zero": at(4, 0, "An offset of 0 in the middle."),
        "last-offset-past-end": at(6, good[6] + 1, "The last offset is past the end by one."),
        "last-offset-short": at(6, good[6] - 1, "The last offset leaves one byte over."),
    }


def v1_channels() -> dict[str, JsonObject]:
    def on(channel: bytes, about: str) -> JsonObject:
        frame = v1_frame([channel, *v1_parts(PLAIN)[1:]])
        return v1_case(about, frame, bad("channel"))

    return {
        "channel-empty": on(b"", "The channel has no bytes."),
        "channel-unknown": on(b"heartbeat", "A channel that messages do not travel on."),
        "channel-upper-case": on(b"Shell", "Channels are lower case."),
        "channel-not-utf8": on(b"\xff\xfe", "The channel is not UTF-8."),
        "channel-quoted": on(b'"shell"', "The channel is plain text, not JSON."),
        "channel-long": on(b"shell" * 1000, "A channel of 5,000 bytes."),
    }


def v1_over() -> dict[str, JsonObject]:
    many = v1_frame(v1_parts(comm_msg({}, "00", "01", "02")))
    plain = v1_frame(v1_parts(PLAIN))
    return {
        "too-many-buffers": v1_case(
            "One buffer more than allowed.", many, over("max_buffers"), limits={"max_buffers": 2}
        ),
        "json-too-large": v1_case(
            "A header of more bytes than allowed.",
            plain,
            over("max_json_bytes"),
            limits={"max_json_bytes": 100},
        ),
        "message-too-large": v1_case(
            "A frame of one byte more than allowed.",
            plain,
            over("max_message_bytes"),
            limits={"max_message_bytes": len(plain) - 1},
        ),
    }
