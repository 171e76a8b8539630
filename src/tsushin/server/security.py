"""Who may talk to the endpoint: Host, Origin and token, in this order.

* **Host** defeats DNS rebinding: a page of ``evil.example`` whose name is made to point to 127.0.0.1
  still says so in its Host header. Addresses cannot be rebound and always pass; names must be known.
* **Origin** keeps other sites' pages out, WebSockets included (browsers do not ask there by themselves).
  Programs send none and pass.
* **Token**, compared in constant time: ``Authorization: token …`` or ``Bearer …``, ``?token=…``, or the
  subprotocol ``v1.token.websocket.jupyter.org.…`` (JEP 121), since pages cannot set headers on a WebSocket.

No refusal says what was expected.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

from tsushin.server.asgi import Request, Response, error_response
from tsushin.wire.ws_v1 import TOKEN_SUBPROTOCOL

_TOKEN_PREFIX: Final = TOKEN_SUBPROTOCOL + "."
_FORBIDDEN: Final = 403
ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The rules of one endpoint.

    Attributes:
        token: what a client must know; "" asks for none, where something in front decides.
        allow_origins: further origins, as "https://app.example"; "*" is any.
        allow_hosts: names this endpoint is reached by besides localhost; "*" is any.
    """

    token: str = field(repr=False)
    allow_origins: frozenset[str] = frozenset()
    allow_hosts: frozenset[str] = frozenset()

    def refusal(self, request: Request, *, needs_token: bool) -> Response | None:
        """Return the answer to a request that must not pass, or None."""
        if not self._is_host_known(request):
            return error_response(
                _FORBIDDEN, "Host: this name is not one of the endpoint's (allow_hosts)"
            )
        if not self.is_origin_allowed(request):
            return error_response(
                _FORBIDDEN, "Origin: pages of other sites are refused (allow_origins)"
            )
        if needs_token and not self._has_token(request):
            return error_response(_FORBIDDEN, "token: it is missing or wrong")
        return None

    def is_origin_allowed(self, request: Request) -> bool:
        """Say whether the page that asks, if it is one, may."""
        origin = request.headers.get("origin")
        if origin is None or not self.allow_origins.isdisjoint((origin, ANY)):
            return True
        return bool(origin) and _netloc(origin) == request.headers.get("host", "").lower()

    def cors_headers(self, request: Request) -> dict[str, str]:
        """Return what lets an allowed page of another site read the answer."""
        origin = request.headers.get("origin")
        if origin is None or self.allow_origins.isdisjoint((origin, ANY)):
            return {"vary": "Origin"}
        return {
            "vary": "Origin",
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-allow-headers": "authorization, content-type, x-xsrftoken",
        }

    def _is_host_known(self, request: Request) -> bool:
        name = _host_name(request.headers.get("host", ""))
        known = {"localhost", *self.allow_hosts}
        return ANY in known or name in known or _is_address(name)

    def _has_token(self, request: Request) -> bool:
        if not self.token:
            return True
        wanted = self.token.encode()
        # Every candidate is compared, so that time tells nothing about which was right.
        given = [hmac.compare_digest(wanted, text.encode()) for text in _tokens(request)]
        return any(given)


def _tokens(request: Request) -> Iterator[str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        yield value.strip()
    yield from request.query.get("token", ())
    for offered in request.subprotocols:
        if offered.startswith(_TOKEN_PREFIX):
            yield unquote(offered.removeprefix(_TOKEN_PREFIX))


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    """Return a Host header's name or address without port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
