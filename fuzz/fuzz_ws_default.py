"""Invariant: ws_default.decode raises WireError or LimitExceeded only; what it returns comes back equal."""

from __future__ import annotations

from collections.abc import Iterator

import atheris

with atheris.instrument_imports(include=["tsushin"]):
    from tsushin.errors import LimitExceeded, WireError
    from tsushin.protocol.limits import Limits
    from tsushin.wire import ws_default
    from tsushin.wire.offsets import Layout

from harness import SEPARATOR, cases, deep, expect, expect_brief, frames, run

# Small, so that every limit is met.
LIMITS = Limits(max_message_bytes=4000, max_json_bytes=2500, max_buffers=8)
LAYOUT = Layout(order=">", kind="I", least_parts=1, has_end=False)
TEXT, FRAME, PARTS = b"t", b"f", b"p"


def target(data: bytes) -> None:
    """Decode one frame; the first byte says: text, binary, or binary joined from parts by a right table."""
    try:
        message = ws_default.decode(frame_of(data), limits=LIMITS)
    except (WireError, LimitExceeded) as error:
        expect_brief(error)
        return
    with deep():
        expect(ws_default.decode(ws_default.encode(message)) == message, "not equal")


def frame_of(data: bytes) -> str | bytes:
    """Return the frame that an input means."""
    mode, rest = data[:1], data[1:]
    if mode == TEXT:
        # Lone surrogates are what a str may hold and UTF-8 may not.
        return rest.decode(errors="surrogateescape")
    return LAYOUT.join(rest.split(SEPARATOR)) if mode == PARTS else rest


def seeds() -> Iterator[bytes]:
    """Return every vector as an input, and as parts where its table is right."""
    for case in cases("ws-default"):
        if "text" in case:
            yield TEXT + case["text"].encode()
            continue
        for frame in frames(case):
            yield FRAME + frame
            try:
                yield PARTS + SEPARATOR.join(LAYOUT.cut(memoryview(frame), LIMITS))
            except (WireError, LimitExceeded):
                continue


if __name__ == "__main__":
    run(target, seeds())
