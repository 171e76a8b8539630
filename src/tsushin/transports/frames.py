"""The WebSocket frames that messages are in, with no copy that is not needed.

Nearly every frame of a lane is one whole binary message. Such a frame is read and written here: what is read
goes into the memory where it stays, what is written leaves from the memory where it is. Every other frame, a
fragment, a control frame, or one that is not allowed, is the library's: it gets its bytes and has the word.

Spec: RFC 6455, sections 5.2 (frames) and 5.3 (masks); the lane negotiates no extension.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from secrets import token_bytes
from typing import Final

from websockets.frames import Opcode
from websockets.protocol import Event, Protocol, State

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its extension
    from websockets.utils import apply_mask

# What is larger is moved by itself; what is smaller is put together with what is next to it.
LARGE_BYTES: Final = 1 << 16
CHUNK_BYTES: Final = 1 << 18  # masked at a time: it stays in the processor's cache

Bytes = bytes | memoryview
Received = bytes | bytearray | Event

_FIN, _CONTROL, _MASKED, _LENGTH = 0x80, 0x08, 0x80, 0x7F
_MESSAGE: Final = _FIN | Opcode.BINARY  # first byte of a frame that is a whole message
_TWO, _EIGHT = 126, 127  # the length is in so many bytes that follow
_HEAD_BYTES: Final = {_TWO: 4, _EIGHT: 10}  # so long is the head then, without the mask
_LEAST: Final = 2  # bytes of a head
_HEAD_TWO: Final = struct.Struct("!BBH")
_HEAD_EIGHT: Final = struct.Struct("!BBQ")


def message_frame(parts: Sequence[Bytes], *, mask: bool) -> Iterator[Bytes]:
    """Return the frame of one message, whose payload is ``parts``, in pieces.

    Large parts are not copied, and must not change; where they are masked that is a copy, made as it is
    taken.
    """
    size = sum(map(len, parts))
    key = token_bytes(4) if mask else b""
    head = _head(size, key)
    if size < LARGE_BYTES:  # as nearly always
        payload = (apply_mask(b"".join(parts), key),) if mask else parts
        return iter((b"".join((head, *payload)),))
    if mask:
        return joined(chain((head,), _masked([*joined(parts)], key)))
    return iter([*joined((head, *parts))])


def _masked(pieces: Iterable[Bytes], key: bytes) -> Iterator[Bytes]:
    turned = 0
    for piece in pieces:
        view = memoryview(piece)
        for first in range(0, len(view), CHUNK_BYTES):
            chunk = view[first : first + CHUNK_BYTES]
            yield apply_mask(chunk, _turn(key, turned))
            turned += len(chunk)


def joined(pieces: Iterable[Bytes]) -> Iterator[Bytes]:
    """Put small pieces together that are next to each other."""
    for is_large, group in groupby(pieces, key=lambda piece: len(piece) >= LARGE_BYTES):
        if is_large:
            yield from group
        else:
            yield b"".join(group)


def _head(size: int, key: bytes) -> bytes:
    masked = _MASKED if key else 0
    if size < _TWO:
        return bytes((_MESSAGE, masked | size)) + key
    if size < 1 << 16:
        return _HEAD_TWO.pack(_MESSAGE, masked | _TWO, size) + key
    return _HEAD_EIGHT.pack(_MESSAGE, masked | _EIGHT, size) + key


def _turn(key: bytes, count: int) -> bytes:
    """Return the key for what follows so many bytes."""
    at = count % 4
    return key[at:] + key[:at]


class FrameReader:
    """Takes what comes after the handshake, however it is cut; gives whole messages, and the rest as events.

    Args:
        protocol: gets every frame that is not one whole message; the caller sends what it has to say.
        is_masked: the peer is a client.
        max_bytes: of a message. A larger one is left to the protocol, which has a limit of its own.

    Attributes:
        missing: bytes that are still to come of the message that is being read; 0 between messages.
    """

    def __init__(self, protocol: Protocol, *, is_masked: bool, max_bytes: int) -> None:
        self.missing: int = 0
        self._protocol = protocol
        self._masked = _MASKED if is_masked else 0
        self._max_bytes = max_bytes
        self._rest = b""  # a head that is not all there
        self._payload = bytearray()  # of the message that is not all there
        self._key = b""
        self._passing = 0  # bytes that are still to come of a frame that is the protocol's
        self._is_in_fragments = False
        self._is_over = False  # what follows a close, or a fault, is nobody's

    def receive(self, data: bytes) -> list[Received]:
        """Return the messages' payloads, and the protocol's events, in order."""
        got: list[Received] = []
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data) and not self._is_over:
            if self.missing:
                at = self._fill(data, at, got)
            elif self._passing:
                at = self._pass(data, at, got)
            else:
                at = self._begin(data, at, got)
        return got

    def _begin(self, data: bytes, at: int, got: list[Received]) -> int:
        """Read a head, and a message that is all there; return how far that is."""
        left = len(data) - at
        second = data[at + 1] if left > 1 else 0
        size = second & _LENGTH
        key_at = at + _HEAD_BYTES.get(size, _LEAST)
        begin = key_at + (4 if second & _MASKED else 0)
        is_masked_well = second & _MASKED == self._masked
        if left < _LEAST or (len(data) < begin and is_masked_well):
            self._rest = data[at:]
            return len(data)
        if size >= _TWO:
            size = int.from_bytes(data[at + 2 : key_at], "big")
        is_message = data[at] == _MESSAGE and is_masked_well
        if not is_message or size > self._max_bytes or self._is_in_fragments:
            if not data[at] & _CONTROL:
                self._is_in_fragments = not data[at] & _FIN
            self._passing = begin - at + size
            return at
        key, end = data[key_at:begin], begin + size
        if end > len(data):
            self._payload, self._key, self.missing = bytearray(), key, size
            return begin
        payload = data[begin:end]
        got.append(apply_mask(payload, key) if key else payload)
        return end

    def _fill(self, data: bytes, at: int, got: list[Received]) -> int:
        part = memoryview(data)[at : at + self.missing]
        payload = self._payload
        # It grows with what is here, as a size is a claim.
        payload += apply_mask(part, _turn(self._key, len(payload))) if self._key else part
        self.missing -= len(part)
        if not self.missing:
            got.append(payload)
            self._payload = bytearray()
        return at + len(part)

    def _pass(self, data: bytes, at: int, got: list[Received]) -> int:
        part = data[at : at + self._passing]
        self._passing -= len(part)
        self._protocol.receive_data(part)
        self._is_over = self._protocol.state is not State.OPEN
        got.extend(self._protocol.events_received())
        return at + len(part)
