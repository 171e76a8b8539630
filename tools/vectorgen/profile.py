"""What an entry in ``metadata.tsushin`` says a ``comm_msg`` is: a request, an answer, or neither."""

from __future__ import annotations

from collections.abc import Iterator

from vectorgen.kit import JsonObject as Json
from vectorgen.kit import case

SOURCE = "tools/make_comm_vectors.py"

ASKED = {"req": "r1", "name": "bbox"}
ANSWERED = {"re": "r1", "ok": True}
ERROR = {"name": "KeyError", "message": "'a'"}
FAILED = {"re": "r1", "error": ERROR}


def valid() -> dict[str, tuple[str, Json, Json, Json | None]]:
    """Return name -> (about, entry, data, what it is)."""
    failed = {"type": "failed", "re": "r1", **ERROR, "traceback": ""}
    return {
        "request": ("A request.", ASKED, {"a": 1}, {"type": "asked", **ASKED, "stream": 0}),
        "request-stream": (
            "A request whose answer may come in parts.",
            {**ASKED, "stream": 16},
            {},
            {"type": "asked", **ASKED, "stream": 16},
        ),
        "part": (
            "A part of an answer.",
            {"re": "r1", "part": 2},
            {"value": [1]},
            {"type": "part", "re": "r1", "part": 2, "value": [1]},
        ),
        "request-unicode": (
            "Names are any text.",
            {"req": "r1", "name": "範囲"},
            {},
            {"type": "asked", "req": "r1", "name": "範囲", "stream": 0},
        ),
        "request-unknown-keys": (
            "Keys of later versions are passed over.",
            {**ASKED, "later": [1]},
            {},
            {"type": "asked", **ASKED, "stream": 0},
        ),
        "answer": (
            "An answer has its value in the data.",
            ANSWERED,
            {"value": [1, None]},
            {"type": "answered", "re": "r1", "value": [1, None]},
        ),
        "answer-nothing": (
            "An answer without a value answers null.",
            ANSWERED,
            {},
            {"type": "answered", "re": "r1", "value": None},
        ),
        "error": ("The function raised.", FAILED, {}, failed),
        "error-traceback": (
            "The error may come with its traceback.",
            {"re": "r1", "error": {**ERROR, "traceback": "line"}},
            {},
            {**failed, "traceback": "line"},
        ),
        "no-handler": (
            "Nobody here answers such requests.",
            {"re": "r1", "error": {"name": "no_handler", "message": "none"}},
            {},
            {**failed, "name": "no_handler", "message": "none"},
        ),
        "plain": ("A message for on_msg.", {}, {"a": 1}, None),
        "only-binary": ("Binary in the data alone makes no request.", {"bin": []}, {}, None),
    }


def invalid() -> dict[str, tuple[str, Json, str]]:
    """Return name -> (about, entry, what the error's text begins with)."""
    return {
        "req-number": (
            "An id is text.",
            {**ASKED, "req": 1},
            "metadata.tsushin.req: expected text",
        ),
        "no-name": ("A request has a name.", {"req": "r1"}, "metadata.tsushin.name: expected text"),
        "re-null": (
            "An id is text.",
            {**ANSWERED, "re": None},
            "metadata.tsushin.re: expected text",
        ),
        "neither-ok-nor-error": (
            "An answer says how it went.",
            {"re": "r1"},
            "metadata.tsushin.ok: expected true",
        ),
        "ok-false": (
            "What went wrong has an error.",
            {"re": "r1", "ok": False},
            "metadata.tsushin.ok: expected true",
        ),
        "error-text": (
            "An error is an object.",
            {"re": "r1", "error": "KeyError"},
            "metadata.tsushin.error: expected object",
        ),
        "error-no-message": (
            "An error says what happened.",
            {"re": "r1", "error": {"name": "KeyError"}},
            "metadata.tsushin.message: expected text",
        ),
        "stream-zero": (
            "A window is a count.",
            {**ASKED, "stream": 0},
            "metadata.tsushin.stream: expected a count",
        ),
        "part-text": (
            "A part has a number.",
            {"re": "r1", "part": "2"},
            "metadata.tsushin.part: expected a count",
        ),
        "traceback-list": (
            "A traceback is text.",
            {"re": "r1", "error": {**ERROR, "traceback": ["line"]}},
            "metadata.tsushin.traceback: expected text",
        ),
    }


def all_cases() -> Iterator[tuple[str, Json]]:
    """Yield the path and content of every case."""
    for name, (about, entry, data, meaning) in valid().items():
        given = {"metadata": {"tsushin": entry}, "data": data}
        yield f"profile/valid/{name}", {**case(about, "", SOURCE), **given, "is": meaning}
    for name, (about, entry, begin) in invalid().items():
        given = {"metadata": {"tsushin": entry}, "data": {}}
        error = {"code": "remote_protocol_error", "begins": begin}
        yield f"profile/invalid/{name}", {**case(about, "", SOURCE), **given, "error": error}
