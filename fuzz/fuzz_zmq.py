"""Invariant: zmq.decode raises WireError or LimitExceeded only; what it returns comes back equal."""

from __future__ import annotations

from collections.abc import Iterator

import atheris

with atheris.instrument_imports(include=["tsushin"]):
    from tsushin.errors import LimitExceeded, SignatureError, WireError
    from tsushin.protocol.limits import Limits
    from tsushin.protocol.messages import Message
    from tsushin.wire import zmq
    from tsushin.wire.signing import Signer

from harness import SEPARATOR, Finding, cases, deep, expect, expect_brief, frames, run

# Small, so that every limit is met.
LIMITS = Limits(max_message_bytes=4000, max_json_bytes=2500, max_buffers=8, max_identities=4)
KEY = b"0123456789abcdef"
UNSIGNED, SIGNED, RESIGNED = b"u", b"s", b"r"


def target(data: bytes) -> None:
    """Decode frames; the first byte says: no key, a key, or a key and the right signature put in."""
    mode, parts = data[:1], data[1:].split(SEPARATOR)
    signer = Signer(b"" if mode == UNSIGNED else KEY, limits=LIMITS)
    if mode == RESIGNED:
        resign(parts, signer)
    try:
        message = decode(parts, signer)
    except (WireError, LimitExceeded) as error:
        expect_brief(error)
        return
    if mode != UNSIGNED:
        expect_replay_refused(parts, signer)
    with deep():
        again = zmq.decode(zmq.encode(message, Signer(KEY)), channel="iopub", signer=Signer(KEY))
        expect(again == message, "not equal")


def decode(parts: list[bytes], signer: Signer) -> Message:
    """Decode with the small limits."""
    return zmq.decode(parts, channel="iopub", signer=signer, limits=LIMITS)


def resign(parts: list[bytes], signer: Signer) -> None:
    """Put the right signature behind the delimiter, where there is one."""
    if zmq.DELIMITER in parts[:-1]:
        at = parts.index(zmq.DELIMITER) + 1
        parts[at] = signer.sign(parts[at + 1 : at + 5])


def expect_replay_refused(parts: list[bytes], signer: Signer) -> None:
    """Fail unless a second decode is refused."""
    try:
        decode(parts, signer)
    except SignatureError:
        return
    raise Finding("the same signed frames were accepted twice")


def seeds() -> Iterator[bytes]:
    """Return every vector as an input of each mode."""
    for case in cases("zmq"):
        joined = SEPARATOR.join(frames(case))
        yield from (mode + joined for mode in (UNSIGNED, SIGNED, RESIGNED))


if __name__ == "__main__":
    run(target, seeds())
