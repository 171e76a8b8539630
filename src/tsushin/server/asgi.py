"""The little of HTTP that the endpoint needs, on top of ASGI: read a request, write a response.

Spec: ASGI 3.0, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

# Any: ASGI's own dicts, whose values depend on their "type".
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

MAX_BODY_BYTES: Final = 64 * 1024  # the longest body of the REST API names a kernel
_MAX_QUERY_FIELDS: Final = 32


class BadRequest(Exception):
    """The request cannot be understood; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, HTTP or WebSocket.

    Attributes:
        path: below the mount point; begins with "/".
        headers: name in lower case -> value; of repeated ones the last, those of ``subprotocols`` apart.
        subprotocols: as a WebSocket client offers them, in order; empty for HTTP.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def read_request(scope: Scope) -> Request:
    """Return the request in an ASGI scope, its path without the mount point."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root):
        path = path[len(root) :]
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    return Request(
        method=scope.get("method", "GET"),
        path=path or "/",
        query=_query(scope.get("query_string", b"")),
        headers=headers,
        subprotocols=tuple(scope.get("subprotocols", ())),
    )


async def read_json(receive: Receive) -> dict[str, Any]:  # Any: JSON
    """Read the body as a JSON object; an empty one is ``{}``.

    Raises:
        BadRequest: longer than ``MAX_BODY_BYTES``, or no JSON object.
    """
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest(f"body: expected at most {MAX_BODY_BYTES} bytes")
    try:
        value = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest("body: expected JSON") from error
    if not isinstance(value, dict):
        raise BadRequest("body: expected a JSON object")
    return value


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    """Return ``value`` as JSON; underscores in the names of ``headers`` become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, msgspec.json.encode(value), headers=named)


def error_response(status: int, message: str) -> Response:
    """Return an error as Jupyter Server writes it: ``{"message": …}``."""
    return json_response({"message": message, "reason": None}, status)


async def write_response(
    send: Send, response: Response, *, prefix: str = "http", with_body: bool = True
) -> None:
    """Send ``response``; ``prefix`` is "websocket.http" where it refuses a WebSocket handshake.

    A HEAD request is answered without the body, but with what its headers say about it.
    """
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        **response.headers,
    }
    if response.status == NO_CONTENT:
        del headers["content-type"], headers["content-length"]
    encoded = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]
    await send({"type": f"{prefix}.response.start", "status": response.status, "headers": encoded})
    await send({"type": f"{prefix}.response.body", "body": response.body if with_body else b""})


NO_CONTENT: Final = 204


def _query(raw: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError:
        return {}  # Too many fields: none of them can be what the endpoint looks for.
