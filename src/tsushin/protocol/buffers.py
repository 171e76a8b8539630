"""User data to JSON and back: strict values, and binary lifted out into buffers.

``encode_data`` walks the data once. What JSON can carry stays; what only looks like it (NaN, a set, an
int key) is a ``TypeError`` that names its path, ``data.points[3].t``, because a value that silently
changes is found weeks later on the other side. Bytes-like values are replaced by ``null`` and travel as
buffers after the user's own; ``metadata.tsushin.bin`` says where each belongs, so that ``restore_data``
puts it back and a plain peer sees valid JSON.

Lists of plain values are checked in C (a set of their types), so a large list costs little more than its
encoding.

Vectors: spec/vectors/buffers.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final, Literal, NotRequired, TypedDict

import msgspec

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.messages import JsonObject

Path = tuple[str | int, ...]
BytesLike = bytes | bytearray | memoryview

_PLAIN: Final = frozenset({str, int, bool, type(None)})
# Lists of these alone are checked without a step per item.
_SAFE: Final = frozenset({str, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})
_MAX_DEPTH: Final = 200  # levels; JSON parsers of peers stop between 256 and 1,000
_MAX_INT: Final = 2**64  # what 64-bit JSON readers can hold, signed or unsigned
_FORMAT_TO_KIND: Final = {
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("BHILQN", "u"),
    **dict.fromkeys("efd", "f"),
    "?": "b",
}
# What becomes plain JSON where nothing is lost by it: NumPy scalars, enums of str or int, named tuples.
_SUBCLASSES: Final[tuple[tuple[Any, Any], ...]] = (
    (str, str.__str__),
    (Integral, int),
    (Real, float),
    (Mapping, dict),
    (list | tuple, list),
)
_KIND_TO_FORMAT: Final = {
    "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "b1": "?",
}  # fmt: skip


class Binary(TypedDict):
    """One entry of ``metadata.tsushin.bin``.

    ``kind`` "bytes" is raw bytes; "array" has ``dtype`` in NumPy's array-interface notation ("<f4"),
    ``shape`` (elements per axis) and ``order`` ("C" or "F").
    """

    path: list[str | int]
    buffer: int
    kind: Literal["bytes", "array"]
    dtype: NotRequired[str]
    shape: NotRequired[list[int]]
    order: NotRequired[Literal["C", "F"]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What ``encode_data`` made: JSON, the metadata to send with it, and the buffers to send."""

    data: msgspec.Raw
    metadata: JsonObject
    buffers: tuple[memoryview, ...]


def encode_data(
    data: Mapping[str, object] | None,
    metadata: Mapping[str, object] | None = None,
    buffers: Sequence[BytesLike] | None = None,
    *,
    copy: bool = True,
) -> Encoded:
    """Check and encode what a user sends.

    Args:
        data: a JSON object whose values may also be bytes-like or typed arrays; None means ``{}``.
        metadata: a JSON object without binary; the key "tsushin" is reserved.
        buffers: bytes-like objects of any format; copied to bytes only where not contiguous.
        copy: copy buffers that their owner may still change. With False the caller promises not to.

    Returns:
        JSON as it is now (later changes to ``data`` do not matter) and byte views.

    Raises:
        TypeError: something JSON cannot carry, named by its path; ``data`` is no mapping.
    """
    views = [_byte_view(b, f"buffers[{i}]", copy=copy) for i, b in enumerate(buffers or ())]
    lifted = _Lifted(first=len(views), copy=copy)
    kept_data = _keep_object("data", data, lifted)
    kept_metadata = _keep_object("metadata", metadata, None)
    if "tsushin" in kept_metadata:
        raise TypeError("metadata.tsushin: the key is reserved")
    if lifted.bin:
        kept_metadata = {**kept_metadata, "tsushin": {"bin": lifted.bin}}
    return Encoded(_encode("data", kept_data), kept_metadata, (*views, *lifted.views))


