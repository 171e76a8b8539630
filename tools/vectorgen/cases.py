"""What every carrier must carry, and the JSON that each must refuse."""

from __future__ import annotations

import struct

from vectorgen.kit import JsonObject, changed, comm_msg, header, json_parts

FLOATS = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0).hex()
SUBVIEW = {"memory": FLOATS, "start": 4, "nbytes": 8, "kind": "float32"}
WHOLE_FLOATS = {"memory": FLOATS, "start": 0, "nbytes": 16, "kind": "float32"}
PLAIN = comm_msg({"value": 1})


def closing(message: JsonObject, name: str) -> JsonObject:
    return changed(message, header=header("comm_close"), content={"comm_id": name, "data": {}})


# What every carrier must carry: name -> (about, flags, message).
MESSAGES: dict[str, tuple[str, str, JsonObject]] = {
    "no-buffers": ("A comm_msg without buffers.", "canonical", PLAIN),
    "empty-buffer": (
        "A buffer of 0 bytes is a buffer, not nothing.",
        "canonical",
        comm_msg({"value": None}, ""),
    ),
    "several-buffers": (
        "Three buffers, one of them empty, keep their order and their bounds.",
        "canonical",
        comm_msg({}, "00ff", "", "0102030405060708"),
    ),
    "two-empty-buffers-last": (
        "Two empty buffers at the end: three equal offsets.",
        "canonical",
        comm_msg({}, "aa", "", ""),
    ),
    "unicode": (
        "Non-ASCII text beyond the basic plane travels as UTF-8.",
        "canonical",
        comm_msg({"挨拶": "こんにちは 🐍 é", "quote": 'a"b\\c'}),
    ),
    "control-characters": (
        "Control characters are escaped, U+2028 and U+007F are not.",
        "canonical",
        comm_msg({"text": "tab\tnewline\nnul\u0000bell\u0007line\u2028del\u007f"}),
    ),
    "null": (
        "null stays null, in data and in the header.",
        "canonical",
        changed(comm_msg({"a": None, "b": [None]}), header=header("comm_msg", subshell_id=None)),
    ),
    "empty-object-and-array": (
        "{} and [] inside data are told apart.",
        "canonical",
        comm_msg({"object": {}, "array": [], "nested": [{}, [], [{}]]}),
    ),
    "floats": (
        "Floats keep their value; how they are written differs between languages.",
        "",
        comm_msg({"v": [0.1, 1.5, -2.5e-8, 1e100, 5e-324, 1.7976931348623157e308]}),
    ),
    "large-int": (
        "Integers up to 2^64 - 1 and beyond keep every digit, where the language has such integers.",
        "large-int",
        comm_msg({"v": [2**53 + 1, -(2**63), 2**64 - 1, 2**70]}),
    ),
    "safe-int": (
        "Integers up to 2^53 - 1 are exact in every language.",
        "canonical",
        comm_msg({"v": [0, -1, 2**53 - 1, -(2**53) + 1]}),
    ),
    "typed-array-subview": (
        "A view of the middle of a larger array sends these 8 bytes, not the array's, not its neighbours'.",
        "canonical",
        comm_msg({}, SUBVIEW),
    ),
    "float-memoryview": (
        "Four floats are 16 bytes: sizes are counted in bytes, not in elements.",
        "canonical",
        comm_msg({}, WHOLE_FLOATS, "0102"),
    ),
    "subview-before-large-buffer": (
        "Wrong bounds of a first small view would go unnoticed when large buffers follow.",
        "canonical",
        comm_msg({}, SUBVIEW, "ab" * 64),
    ),
    "extra-header-keys": (
        "Unknown header keys, such as subshell_id, come through.",
        "canonical",
        changed(PLAIN, header=header("comm_msg", subshell_id="sub-1", vendor={"x": [1]})),
    ),
    "least-header": (
        "msg_id and msg_type are all a header must have.",
        "canonical",
        changed(PLAIN, header={"msg_id": "m1", "msg_type": "comm_msg"}),
    ),
    "metadata": (
        "Metadata and parent header come through.",
        "canonical",
        changed(
            comm_msg({}, metadata={"tsushin": {"n": 3}, "version": "2.1.0"}),
            parent_header=header("execute_request"),
        ),
    ),
    "comm-open": (
        "A comm_open on iopub with target_module null, as ipykernel sends it.",
        "canonical",
        changed(
            PLAIN,
            channel="iopub",
            header=header("comm_open"),
            content={"data": {"a": 1}, "comm_id": "c1", "target_name": "t", "target_module": None},
        ),
    ),
    "comm-close": ("A comm_close.", "canonical", closing(PLAIN, "c1")),
    "iopub-welcome": (
        "The message an XPUB kernel sends when a subscription is live: every part but the header empty.",
        "canonical",
        changed(PLAIN, channel="iopub", header=header("iopub_welcome"), content={}),
    ),
    "control-channel": (
        "A message on the control channel.",
        "canonical",
        changed(PLAIN, channel="control", header=header("interrupt_request"), content={}),
    ),
    "stdin-channel": (
        "A message on the stdin channel.",
        "canonical",
        changed(
            PLAIN,
            channel="stdin",
            header=header("input_request"),
            content={"prompt": "? ", "password": False},
        ),
    ),
    "proto-key": (
        "A key called __proto__ is a key like any other.",
        "canonical",
        comm_msg({"__proto__": {"polluted": True}, "constructor": 1}),
    ),
}

