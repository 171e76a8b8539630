"""What pieces come to: a message, nothing yet, or a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator

from vectorgen.kit import JsonObject as Json
from vectorgen.kit import case

SOURCE = "tools/make_comm_vectors.py"

REST = {
    "parent_header": {"msg_id": "p"},
    "metadata": {},
    "content": {"comm_id": "c", "data": {"n": 1}},
}
HEAD = json.dumps(REST, separators=(",", ":")).encode()
SIZES = [len(HEAD), 4, 0]
WHOLE = {**REST, "buffers": ["01020304", ""]}

Piece = tuple[Json, list[bytes]]


def valid() -> dict[str, tuple[str, list[Piece], list[Json]]]:
    """Return name -> (about, pieces, the messages they come to)."""
    first: Piece = ({"sizes": SIZES}, [HEAD[:10]])
    rest: Piece = ({}, [HEAD[10:], b"\1\2"])
    last: Piece = ({}, [b"\3\4"])
    return {
        "three": ("Bytes are cut anywhere.", [first, rest, last], [WHOLE]),
        "one": ("One piece may be all.", [({"sizes": SIZES}, [HEAD, b"\1\2\3\4"])], [WHOLE]),
        "incomplete": ("The last piece is not here yet.", [first, rest], []),
        "dropped": ("No more of it comes.", [first, rest, ({"dropped": True}, []), last], []),
        "no-beginning": ("Its beginning is missing for good.", [rest, last], []),
        "anew": (
            "Another message begins before the end of one.",
            [first, first, rest, last],
            [WHOLE],
        ),
    }


def invalid() -> dict[str, tuple[str, list[Piece]]]:
    """Return name -> (about, pieces of which the last is a fault)."""
    return {
        "sizes-text": ("Sizes are counts.", [({"sizes": "3"}, [])]),
        "sizes-none": ("The JSON has a size.", [({"sizes": []}, [])]),
        "sizes-negative": ("Sizes are counts.", [({"sizes": [-1]}, [])]),
        "too-large": ("A message has at most 2 GiB.", [({"sizes": [10, 1 << 40]}, [])]),
        "json-too-large": ("Its JSON has at most 64 MiB.", [({"sizes": [1 << 27]}, [])]),
        "too-much": ("There are more bytes than it has.", [({"sizes": [2]}, [b"{}}"])]),
        "no-json": ("What is no JSON is no message.", [({"sizes": [2]}, [b"{]"])]),
        "no-content": ("A message has content.", [({"sizes": [2]}, [b"{}"])]),
    }


def all_cases() -> Iterator[tuple[str, Json]]:
    """Yield the path and content of every case."""
    for name, (about, pieces, whole) in valid().items():
        given = {"pieces": _listed(pieces), "messages": whole}
        yield f"pieces/valid/{name}", {**case(about, "", SOURCE), **given}
    for name, (about, pieces) in invalid().items():
        given = {"pieces": _listed(pieces), "error": {"code": "remote_protocol_error"}}
        yield f"pieces/invalid/{name}", {**case(about, "", SOURCE), **given}


def _listed(pieces: list[Piece]) -> list[Json]:
    return [{"piece": piece, "buffers": [b.hex() for b in buffers]} for piece, buffers in pieces]