def restore_data(
    data: JsonObject, metadata: JsonObject, buffers: tuple[memoryview, ...]
) -> tuple[JsonObject, tuple[memoryview, ...]]:
    """Put binary back where ``metadata.tsushin.bin`` says; the inverse of ``encode_data``.

    Args:
        data: the received data; changed in place, since nobody else holds it yet.
        metadata: the received metadata.
        buffers: all received buffers.

    Returns:
        The data, and the buffers that the peer's user attached. Bytes come back as read-only views;
        arrays as NumPy arrays where NumPy is installed, else as typed memory views. Nothing is copied.

    Raises:
        RemoteProtocolError: an entry is malformed, or points outside the data or the buffers.
    """
    ours = metadata.get("tsushin")
    entries = ours.get("bin") if isinstance(ours, dict) else None
    if not entries:
        return data, buffers
    if not isinstance(entries, list):
        raise RemoteProtocolError(f"metadata.tsushin.bin: expected array, got {quote(entries)}")
    for number, entry in enumerate(entries):
        try:
            value = _restored(entry, buffers)
            _put(data, entry["path"], value)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RemoteProtocolError(
                f"metadata.tsushin.bin[{number}]: {error} in {quote(entry)}"
            ) from error
    return data, buffers[: min(entry["buffer"] for entry in entries)]


class _Lifted:
    """The binary values found in one walk, with the views that carry them."""

    __slots__ = ("bin", "copy", "first", "views")

    def __init__(self, *, first: int, copy: bool) -> None:
        self.first = first
        self.copy = copy
        self.bin: list[Binary] = []
        self.views: list[memoryview] = []

    def add(self, path: Path, view: memoryview) -> None:
        entry: Binary = {
            "path": list(path),
            "buffer": self.first + len(self.views),
            "kind": "bytes",
        }
        if view.format not in ("B", "c") or view.ndim != 1:
            order: Literal["C", "F"] = "C" if view.c_contiguous or not view.f_contiguous else "F"
            entry |= {
                "kind": "array",
                "dtype": _dtype(view, path),
                "shape": list(view.shape or ()),
                "order": order,
            }
        self.bin.append(entry)
        self.views.append(_byte_view(view, name(path), copy=self.copy))


def name(path: Path, root: str = "data") -> str:
    """Return a path as people write it: ``data.points[3].t``."""
    return root + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)


def _keep_object(
    root: str, value: Mapping[str, object] | None, lifted: _Lifted | None
) -> JsonObject:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{root}: expected a JSON object (dict), got {type(value).__name__}")
    kept: JsonObject = _keep(value if type(value) is dict else dict(value), (), root, lifted)
    return kept


# Any: a JSON value goes in and out.
def _keep(value: Any, path: Path, root: str, lifted: _Lifted | None) -> Any:
    """Return ``value`` itself where JSON can carry it as it is, else a copy with binary lifted out."""
    kind = type(value)
    if kind in _PLAIN:
        return value if kind is not int else _keep_int(value, path, root)
    if kind is float:
        if isfinite(value):
            return value
        raise TypeError(f"{name(path, root)}: JSON has no {value}")
    if len(path) > _MAX_DEPTH:
        raise TypeError(f"{name(path[:3], root)}…: nested more than {_MAX_DEPTH} levels, or cyclic")
    if kind is dict:
        return _keep_items(value, path, root, lifted)
    if kind is list or kind is tuple:
        return _keep_list(value, path, root, lifted)
    return _keep_other(value, path, root, lifted)


def _keep_items(value: dict[Any, Any], path: Path, root: str, lifted: _Lifted | None) -> Any:
    changed = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(
                f"{name(path, root)}: key {quote(key)}: expected str, got {type(key).__name__}"
            )
        kept = _keep(item, (*path, key), root, lifted)
        if kept is not item:
            changed[key] = kept
    return {**value, **changed} if changed else value


def _keep_list(value: Sequence[Any], path: Path, root: str, lifted: _Lifted | None) -> Any:
    kinds = set(map(type, value))
    if kinds <= _SAFE or (kinds <= _NUMBERS and _all_numbers_fit(value)):
        return value
    kept = [_keep(item, (*path, i), root, lifted) for i, item in enumerate(value)]
    return kept if any(map(operator.is_not, kept, value)) else value


def _all_numbers_fit(value: Sequence[Any]) -> bool:
    if not value:
        return True
    return all(map(isfinite, value)) and min(value) >= -_MAX_INT // 2 and max(value) < _MAX_INT


