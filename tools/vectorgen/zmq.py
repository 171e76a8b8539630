"""The cases of the ZMQ wire."""

from __future__ import annotations

from collections.abc import Iterator

from vectorgen.cases import BAD_JSON, MESSAGES, PLAIN, bad, over, with_part
from vectorgen.kit import (
    DELIMITER,
    KEY,
    JsonObject,
    case,
    changed,
    comm_msg,
    compact,
    hexes,
    sign,
    zmq_frames,
)


def all_cases() -> Iterator[tuple[str, JsonObject]]:
    for name, (about, flags, message) in MESSAGES.items():
        frames = hexes(zmq_frames(message))
        yield f"zmq/valid/{name}", zmq_case(about, flags, frames=frames, message=message, ok=True)
    for name, valid in zmq_valid().items():
        yield f"zmq/valid/{name}", valid
    for name, (about, flags, part, data) in BAD_JSON.items():
        frames = hexes(zmq_frames(PLAIN, parts=with_part(PLAIN, part, data)))
        yield f"zmq/invalid/{name}", zmq_case(about, flags, frames=frames, error=bad(part))
    for name, invalid in (zmq_malformed() | zmq_unsigned() | zmq_over()).items():
        yield f"zmq/invalid/{name}", invalid


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
            "iopub: the topic is an identity frame.",
            "canonical",
            topic,
            frames=hexes(zmq_frames(topic)),
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
            "Only the signature follows the delimiter.",
            frames=hexes(frames[:2]),
            error=bad("frames"),
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
