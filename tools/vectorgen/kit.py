"""Frames of the three carriers put together by hand, and the files of spec/vectors.

Only ``struct``, ``json`` and ``hmac`` are used, so that the codecs are checked against something that is not
themselves. Used by ``make_vectors.py`` and ``record_vectors.py``.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2] / "spec" / "vectors"
SOURCE = "tools/make_vectors.py"
KEY = "0123456789abcdef"
PARTS = ("header", "parent_header", "metadata", "content")
DELIMITER = b"<IDS|MSG>"

JsonObject = dict[str, Any]


def compact(value: object) -> bytes:
    """Encode JSON the canonical way of the README."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def header(msg_type: str, **extra: object) -> JsonObject:
    return {
        "msg_id": "m1",
        "msg_type": msg_type,
        "session": "s1",
        "username": "",
        "date": "2026-11-22T12:00:00+00:00",
        "version": "5.4",
        **extra,
    }


def comm_msg(data: object, *buffers: object, metadata: JsonObject | None = None) -> JsonObject:
    return {
        "channel": "shell",
        "header": header("comm_msg"),
        "parent_header": {},
        "metadata": metadata or {},
        "content": {"comm_id": "c1", "data": data},
        "buffers": list(buffers),
        "identities": [],
    }


def changed(message: JsonObject, **keys: object) -> JsonObject:
    """Return a deep copy of ``message`` with top-level ``keys`` replaced."""
    return {**copy.deepcopy(message), **keys}


def buffer_bytes(buffer: str | JsonObject) -> bytes:
    if isinstance(buffer, str):
        return bytes.fromhex(buffer)
    start = buffer["start"]
    return bytes.fromhex(buffer["memory"])[start : start + buffer["nbytes"]]


def buffers_of(message: JsonObject) -> list[bytes]:
    return [buffer_bytes(buffer) for buffer in message["buffers"]]


def json_parts(message: JsonObject) -> list[bytes]:
    return [compact(message[part]) for part in PARTS]


def sign(parts: list[bytes], key: str = KEY, scheme: str = "hmac-sha256") -> bytes:
    if not key:
        return b""
    digest = getattr(hashlib, scheme.removeprefix("hmac-"))
    return hmac.new(key.encode(), b"".join(parts), digest).hexdigest().encode()


# --- the three layouts -------------------------------------------------------------------------------


def zmq_frames(
    message: JsonObject,
    *,
    key: str = KEY,
    scheme: str = "hmac-sha256",
    parts: list[bytes] | None = None,
) -> list[bytes]:
    parts = json_parts(message) if parts is None else parts
    identities = [bytes.fromhex(identity) for identity in message["identities"]]
    return [*identities, DELIMITER, sign(parts, key, scheme), *parts, *buffers_of(message)]


def table(item: str, sizes: list[int], *, closing: bool) -> list[int]:
    """Return the offsets of parts of ``sizes``; with ``closing``, also where the last one ends."""
    width = struct.calcsize(item)
    offsets = [width * (1 + len(sizes) + closing)]
    for size in sizes if closing else sizes[:-1]:
        offsets.append(offsets[-1] + size)
    return offsets


def pack(item: str, count: int, offsets: list[int], *rest: bytes) -> bytes:
    order, kind = item
    return struct.pack(f"{order}{1 + len(offsets)}{kind}", count, *offsets) + b"".join(rest)


V1 = "<Q"
DEFAULT = ">I"


def v1_parts(message: JsonObject) -> list[bytes]:
    return [message["channel"].encode(), *json_parts(message), *buffers_of(message)]


def v1_frame(
    parts: list[bytes], offsets: list[int] | None = None, count: int | None = None
) -> bytes:
    offsets = table(V1, [len(part) for part in parts], closing=True) if offsets is None else offsets
    return pack(V1, len(offsets) if count is None else count, offsets, *parts)


def v1_offsets(parts: list[bytes]) -> list[int]:
    return table(V1, [len(part) for part in parts], closing=True)


def default_json(message: JsonObject, *, with_buffers: bool) -> JsonObject:
    value = {"channel": message["channel"]} | {part: message[part] for part in PARTS}
    return value | {"buffers": []} if with_buffers else value


def default_parts(message: JsonObject) -> list[bytes]:
    return [compact(default_json(message, with_buffers=False)), *buffers_of(message)]


def default_offsets(parts: list[bytes]) -> list[int]:
    return table(DEFAULT, [len(part) for part in parts], closing=False)


def default_frame(
    parts: list[bytes], offsets: list[int] | None = None, count: int | None = None
) -> bytes:
    offsets = default_offsets(parts) if offsets is None else offsets
    return pack(DEFAULT, len(offsets) if count is None else count, offsets, *parts)


# --- writing -----------------------------------------------------------------------------------------


def write(folder: Path, name: str, case: JsonObject) -> None:
    """Write one case; ``name`` is as "zmq/valid/no-buffers"."""
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(case, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def hexes(frames: list[bytes]) -> list[str]:
    return [frame.hex() for frame in frames]


def case(about: str, flags: str = "", source: str = SOURCE, **keys: object) -> JsonObject:
    return {"about": about, "source": source, "flags": flags.split(), **keys}