def _keep_int(value: int, path: Path, root: str) -> int:
    if -_MAX_INT // 2 <= value < _MAX_INT:
        return value
    raise TypeError(
        f"{name(path, root)}: an int of {value.bit_length()} bits, JSON readers hold 64"
    )


def _keep_other(value: Any, path: Path, root: str, lifted: _Lifted | None) -> Any:
    for abstract, plain in _SUBCLASSES:
        if isinstance(value, abstract):
            kept = plain(value)
            if abstract is Real and kept != value and isfinite(kept):
                break  # Fraction(1, 3), a long double: a float would be another number
            return _keep(kept, path, root, lifted)
    try:
        view = memoryview(value)
    except TypeError:
        raise TypeError(f"{name(path, root)}: JSON cannot carry {type(value).__name__}") from None
    if getattr(value, "shape", None) == ():  # a NumPy scalar that is no number
        if view.ndim != 0:  # datetime64 shows its memory as bytes: not what was meant
            raise TypeError(f"{name(path, root)}: JSON cannot carry {type(value).__name__}")
        return _keep(view[()], path, root, lifted)
    if lifted is None:
        raise TypeError(f"{name(path, root)}: binary belongs into data or buffers")
    lifted.add(path, view)
    return None


def _encode(root: str, value: JsonObject) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except UnicodeEncodeError as error:
        raise TypeError(f"{root}: text with a lone surrogate cannot be UTF-8: {error}") from None


def _byte_view(value: BytesLike, where: str, *, copy: bool) -> memoryview:
    """Return a read-only view of bytes, copied where it is not contiguous or may still change."""
    try:
        view = memoryview(value)
    except TypeError:
        raise TypeError(
            f"{where}: expected a bytes-like object, got {type(value).__name__}"
        ) from None
    if not view.contiguous or not view.c_contiguous:
        return memoryview(view.tobytes("A"))
    if copy and not view.readonly:
        return memoryview(view.tobytes())
    return (view.cast("B") if view.nbytes else memoryview(b"")).toreadonly()


def _dtype(view: memoryview, path: Path) -> str:
    code = view.format.lstrip("@=<>!")
    kind = _FORMAT_TO_KIND.get(code)
    if kind is None:
        raise TypeError(f"{name(path)}: arrays of format {quote(view.format)} cannot travel")
    big = view.format[0] in ">!" or (sys.byteorder == "big" and view.format[0] != "<")
    order = "|" if view.itemsize == 1 else ">" if big else "<"
    return f"{order}{kind}{view.itemsize}"


def _restored(entry: Any, buffers: tuple[memoryview, ...]) -> Any:
    """Return the value of one entry; any error is the peer's and is named by the caller."""
    number = entry["buffer"]
    if type(number) is not int or not 0 <= number < len(buffers):
        raise ValueError(f"buffer {quote(number)}: message has {len(buffers)}")
    buffer = buffers[number]
    if entry["kind"] == "bytes":
        return buffer
    if entry["kind"] != "array":
        raise ValueError(f"kind: expected 'bytes' or 'array', got {quote(entry['kind'])}")
    dtype, shape, order = entry["dtype"], entry["shape"], entry.get("order", "C")
    if not re.fullmatch(r"[<>|][iufb][1248]", dtype) or dtype[1:] not in _KIND_TO_FORMAT:
        raise ValueError(f"dtype {quote(dtype)}")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"shape {quote(shape)}")
    if math.prod(shape) * int(dtype[2]) != buffer.nbytes:
        raise ValueError(f"shape {quote(shape)} of {dtype} does not fill {buffer.nbytes} bytes")
    return _array(buffer, dtype, tuple(shape), order)


def _array(buffer: memoryview, dtype: str, shape: tuple[int, ...], order: Literal["C", "F"]) -> Any:
    try:
        import numpy as np  # noqa: PLC0415 (optional: used where the user has it)
    except ImportError:
        # Any: the stubs of cast take literals only.
        view: Any = buffer
        return view.cast(_KIND_TO_FORMAT[dtype[1:]], shape) if buffer.nbytes else buffer
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _put(data: Any, path: Sequence[str | int], value: object) -> None:
    if not path:
        raise ValueError("path is empty")
    place = data
    for step in path[:-1]:
        place = place[step]
    if place[path[-1]] is not None:
        raise ValueError(f"{name(tuple(path))} is not null")
    place[path[-1]] = value
