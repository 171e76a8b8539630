"""Large messages in pieces, and whole again: no message on the way is larger than ``PIECE_BYTES``.

A piece is a message with the header of the whole one and a part of its bytes. It has a number of its own, so
it is confirmed, repaired and held back like any other. The bytes are the JSON of what is no header, then the
buffers; the first piece says how long each of these is.

Spec: spec/profile.md, "Pieces".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import JsonObject, Message

PIECE_BYTES: Final = 1 << 20
CUT_ABOVE_BYTES: Final = 8 << 20  # Jupyter Server takes 10 MiB; what is smaller travels whole


class _Head(msgspec.Struct):
    parent_header: JsonObject
    metadata: JsonObject
    content: JsonObject


def piece_of(message: Message) -> JsonObject | None:
    """Return what a message says of itself as a piece; None where it is whole.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    ours = message.metadata.get("tsushin")
    piece = ours.get("piece") if isinstance(ours, dict) else None
    if piece is not None and not isinstance(piece, dict):
        raise RemoteProtocolError(f"piece: expected an object, got {quote(piece)}")
    return piece


def cut(message: Message) -> tuple[int, Iterator[tuple[Message, int]]]:
    """Return the size of a message in bytes, and its pieces with theirs, made as they are taken."""
    head = msgspec.json.encode(_Head(message.parent_header, message.metadata, message.content))
    parts = [memoryview(head), *message.buffers]
    sizes = [part.nbytes for part in parts]
    return sum(sizes), _pieces(message, parts, sizes)


def dropped(message: Message) -> Message:
    """Return the piece that says that no more of a message comes."""
    return _piece(message, {"dropped": True}, ())


class Joiner:
    """Joins the pieces of one sequence. Give it every message that is handed on, in order.

    Attributes:
        is_joining: a message is here in part.
    """

    __slots__ = ("_at", "_limits", "_parts", "_sizes", "is_joining")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._parts: list[bytearray] = []
        self._sizes: list[int] = []
        self._at = 0  # the part that is filled now
        self.is_joining: bool = False

    def take(self, message: Message) -> Message | None:
        """Return a whole message: this one, or the one of which this is the last piece.

        Raises:
            RemoteProtocolError: pieces that do not add up, or a message above the limit. It is dropped.
        """
        piece = piece_of(message)
        if piece is None:
            self._drop()
            return message
        if "sizes" in piece:
            self._begin(piece["sizes"])
        elif piece.get("dropped") is True:
            self._drop()
        if not self.is_joining:
            return None  # of a message that was dropped, or whose beginning is missing for good
        for buffer in message.buffers:
            self._fill(buffer)
        return self._whole(message) if self._is_full() else None

    def _begin(self, sizes: object) -> None:
        self._drop()
        if not (
            isinstance(sizes, list) and sizes and all(type(n) is int and n >= 0 for n in sizes)
        ):
            raise RemoteProtocolError(f"piece: expected sizes in bytes, got {quote(sizes)}")
        limits = self._limits
        for size, name in ((sum(sizes), "max_joined_bytes"), (sizes[0], "max_json_bytes")):
            if size > (allowed := getattr(limits, name)):
                about = f"piece: of {size} bytes, above {name} of {allowed}: it is dropped"
                raise RemoteProtocolError(about)
        if len(sizes) - 1 > limits.max_buffers:
            raise RemoteProtocolError(f"piece: of {len(sizes) - 1} buffers, above max_buffers")
        self._sizes, self._parts = sizes, [bytearray() for _ in sizes]
        self.is_joining = True

    def _fill(self, data: memoryview) -> None:
        while data.nbytes:
            if self._is_full():
                self._drop()
                raise RemoteProtocolError("piece: more bytes than its message has; it is dropped")
            part = self._parts[self._at]
            room = self._sizes[self._at] - len(part)
            try:
                part += data[:room]  # it grows with what is here, as a size is a claim
            except MemoryError:
                about = f"piece: no memory for {sum(self._sizes)} bytes: it is dropped"
                self._drop()
                raise RemoteProtocolError(about) from None
            data = data[room:]

    def _is_full(self) -> bool:
        """Go on to the part that has room; say whether there is none."""
        while self._at < len(self._parts) and len(self._parts[self._at]) == self._sizes[self._at]:
            self._at += 1
        return self._at == len(self._parts)

    def _whole(self, last: Message) -> Message:
        parts = self._parts
        self._drop()
        try:
            head = msgspec.json.decode(parts[0], type=_Head)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RemoteProtocolError(f"piece: {error}") from error
        buffers = tuple(memoryview(part).toreadonly() for part in parts[1:])
        return Message(
            last.channel, last.header, head.parent_header, head.metadata, head.content, buffers
        )

    def _drop(self) -> None:
        self._sizes, self._parts, self._at, self.is_joining = [], [], 0, False


def _pieces(
    message: Message, parts: Iterable[memoryview], sizes: list[int]
) -> Iterator[tuple[Message, int]]:
    about: JsonObject = {"sizes": sizes}
    for slices in _slices(parts):
        yield _piece(message, about, slices), sum(one.nbytes for one in slices)
        about = {}


def _slices(parts: Iterable[memoryview]) -> Iterator[tuple[memoryview, ...]]:
    piece: list[memoryview] = []
    room = PIECE_BYTES
    for part in parts:
        first = 0
        while first < part.nbytes:
            last = min(part.nbytes, first + room)
            piece.append(part[first:last])
            room -= last - first
            first = last
            if not room:
                yield tuple(piece)
                piece, room = [], PIECE_BYTES
    if piece:
        yield tuple(piece)


def _piece(message: Message, about: JsonObject, buffers: tuple[memoryview, ...]) -> Message:
    content = {"comm_id": message.content["comm_id"], "data": {}}
    metadata = {"tsushin": {"piece": about}}
    return Message(message.channel, message.header, {}, metadata, content, buffers)
