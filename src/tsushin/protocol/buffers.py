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

import operator
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final, Literal, NotRequired, TypedDict

import msgspec

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.arrays import Order, array_type, is_bytes, restore_array
from tsushin.protocol.messages import JsonObject

Path = tuple[str | int, ...]
BytesLike = bytes | bytearray | memoryview

_PLAIN: Final = frozenset({str, int, bool, type(None)})
# Lists of these alone are checked without a step per item.
_SAFE: Final = frozenset({str, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})
_MAX_DEPTH: Final = 200  # levels; JSON parsers of peers stop between 256 and 1,000
_MAX_INT: Final = 2**64  # what 64-bit JSON readers can hold, signed or unsigned
_encoder: Final = msgspec.json.Encoder()
_NOTHING: Final = msgspec.Raw(b"{}")  # one for all: most comms are opened with nothing
# What becomes plain JSON where nothing is lost by it: NumPy scalars, enums of str or int, named tuples.
_SUBCLASSES: Final[tuple[tuple[Any, Any], ...]] = (
    (str, str.__str__),
    (Integral, int),
    (Real, float),
    (Mapping, dict),
    (list | tuple, list),
)


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
    order: NotRequired[Order]


class Encoded(msgspec.Struct, frozen=True):
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
    entry: JsonObject | None = None,
) -> Encoded:
    """Check and encode what a user sends.

    Args:
        data: a JSON object whose values may also be bytes-like or typed arrays; None means ``{}``.
        metadata: a JSON object without binary. Its key "tsushin" belongs to the one hop it came by and
            is left out, so that a received message can be sent on.
        buffers: bytes-like objects of any format; copied to bytes only where not contiguous.
        copy: copy buffers that their owner may still change. With False the caller promises not to.
        entry: what the profile says in ``metadata.tsushin``, beside what is said here about binary.

    Returns:
        JSON as it is now (later changes to ``data`` do not matter) and byte views.

    Raises:
        TypeError: something JSON cannot carry, named by its path; ``data`` is no mapping.
    """
    views: list[memoryview] = []
    if buffers:
        views = [_byte_view(b, f"buffers[{i}]", copy=copy) for i, b in enumerate(buffers)]
    lifted = _Lifted(first=len(views), copy=copy)
    kept_data = _keep_object("data", data, lifted)
    kept_metadata: JsonObject = {}
    if metadata is not None:
        kept_metadata = _keep_object("metadata", metadata, None)
        kept_metadata = msgspec.json.decode(_encode("metadata", kept_metadata))
        kept_metadata.pop("tsushin", None)
    if lifted.bin or entry:
        kept_metadata["tsushin"] = {**(entry or {}), **({"bin": lifted.bin} if lifted.bin else {})}
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
    if entries is None:
        return data, buffers
    if not isinstance(entries, list):
        raise RemoteProtocolError(f"metadata.tsushin.bin: expected array, got {quote(entries)}")
    first = len(buffers)
    for number, entry in enumerate(entries):
        try:
            first = min(first, _restore_entry(data, entry, buffers))
        except ValueError as error:
            raise RemoteProtocolError(
                f"metadata.tsushin.bin[{number}]: {error} in {quote(entry)}"
            ) from error
    return data, buffers[:first]


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
        if not is_bytes(view):
            array = array_type(view)
            if array is None:
                raise TypeError(
                    f"{name(path)}: arrays of format {quote(view.format)} cannot travel"
                )
            entry = {"path": entry["path"], "buffer": entry["buffer"], "kind": "array", **array}
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
    if type(value) is not dict:
        if not isinstance(value, Mapping):
            raise TypeError(f"{root}: expected a JSON object (dict), got {type(value).__name__}")
        value = dict(value)
    kept: JsonObject = _keep_items(value, (), root, lifted)
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
        if type(key) is str and (type(item) in _SAFE or (type(item) is float and isfinite(item))):
            continue
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
    # In this order: isfinite overflows on an int that is too large.
    return min(value) >= -_MAX_INT // 2 and max(value) < _MAX_INT and all(map(isfinite, value))


