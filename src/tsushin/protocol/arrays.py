"""Arrays as they travel: NumPy's array-interface notation, "<f4" for little-endian 32-bit floats.

NumPy is no dependency: arrays are read by the buffer protocol, and restored as NumPy arrays only where NumPy
is installed. Elsewhere they become typed memory views with the same shape and the same values, copied where
a memory view cannot be like the array (order F, the other byte order, half floats, which become "f").

Vectors: spec/vectors/buffers.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

from tsushin.errors import quote

Order = Literal["C", "F"]

_FORMAT_TO_KIND: Final = {
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("BHILQN", "u"),
    **dict.fromkeys("efd", "f"),
    "?": "b",
}
_KIND_TO_FORMAT: Final = {
    "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f4": "f", "f8": "d", "b1": "?",
}  # fmt: skip
_DTYPE: Final = re.compile(r"[<>][iuf][248]|[<>|][iub]1")
_MAX_AXES: Final = 32  # NumPy before 2.0 has no more
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"


class ArrayType(TypedDict):
    """What a buffer's bytes mean: ``dtype``, ``shape`` (elements per axis) and ``order`` of the memory."""

    dtype: str
    shape: list[int]
    order: Order


def is_bytes(view: memoryview) -> bool:
    """Say whether ``view`` is bytes rather than an array: one axis of unsigned bytes."""
    return view.format in ("B", "c") and view.ndim == 1


def array_type(view: memoryview) -> ArrayType | None:
    """Describe an array, or return None where its elements cannot travel (objects, structs, text)."""
    code = view.format.lstrip("@=<>!")
    kind = _FORMAT_TO_KIND.get(code)
    if kind is None:
        return None
    prefix = view.format[0]
    swapped = {"<": "<", ">": ">", "!": ">"}.get(prefix, _NATIVE)
    byte_order = "|" if view.itemsize == 1 else swapped
    order: Order = "C" if view.c_contiguous or not view.f_contiguous else "F"
    return {
        "dtype": f"{byte_order}{kind}{view.itemsize}",
        "shape": list(view.shape or ()),
        "order": order,
    }


def restore_array(buffer: memoryview, entry: Mapping[str, object]) -> Any:
    """Return ``buffer`` as the array that a peer's entry describes, read-only.

    Any: a NumPy array, or a memory view where NumPy is not installed.

    Raises:
        ValueError: the entry describes no array, or one of another size than the buffer.
    """
    dtype, shape, order = entry.get("dtype"), entry.get("shape"), entry.get("order", "C")
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise ValueError(f"dtype: expected one as '<f4', got {quote(dtype)}")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"shape: expected an array of counts, got {quote(shape)}")
    if len(shape) > _MAX_AXES:
        raise ValueError(f"shape: expected at most {_MAX_AXES} axes, got {len(shape)}")
    if order not in ("C", "F"):
        raise ValueError(f"order: expected 'C' or 'F', got {quote(order)}")
    if math.prod(shape) * int(dtype[2]) != buffer.nbytes:
        raise ValueError(f"shape {quote(shape)} of {dtype} does not fill {buffer.nbytes} bytes")
    try:
        import numpy as np  # noqa: PLC0415 (optional: used where the user has it)
    except ImportError:
        return typed_view(buffer, dtype, shape, "F" if order == "F" else "C")
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order="F" if order == "F" else "C")


def typed_view(buffer: memoryview, dtype: str, shape: list[int], order: Order) -> memoryview:
    """Return checked bytes as a typed memory view of native byte order and order C.

    An array without elements is a view of no bytes: memory views have no empty axes.
    """
    if not buffer.nbytes:
        return buffer
    size, kind = int(dtype[2]), dtype[1:]
    if kind == "f2":
        halves = struct.unpack(f"{dtype[0]}{buffer.nbytes // 2}e", buffer)
        buffer, size, kind = memoryview(struct.pack(f"{len(halves)}f", *halves)), 4, "f4"
    elif dtype[0] not in ("|", _NATIVE):
        buffer = _swapped(buffer, size)
    # Any: the stubs of cast take literals only.
    flat: Any = buffer
    flat = flat.cast(_KIND_TO_FORMAT[kind])
    if order == "F" and len(shape) > 1:
        flat = memoryview(_in_c_order(flat, shape)).cast(flat.format)
    return memoryview(flat.cast("B").cast(flat.format, shape))


def _in_c_order(flat: memoryview, shape: list[int]) -> bytes:
    """Return the memory of elements in order F as it is in order C."""
    if len(shape) == 1:
        return flat.tobytes()
    first, *rest = shape
    return b"".join(_in_c_order(flat[i::first], rest) for i in range(first))


def _swapped(buffer: memoryview, size: int) -> memoryview:
    swapped = bytearray(buffer.nbytes)
    for i in range(size):
        swapped[i::size] = buffer[size - 1 - i :: size]
    return memoryview(bytes(swapped))
