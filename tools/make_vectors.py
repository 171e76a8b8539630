"""Write the generated vectors of the three carriers into spec/vectors.

Deterministic: running it again changes nothing. Observed traffic is not made here; see ``record_vectors.py``.

Run: python tools/make_vectors.py
"""

from __future__ import annotations

import struct

from vector_kit import (
    DELIMITER,
    KEY,
    JsonObject,
    case,
    changed,
    comm_msg,
    compact,
    default_frame,
    default_json,
    default_offsets,
    default_parts,
    header,
    hexes,
    json_parts,
    sign,
    v1_frame,
    v1_offsets,
    v1_parts,
    write,
    zmq_frames,
)

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
    "content-bad-utf8-key": ("A byte that is never UTF-8, inside a key.", "", "content", b'{"\xff":1}'),
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


# --- zmq ---------------------------------------------------------------------------------------------


def write_zmq() -> None:
    for name, (about, flags, message) in MESSAGES.items():
        frames = hexes(zmq_frames(message))
        write("zmq/valid", name, zmq_case(about, flags, frames=frames, message=message, ok=True))
    for name, valid in zmq_valid().items():
        write("zmq/valid", name, valid)
    for name, (about, flags, part, data) in BAD_JSON.items():
        frames = hexes(zmq_frames(PLAIN, parts=with_part(PLAIN, part, data)))
        write("zmq/invalid", name, zmq_case(about, flags, frames=frames, error=bad(part)))
    for name, invalid in (zmq_malformed() | zmq_unsigned() | zmq_over()).items():
        write("zmq/invalid", name, invalid)


def zmq_case(about: str, flags: str = "", *, key: str = KEY, **keys: object) -> JsonObject:
    return case(about, flags, key=key, **({"scheme": "hmac-sha256"} | keys))


def zmq_ok(about: str, flags: str, message: JsonObject, **keys: object) -> JsonObject:
    return zmq_case(about, flags, message=message, ok=True, **keys)


def zmq_valid() -> dict[str, JsonObject]:
    topic = changed(PLAIN, channel="iopub", identities=[b"comm-c1".hex()])
    routed = changed(PLAIN, identities=["00800041a7", "", "0a0b"])
    empty_list = changed(PLAIN, parent_header={}, metadata={})
    listed = zmq_frames(
        PLAIN, parts=[compact(PLAIN["header"]), b"[]", b"[ ]", compact(PLAIN["content"])]
    )
    unsigned = zmq_frames(PLAIN, key="")
    ignored = [DELIMITER, b"f" * 64, *unsigned[2:]]
    sha512 = zmq_frames(PLAIN, scheme="hmac-sha512")
    return {
        "topic-frame": zmq_ok(
            "iopub: the topic is an identity frame.", "canonical", topic, frames=hexes(zmq_frames(topic))
        ),
        "identities": zmq_ok(
            "Routing frames of any bytes, one of them empty, come back in order.",
            "canonical",
            routed,
            frames=hexes(zmq_frames(routed)),
        ),
        "delimiter-in-buffer": zmq_ok(
            "Only the first <IDS|MSG> delimits; a buffer may hold the same bytes.",
            "canonical",
            comm_msg({}, DELIMITER.hex()),
            frames=hexes(zmq_frames(comm_msg({}, DELIMITER.hex()))),
        ),
        "empty-list-parts": zmq_ok(
            "IRkernel writes {} as []: tolerated in parent header and metadata.",
            "",
            empty_list,
            frames=hexes(listed),
        ),
        "empty-key": zmq_ok(
            "An empty key: the signature frame is empty.",
            "canonical",
            PLAIN,
            key="",
            frames=hexes(unsigned),
        ),
        "empty-key-signature-ignored": zmq_ok(
            "An empty key: whatever the signature frame holds is not looked at.",
            "",
            PLAIN,
            key="",
            frames=hexes(ignored),
        ),
        "empty-key-repeat": zmq_ok(
            "An empty key: nothing is remembered, so the same frames decode twice.",
            "canonical",
            PLAIN,
            key="",
            frames=hexes(unsigned),
            repeat=2,
        ),
        "sha512": zmq_ok(
            "Another scheme.", "canonical", PLAIN, scheme="hmac-sha512", frames=hexes(sha512)
        ),
        "buffers-not-signed": zmq_ok(
            "The signature covers the four JSON parts only: a changed buffer goes unnoticed.",
            "canonical",
            comm_msg({}, "ffff"),
            frames=hexes([*zmq_frames(comm_msg({}, "0000"))[:-1], b"\xff\xff"]),
        ),
        "at-the-limits": zmq_ok(
            "Exactly as many identities and buffers as allowed.",
            "canonical",
            changed(comm_msg({}, "00", "01"), identities=["0a", "0b"]),
            frames=hexes(zmq_frames(changed(comm_msg({}, "00", "01"), identities=["0a", "0b"]))),
            limits={"max_identities": 2, "max_buffers": 2},
        ),
    }