# JSON that is wrong in one part: name -> (about, flags, part, its bytes).
BAD_JSON: dict[str, tuple[str, str, str, bytes]] = {
    "header-not-json": ("The header is not JSON.", "", "header", b"{'msg_id'}"),
    "header-empty": ("The header has no bytes.", "", "header", b""),
    "header-not-object": ("The header is an array.", "", "header", b"[]"),
    "header-without-msg-type": ("The header lacks msg_type.", "", "header", b'{"msg_id":"m1"}'),
    "header-without-msg-id": ("The header lacks msg_id.", "", "header", b'{"msg_type":"comm_msg"}'),
    "header-msg-type-number": (
        "msg_type is a number.",
        "",
        "header",
        b'{"msg_id":"m1","msg_type":7}',
    ),
    "header-msg-id-null": ("msg_id is null.", "", "header", b'{"msg_id":null,"msg_type":"x"}'),
    "header-session-array": (
        "session is an array; it serves as a key, so it must be a string.",
        "",
        "header",
        b'{"msg_id":"m1","msg_type":"x","session":[]}',
    ),
    "parent-header-null": ("The parent header is null, not {}.", "", "parent_header", b"null"),
    "parent-header-array": (
        "A parent header that is a list with something in it.",
        "",
        "parent_header",
        b"[1]",
    ),
    "metadata-string": ("Metadata is a string.", "", "metadata", b'"{}"'),
    "content-empty-array": (
        "Content is [], which only parent header and metadata may be.",
        "",
        "content",
        b"[]",
    ),
    "content-number": ("Content is a number.", "", "content", b"1"),
    "content-trailing": ("Something follows the object.", "", "content", b"{} {}"),
    "content-truncated": ("The object does not end.", "", "content", b'{"comm_id":"c1"'),
    "content-nan": ("NaN is not JSON.", "", "content", b'{"v":NaN}'),
    "content-bad-utf8": (
        "A byte that is never UTF-8, inside a string.",
        "",
        "content",
        b'{"v":"\xff"}',
    ),
    "content-overlong-utf8": (
        "An overlong encoding of NUL, inside a string.",
        "",
        "content",
        b'{"v":"\xc0\x80"}',
    ),
    "content-surrogate-utf8": (
        "A surrogate encoded as UTF-8, inside a string.",
        "",
        "content",
        b'{"v":"\xed\xa0\x80"}',
    ),
    "content-bad-utf8-key": (
        "A byte that is never UTF-8, inside a key.",
        "",
        "content",
        b'{"\xff":1}',
    ),
    "content-byte-order-mark": (
        "A byte order mark ahead of the object.",
        "",
        "content",
        b"\xef\xbb\xbf{}",
    ),
    "content-control-character": (
        "An unescaped control character inside a string.",
        "",
        "content",
        b'{"v":"\x01"}',
    ),
    "content-utf16": ("UTF-16 instead of UTF-8.", "", "content", '{"v":1}'.encode("utf-16-le")),
    "content-lone-surrogate": (
        "An escaped surrogate without its other half.",
        "json-parser",
        "content",
        b'{"v":"\\ud800x"}',
    ),
    "content-number-out-of-range": (
        "A number no double holds.",
        "json-parser",
        "content",
        b'{"v":1e400}',
    ),
    "content-number-out-of-range-deep": (
        "A number no double holds, 500 arrays deep: found by fuzzing, the error's text held the whole path.",
        "json-parser",
        "content",
        b'{"v":' + b"[" * 500 + b"1e400" + b"]" * 500 + b"}",
    ),
    "content-too-deep": (
        "20,000 nested arrays.",
        "json-parser",
        "content",
        b'{"v":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ),
}


def with_part(message: JsonObject, part: str, data: bytes) -> list[bytes]:
    parts = json_parts(message)
    parts[("header", "parent_header", "metadata", "content").index(part)] = data
    return parts


def json_text(parts: list[bytes], channel: bytes = b'"shell"') -> bytes:
    names = (b"header", b"parent_header", b"metadata", b"content")
    body = b",".join(b'"%s":%s' % pair for pair in zip(names, parts, strict=True))
    return b'{"channel":%s,%s,"buffers":[]}' % (channel, body)


def bad(part: str, offset: int | None = None, code: str = "wire_error") -> JsonObject:
    return {"code": code, "part": part, "offset": offset}


def over(limit: str) -> JsonObject:
    return {"code": "limit_exceeded", "limit": limit}
