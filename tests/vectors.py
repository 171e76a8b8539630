"""The wire vectors of ``spec/vectors`` as values; the format is explained in its README."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message

ROOT = Path(__file__).resolve().parents[1] / "spec" / "vectors"
KINDS = {"uint8": "B", "uint16": "H", "float32": "f", "float64": "d"}


@dataclass(frozen=True)
class Vector:
    """One case; ``raw`` is the file as JSON."""

    path: Path
    raw: dict[str, Any]

    def __str__(self) -> str:
        return self.path.stem

    @property
    def flags(self) -> list[str]:
        return self.raw["flags"]

    @property
    def frames(self) -> list[bytes]:
        return [bytes.fromhex(frame) for frame in self.raw["frames"]]

    @property
    def frame(self) -> str | bytes:
        """The one WebSocket frame."""
        if "text" in self.raw:
            return self.raw["text"]
        [frame] = self.frames
        return frame

    @property
    def limits(self) -> Limits:
        return Limits(**self.raw.get("limits", {}))

    @property
    def message(self) -> Message:
        """The message, its buffers as the views that ``memory`` asks for."""
        raw = self.raw["message"]
        return Message(
            channel=raw["channel"],
            header=raw["header"],
            parent_header=raw["parent_header"],
            metadata=raw["metadata"],
            content=raw["content"],
            buffers=tuple(buffer_view(buffer) for buffer in raw["buffers"]),
            identities=tuple(bytes.fromhex(identity) for identity in raw["identities"]),
        )


def load(*folders: str) -> list[Vector]:
    """Return the cases of the folders, as "zmq/valid", in order of their names."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).glob("*.json"))]
    return [Vector(path, json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def buffer_view(buffer: str | dict[str, Any]) -> memoryview:
    if isinstance(buffer, str):
        return memoryview(bytes.fromhex(buffer))
    memory = memoryview(bytes.fromhex(buffer["memory"]))
    part = memory[buffer["start"] : buffer["start"] + buffer["nbytes"]]
    return part.cast(KINDS[buffer["kind"]])


def as_bytes(message: Message) -> tuple[object, ...]:
    """Return what equality of messages means: all fields, buffers as bytes."""
    return (
        message.channel,
        message.header,
        message.parent_header,
        message.metadata,
        message.content,
        [bytes(buffer) for buffer in message.buffers],
        message.identities,
    )


def error_as_json(error: Exception) -> dict[str, Any]:
    """Return an error the way vectors write it."""
    code = error.code
    if code == "limit_exceeded":
        return {"code": code, "limit": error.limit}
    return {"code": code, "part": error.part, "offset": error.offset}