def zmq_malformed() -> dict[str, JsonObject]:
    frames = zmq_frames(PLAIN)
    return {
        "no-frames": zmq_case("No frame at all.", frames=[], error=bad("delimiter")),
        "no-delimiter": zmq_case(
            "The delimiter is missing.", frames=hexes(frames[1:]), error=bad("delimiter")
        ),
        "delimiter-misspelt": zmq_case(
            "A delimiter with one byte more.",
            frames=hexes([DELIMITER + b"\0", *frames[1:]]),
            error=bad("delimiter"),
        ),
        "delimiter-last": zmq_case(
            "Nothing follows the delimiter.", frames=hexes(frames[:1]), error=bad("frames")
        ),
        "signature-only": zmq_case(
            "Only the signature follows the delimiter.", frames=hexes(frames[:2]), error=bad("frames")
        ),
        "no-content": zmq_case(
            "Four frames follow the delimiter, five are needed.",
            frames=hexes(frames[:5]),
            error=bad("frames"),
        ),
    }


def zmq_unsigned() -> dict[str, JsonObject]:
    frames = zmq_frames(PLAIN)
    error = bad("signature", code="signature_error")

    def signed(about: str, signature: bytes, **keys: object) -> JsonObject:
        forged = hexes([DELIMITER, signature, *frames[2:]])
        return zmq_case(about, frames=forged, error=error, **keys)

    flipped = frames[1][:-1] + (b"0" if frames[1][-1:] != b"0" else b"1")
    changed_content = [*frames[:5], compact({"comm_id": "c1", "data": {"value": 2}})]
    return {
        "signature-missing": signed("A key is set and the signature is empty.", b""),
        "signature-wrong": signed("The last digit of the signature is another.", flipped),
        "signature-too-long": signed("The right signature and one byte.", frames[1] + b"0"),
        "signature-too-short": signed("The signature lacks its last digit.", frames[1][:-1]),
        "signature-upper-case": signed(
            "Signatures are lower-case hex; jupyter_client refuses others too.", frames[1].upper()
        ),
        "signature-other-key": signed("Signed with another key.", sign(frames[2:6], "another key")),
        "signature-other-scheme": signed(
            "SHA-512 where SHA-256 is agreed.", sign(frames[2:6], scheme="hmac-sha512")
        ),
        "signature-not-ascii": signed("64 bytes that are no hex digits.", b"\xff" * 64),
        "content-changed": zmq_case(
            "Content was changed after signing.", frames=hexes(changed_content), error=error
        ),
        "replay": zmq_case(
            "The same signed message twice.", frames=hexes(frames), repeat=2, error=error
        ),
    }


def zmq_over() -> dict[str, JsonObject]:
    routed = changed(PLAIN, identities=["0a", "0b", "0c"])
    many = comm_msg({}, "00", "01", "02")
    return {
        "too-many-identities": zmq_case(
            "One identity more than allowed.",
            frames=hexes(zmq_frames(routed)),
            limits={"max_identities": 2},
            error=over("max_identities"),
        ),
        "too-many-buffers": zmq_case(
            "One buffer more than allowed.",
            frames=hexes(zmq_frames(many)),
            limits={"max_buffers": 2},
            error=over("max_buffers"),
        ),
        "json-too-large": zmq_case(
            "A header of more bytes than allowed.",
            frames=hexes(zmq_frames(PLAIN)),
            limits={"max_json_bytes": 100},
            error=over("max_json_bytes"),
        ),
        "message-too-large": zmq_case(
            "All frames together are larger than allowed, each one is not.",
            frames=hexes(zmq_frames(comm_msg({}, "00" * 200, "00" * 200))),
            limits={"max_message_bytes": 500},
            error=over("max_message_bytes"),
        ),
    }


# --- ws-v1 -------------------------------------------------------------------------------------------


def write_v1() -> None:
    for name, (about, flags, message) in MESSAGES.items():
        frames = hexes([v1_frame(v1_parts(message))])
        write("ws-v1/valid", name, case(about, flags, frames=frames, message=message, ok=True))
    for name, valid in v1_valid().items():
        write("ws-v1/valid", name, valid)
    for name, (about, flags, part, data) in BAD_JSON.items():
        frames = hexes([v1_frame([b"shell", *with_part(PLAIN, part, data)])])
        write("ws-v1/invalid", name, case(about, flags, frames=frames, error=bad(part)))
    for name, invalid in (v1_malformed() | v1_bad_offsets() | v1_channels() | v1_over()).items():
        write("ws-v1/invalid", name, invalid)


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
        "first-offset-too-large": at(0, good[0] + 1, "A byte between the table and the first part."),
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


# --- ws-default --------------------------------------------------------------------------------------


def write_default() -> None:
    for name, (about, flags, message) in MESSAGES.items():
        write("ws-default/valid", name, default_ok(about, flags, message))
    for name, valid in default_valid().items():
        write("ws-default/valid", name, valid)
    for name, (about, flags, part, data) in BAD_JSON.items():
        write("ws-default/invalid", name, default_bad_json(about, flags, part, data))
    cases = default_text() | default_keys() | default_malformed() | default_bad_offsets()
    for name, invalid in (cases | default_over()).items():
        write("ws-default/invalid", name, invalid)


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
        "binary-count-zero": broken("A count of 0: not even the JSON.", default_frame(parts, count=0)),
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
        "binary-json-empty": broken("The JSON has no bytes.", default_frame([b"", b"\0"]), bad("message")),
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


if __name__ == "__main__":
    write_zmq()
    write_v1()
    write_default()
