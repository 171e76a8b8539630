"""Invariant: ws_v1.decode raises WireError or LimitExceeded only; what it returns comes back equal."""

from __future__ import annotations

from collections.abc import Iterator

import atheris

with atheris.instrument_imports(include=["tsushin"]):
    from tsushin.errors import LimitExceeded, WireError
    from tsushin.protocol.limits import Limits
    from tsushin.wire import ws_v1
    from tsushin.wire.offsets import Layout

from harness import SEPARATOR, cases, deep, expect, expect_brief, frames, run

# Small, so that every limit is met.
LIMITS = Limits(max_message_bytes=4000, max_json_bytes=2500, max_buffers=8)
LAYOUT = Layout(order="<", kind="Q", least_parts=5, has_end=True)
FRAME, PARTS = b"f", b"p"


def target(data: bytes) -> None:
    """Decode one frame; the first byte says: as it is, or joined from parts by a right table."""
    frame = LAYOUT.join(data[1:].split(SEPARATOR)) if data[:1] == PARTS else data[1:]
    try:
        message = ws_v1.decode(frame, limits=LIMITS)
    except (WireError, LimitExceeded) as error:
        expect_brief(error)
        return
    with deep():
        expect(ws_v1.decode(ws_v1.encode(message)) == message, "not equal")


def seeds() -> Iterator[bytes]:
    """Return every vector as an input, and as parts where its table is right."""
    for case in cases("ws-v1"):
        for frame in frames(case):
            yield FRAME + frame
            try:
                yield PARTS + SEPARATOR.join(LAYOUT.cut(memoryview(frame), LIMITS))
            except (WireError, LimitExceeded):
                continue


if __name__ == "__main__":
    run(target, seeds())