def _keep_int(value: int, path: Path, root: str) -> int:
    if -_MAX_INT // 2 <= value < _MAX_INT:
        return value
    raise TypeError(
        f"{name(path, root)}: an int of {value.bit_length()} bits, JSON readers hold 64"
    )


def _keep_other(value: Any, path: Path, root: str, lifted: _Lifted | None) -> Any:
    for abstract, plain in _SUBCLASSES:
        if isinstance(value, abstract):
            return _keep(_as_plain(value, plain, name(path, root)), path, root, lifted)
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):  # datetime64 arrays, released views
        raise _cannot_carry(value, name(path, root)) from None
    if _is_numpy_scalar(value):
        if view.format != "?":
            raise _cannot_carry(value, name(path, root))
        return bool(value)
    if lifted is None:
        raise TypeError(f"{name(path, root)}: binary belongs into data or buffers")
    lifted.add(path, view)
    return None


# Any: one of _SUBCLASSES goes in, plain JSON comes out.
def _as_plain(value: Any, plain: Any, where: str) -> Any:
    try:
        kept = plain(value)
    except OverflowError:  # Fraction(10**400)
        raise _cannot_carry(value, where) from None
    # Fraction(1, 3), a long double: a float would be another number. NaN is refused by its own name.
    if plain is float and kept != value and isfinite(kept):
        raise _cannot_carry(value, where)
    return kept


def _is_numpy_scalar(value: object) -> bool:
    """Say whether ``value`` is one of NumPy's scalars and no array of no axes; bytes are bytes."""
    has_no_axis = getattr(value, "shape", None) == ()
    return has_no_axis and not hasattr(value, "__setitem__") and not isinstance(value, bytes)


def _cannot_carry(value: object, where: str) -> TypeError:
    return TypeError(f"{where}: JSON cannot carry {type(value).__name__}")


def _encode(root: str, value: JsonObject) -> msgspec.Raw:
    if not value:
        return _NOTHING
    try:
        return msgspec.Raw(_encoder.encode(value))
    except UnicodeEncodeError:
        where = _place_of_surrogate(value, (), root) or root
        raise TypeError(f"{where}: text with a lone surrogate cannot be UTF-8") from None


def _place_of_surrogate(value: object, path: Path, root: str) -> str | None:
    """Return the place of the first text that is no UTF-8; for a key, the place of its object."""
    if isinstance(value, str):
        return None if _is_utf8(value) else name(path, root)
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        if not all(map(_is_utf8, value)):
            return name(path, root)
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    places = (_place_of_surrogate(item, (*path, step), root) for step, item in items)
    return next(filter(None, places), None)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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


def _restore_entry(data: JsonObject, entry: object, buffers: tuple[memoryview, ...]) -> int:
    """Put one entry's value into ``data``; return the number of its buffer. ValueError: malformed."""
    if not isinstance(entry, dict):
        raise ValueError("expected an object")  # noqa: TRY004 (the peer's mistake, not the caller's)
    number, kind = entry.get("buffer"), entry.get("kind")
    if type(number) is not int or not 0 <= number < len(buffers):
        raise ValueError(f"buffer {quote(number)}: message has {len(buffers)}")
    if kind not in ("bytes", "array"):
        raise ValueError(f"kind: expected 'bytes' or 'array', got {quote(kind)}")
    place, step = _find_null(data, entry.get("path"))
    buffer = buffers[number]
    place[step] = buffer if kind == "bytes" else restore_array(buffer, entry)
    return number


# Any: an object or an array, with the key or position in it.
def _find_null(data: JsonObject, path: object) -> tuple[Any, Any]:
    if not isinstance(path, list) or not path:
        raise ValueError(f"path: expected an array of keys and positions, got {quote(path)}")
    place: Any = data
    for step in path[:-1]:
        place = _member(place, step)
    if _member(place, path[-1]) is not None:
        raise ValueError(f"path: {quote(path[-1])} is not null")
    return place, path[-1]


# Any: a JSON value.
def _member(place: Any, step: object) -> Any:
    if isinstance(place, dict):
        fits = isinstance(step, str) and step in place
    else:
        fits = isinstance(place, list) and type(step) is int and 0 <= step < len(place)
    if not fits:
        raise ValueError(f"path: nothing at {quote(step)}")
    return place[step]
