"""Requests and answers as they travel: ordinary comm messages with an entry in ``metadata.tsushin``.

A request is ``{req, name}``, its answer ``{re, ok}`` with the value in ``data.value``, or ``{re, error}``.
With ``stream`` in the request the answer may come in parts, ``{re, part}``, before that. A plain peer sees
comm messages like any other.

Spec: spec/profile.md, "Requests" and "Streams". Vectors: spec/vectors/profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.messages import JsonObject, Message

NO_HANDLER: Final = "no_handler"
MAX_TEXT: Final = 64 * 1024  # characters of an error's texts; a traceback is cut there


@dataclass(frozen=True, slots=True)
class Asked:
    """The peer asks for ``name`` and waits for an answer with its id.

    Attributes:
        stream: how many parts it takes ahead of what it has read; 0 where it takes one answer.
    """

    req: str
    name: str
    stream: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """The peer answers a request with ``value``."""

    re: str
    value: object


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an answer; ``part`` counts from 1."""

    re: str
    part: int
    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer could not answer.

    Attributes:
        name: class name of its exception, or ``NO_HANDLER``.
        message: the exception's text.
        traceback: as text, or "".
    """

    re: str
    name: str
    message: str
    traceback: str = ""


def request_entry(asked: Asked) -> JsonObject:
    """Return what belongs into ``metadata.tsushin`` of a request."""
    window = {"stream": asked.stream} if asked.stream else {}
    return {"req": asked.req, "name": asked.name, **window}


def answer_entry(re: str) -> JsonObject:
    """Return what belongs into ``metadata.tsushin`` of an answer; its value goes into the data."""
    return {"re": re, "ok": True}


def part_entry(re: str, part: int) -> JsonObject:
    """Return what belongs into ``metadata.tsushin`` of a part; its value goes into the data."""
    return {"re": re, "part": part}


def failure_entry(failed: Failed) -> JsonObject:
    """Return what belongs into ``metadata.tsushin`` of an answer without a value."""
    error: JsonObject = {"name": failed.name, "message": failed.message[:MAX_TEXT]}
    if failed.traceback:
        error["traceback"] = failed.traceback[-MAX_TEXT:]
    return {"re": failed.re, "error": error}


def read(message: Message) -> Asked | Answered | Part | Failed | None:
    """Say what a ``comm_msg`` is besides; None for one that is neither request nor answer.

    Raises:
        RemoteProtocolError: it says that it is one, and is malformed.
    """
    ours = message.metadata.get("tsushin")
    if not isinstance(ours, dict):
        return None
    if "req" in ours:
        window = _count(ours, "stream") if "stream" in ours else 0
        return Asked(_text(ours, "req"), _text(ours, "name"), window)
    if "re" not in ours:
        return None
    re = _text(ours, "re")
    if "error" in ours:
        error = ours["error"]
        if not isinstance(error, dict):
            raise _fault("error", "object", error)
        traceback = _text(error, "traceback") if "traceback" in error else ""
        return Failed(re, _text(error, "name"), _text(error, "message"), traceback)
    if "part" in ours:
        return Part(re, _count(ours, "part"), message.content["data"].get("value"))
    if ours.get("ok") is not True:
        raise _fault("ok", "true", ours.get("ok"))
    return Answered(re, message.content["data"].get("value"))


def _count(holder: JsonObject, key: str) -> int:
    value = holder.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _fault(key, "a count", value)
    return value


def _text(holder: JsonObject, key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str):
        raise _fault(key, "text", value)
    return value


def _fault(key: str, expected: str, got: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"metadata.tsushin.{key}: expected {expected}, got {quote(got)}")
