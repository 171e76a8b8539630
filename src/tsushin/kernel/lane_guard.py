"""Who may have a lane: what is looked at in a visitor's handshake.

A page of another site can make a browser connect to any port of loopback, and another user of the machine can
connect to it as well. Neither knows a token, which is made for one session and one origin and opens once.

Spec: spec/profile.md, "Lane"; RFC 6455, 10.2 (origin).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from tsushin.wire.ws_v1 import TOKEN_SUBPROTOCOL

PATH: Final = "/lane"
TOKEN_S: Final = 30.0  # so long a token is good
MAX_TOKENS: Final = 1000  # that are waited for; then the oldest ones are not any more
_TOKEN_PREFIX: Final = f"{TOKEN_SUBPROTOCOL}."

# Status and text for who may not; None for who may.
Refusal = tuple[HTTPStatus, str] | None


@dataclass(frozen=True, slots=True)
class _Admission:
    session: str
    origin: str
    until: float


class LaneGuard:
    """Decides who may come in. Any thread may call.

    Args:
        is_live: says whether a session has said hello.
        clock: returns the time in seconds, from anywhere.

    Attributes:
        port: where the lanes are.
        secret: for the user's own server; good as long as this guard is.
    """

    def __init__(
        self, is_live: Callable[[str], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.port: int = 0
        self.secret: str = secrets.token_urlsafe(32)
        self._is_live = is_live
        self._clock = clock
        self._lock = threading.Lock()
        self._admitted: dict[str, _Admission] = {}

    def admit(self, session: str, origin: str) -> str:
        """Return a token that opens one lane of a session, from pages of this origin; "" is no page."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            stale = [t for t, one in self._admitted.items() if one.until < now]
            stale += list(self._admitted)[: len(self._admitted) - MAX_TOKENS]
            for old in stale:
                self._admitted.pop(old, None)
            self._admitted[token] = _Admission(session, origin, now + TOKEN_S)
        return token

    def meet(self, request: Request) -> tuple[str, Refusal]:
        """Return the session that a visitor names, and why it may not come in, if it may not."""
        parts = urlsplit(request.path)
        session = parse_qs(parts.query).get("session", [""])[-1]
        return session, self._refusal(request, parts.path, session)

    def _refusal(self, request: Request, path: str, session: str) -> Refusal:
        hosts = request.headers.get_all("Host")
        # A page whose name was made to point here (DNS rebinding) says that name.
        if len(hosts) != 1 or hosts[0].lower() not in {
            f"127.0.0.1:{self.port}",
            f"localhost:{self.port}",
        }:
            return HTTPStatus.FORBIDDEN, "Host: expected 127.0.0.1 or localhost, and the port\n"
        if path != PATH:
            return HTTPStatus.NOT_FOUND, f"path: expected {PATH}\n"
        origins = request.headers.get_all("Origin")
        if len(origins) > 1 or not self._is_let_in(request, session, (*origins, "")[0]):
            return HTTPStatus.FORBIDDEN, "token: expected one made for this session and origin\n"
        if not self._is_live(session):
            return HTTPStatus.FORBIDDEN, "session: it is not there\n"
        return None

    def _is_let_in(self, request: Request, session: str, origin: str) -> bool:
        given = [token.encode() for token in _tokens(request)]
        # Every token is compared, so that time tells nothing about which was right.
        is_server = [hmac.compare_digest(self.secret.encode(), one) for one in given]
        if any(is_server):
            return not origin  # a page never knows it
        with self._lock:
            found = [
                token
                for token in self._admitted
                for one in given
                if hmac.compare_digest(token.encode(), one)
            ]
            admitted = [self._admitted.pop(token) for token in found]  # right or wrong: only once
        return any(
            one.session == session and one.origin == origin and self._clock() <= one.until
            for one in admitted
        )


def _tokens(request: Request) -> list[str]:
    found = []
    for value in request.headers.get_all("Authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() in {"token", "bearer"}:
            found.append(token.strip())
    for offered in request.headers.get_all("Sec-WebSocket-Protocol"):
        names = (name.strip() for name in offered.split(","))
        found += [
            name.removeprefix(_TOKEN_PREFIX) for name in names if name.startswith(_TOKEN_PREFIX)
        ]
    return found
