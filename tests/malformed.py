"""Comm messages that no end may accept, as ``spec/vectors`` has them: for ends behind a real transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import vectors

GOOD = "c1"  # the id of the open comm in the vectors


@dataclass(frozen=True)
class Malformed:
    """One message; ``name`` is that of its vector."""

    name: str
    msg_type: str
    content: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    buffers: tuple[memoryview, ...] = ()


def malformed():
    """Return the messages: each field missing and mistyped, each malformed entry for binary."""
    return [*contents(), *binaries("comm_open"), *binaries("comm_msg")]


def contents():
    for vector in vectors.load("comm/invalid"):
        if vector.path.name.startswith(("comm-open-", "comm-msg-", "comm-close-")):
            _, step, _ = vector.raw["steps"]
            received = step["receive"]
            yield Malformed(str(vector), received["msg_type"], received["content"])


def binaries(msg_type):
    """The same malformed entries in a message of this type; an open is for target "t"."""
    for number, vector in enumerate(vectors.load("buffers/invalid")):
        if "sent" in vector.raw:
            sent = vector.raw["sent"]
            content = {"comm_id": GOOD, "data": sent["data"]}
            if msg_type == "comm_open":
                content |= {"comm_id": f"open {number}", "target_name": "t"}
            buffers = tuple(map(vectors.buffer_view, sent["buffers"]))
            yield Malformed(f"{msg_type} {vector}", msg_type, content, sent["metadata"], buffers)
