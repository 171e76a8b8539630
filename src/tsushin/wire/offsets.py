"""A frame cut by an offset table: the idea both WebSocket subprotocols share.

``count, offset 0 … offset count-1, part 0, part 1, …``: integers of one width. The table is checked as a
whole, against the frame and the limits, before anything of its claimed size is allocated: eight bytes can
claim ten million parts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import le
from typing import Literal

from tsushin.errors import WireError
from tsushin.protocol.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one subprotocol writes its table.

    Attributes:
        order: byte order as in ``struct``.
        kind: integer as in ``struct``: "I" 4 bytes, "Q" 8 bytes.
        least_parts: parts ahead of the buffers, always present.
        has_end: whether one more offset tells where the last part ends.
        width: size of one integer, in bytes.
    """

    order: Literal["<", ">"]
    kind: Literal["I", "Q"]
    least_parts: int
    has_end: bool
    width: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", 4 if self.kind == "I" else 8)

    def join(self, parts: Sequence[bytes | memoryview]) -> bytes:
        """Return the frame of ``parts``; each is copied once. Arguments and errors: ``with_table``."""
        return b"".join(self.with_table(parts))

    def with_table(self, parts: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
        """Return the table of ``parts`` (byte views), and these.

        Raises:
            ValueError: an offset does not fit into the table's integers.
        """
        count = len(parts) + self.has_end
        sized = parts if self.has_end else parts[:-1]
        offsets = list(accumulate(map(len, sized), initial=self.width * (1 + count)))
        if offsets[-1] >> 8 * self.width:
            raise ValueError(
                f"frame: offsets of {self.width} bytes cannot reach byte {offsets[-1]}"
            )
        table = struct.pack(f"{self.order}{1 + count}{self.kind}", count, *offsets)
        return [table, *parts]

    def cut(self, frame: memoryview, limits: Limits) -> list[memoryview]:
        """Return the parts of ``frame`` as views into it, at least ``least_parts``.

        Raises:
            WireError: the table is short, not in order, or does not fit the frame; ``offset`` is that
                of the wrong field.
            LimitExceeded: more bytes or buffers than ``limits`` allows.
        """
        limits.check("max_message_bytes", frame.nbytes)
        offsets = self._read(frame, limits)
        table_bytes = self.width * (1 + len(offsets))
        if offsets[0] != table_bytes:
            raise self._fault(f"offset 0 is {offsets[0]}, the table ends at {table_bytes}", 0)
        if not (offsets[-1] <= frame.nbytes and all(map(le, offsets, offsets[1:]))):
            raise self._disorder(frame, offsets)
        if not self.has_end:
            offsets = (*offsets, frame.nbytes)
        elif offsets[-1] != frame.nbytes:
            last = len(offsets) - 1
            raise self._fault(
                f"last offset is {offsets[-1]}, message has {frame.nbytes} bytes", last
            )
        return [frame[start:end] for start, end in pairwise(offsets)]

    def _read(self, frame: memoryview, limits: Limits) -> tuple[int, ...]:
        """Return the offsets as they stand there, after checking only that all are there."""
        if frame.nbytes < self.width:
            raise self._fault(f"expected {self.width} bytes for the count, got {frame.nbytes}", -1)
        (count,) = struct.unpack_from(self.order + self.kind, frame)
        parts = count - self.has_end
        if parts < self.least_parts:
            raise self._fault(f"expected at least {self.least_parts} parts, got {parts}", -1)
        if self.width * (1 + count) > frame.nbytes:
            raise self._fault(f"count is {count}, message has {frame.nbytes} bytes", -1)
        limits.check("max_buffers", parts - self.least_parts)
        return struct.unpack_from(f"{self.order}{count}{self.kind}", frame, self.width)

    def _disorder(self, frame: memoryview, offsets: Sequence[int]) -> WireError:
        """Return what is wrong with offsets that do not rise up to the end of the frame."""
        for i, (start, end) in enumerate(pairwise(offsets), 1):
            if end > frame.nbytes:
                return self._fault(f"offset {i} is {end}, message has {frame.nbytes} bytes", i)
            if end < start:
                return self._fault(f"offset {i} is {end}, offset {i - 1} is {start}", i)
        raise AssertionError("they do rise")

    def _fault(self, text: str, index: int) -> WireError:
        """Return the error about entry ``index`` of the table; -1 is the count."""
        return WireError(text, part="offset table", offset=self.width * (1 + index))
