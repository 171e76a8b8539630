"""Who may have a lane, by what is in a handshake: the guard alone, with a clock in the test's hands."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from tsushin.kernel.lane_guard import MAX_TOKENS, TOKEN_S, LaneGuard
from tsushin.testing.runtimes import Clock

PORT = 4321
PAGE = "http://localhost:8888"
FORBIDDEN = HTTPStatus.FORBIDDEN


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guard(clock):
    guard = LaneGuard({"s", "other"}.__contains__, clock)
    guard.port = PORT
    return guard


def request(token=None, *, path="/lane?session=s", host=f"127.0.0.1:{PORT}", origin=None, more=()):
    headers = Headers()
    if host is not None:
        headers["Host"] = host
    if origin is not None:
        headers["Origin"] = origin
    if token is not None:
        headers["Authorization"] = f"token {token}"
    for name, value in more:
        headers[name] = value
    return Request(path, headers)


def refused(guard, *arguments, **options):
    """Return the status of a refusal; None for who may come in."""
    _, refusal = guard.meet(request(*arguments, **options))
    return None if refusal is None else refusal[0]


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LocalHost:{PORT}"])
def test_who_has_a_token_for_its_session_comes_in(guard, host):
    session, refusal = guard.meet(request(guard.admit("s", ""), host=host))
    assert (session, refusal) == ("s", None)


def test_a_page_shows_its_token_as_a_subprotocol(guard):
    token = guard.admit("s", PAGE)
    offered = f"v1.kernel.websocket.jupyter.org, v1.token.websocket.jupyter.org.{token}"
    assert refused(guard, origin=PAGE, more=[("Sec-WebSocket-Protocol", offered)]) is None


def test_a_token_opens_once(guard):
    token = guard.admit("s", "")
    assert refused(guard, token) is None
    assert refused(guard, token) == FORBIDDEN


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/lane?session=other"},
        {"origin": PAGE},
        {"path": "/lane"},
        {"path": "/lane?session="},
        {"path": "/lane?session=s&session=other"},
    ],
    ids=["another session", "an origin", "no session", "empty session", "two sessions"],
)
def test_a_token_shown_the_wrong_way_is_used_up(guard, wrong):
    token = guard.admit("s", "")
    assert refused(guard, token, **wrong) == FORBIDDEN
    assert refused(guard, token) == FORBIDDEN


@pytest.mark.parametrize(
    "origin", [None, "", "null", "http://evil.example", f"{PAGE}/", "http://localhost:8889"]
)
def test_a_pages_token_is_good_for_its_origin_only(guard, origin):
    assert refused(guard, guard.admit("s", PAGE), origin=origin) == FORBIDDEN


def test_two_origins_are_none(guard):
    token = guard.admit("s", PAGE)
    assert refused(guard, token, origin=PAGE, more=[("Origin", PAGE)]) == FORBIDDEN


def test_a_token_is_good_for_half_a_minute(guard, clock):
    early, late = guard.admit("s", ""), guard.admit("s", "")
    clock.advance(TOKEN_S)
    assert refused(guard, early) is None
    clock.advance(0.001)
    assert refused(guard, late) == FORBIDDEN


@pytest.mark.parametrize("token", [None, "", "guessed", "x" * 10_000, "é"])
def test_without_a_token_or_with_a_wrong_one_nobody_comes_in(guard, token):
    guard.admit("s", "")
    assert refused(guard, token) == FORBIDDEN


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "evil.example:4321",
        "127.0.0.1:80",
        "localhost.evil.example:4321",
        "[::1]:4321",
    ],
)
def test_another_host_is_refused_and_the_token_not_looked_at(guard, host):
    token = guard.admit("s", "")
    assert refused(guard, token, host=host) == FORBIDDEN
    assert refused(guard, token) is None


def test_two_hosts_are_refused(guard):
    token = guard.admit("s", "")
    assert refused(guard, token, more=[("Host", "evil.example")]) == FORBIDDEN


@pytest.mark.parametrize("path", ["/", "/lanes?session=s", "/lane/?session=s", "/api/kernels", "*"])
def test_another_path_is_not_there(guard, path):
    assert refused(guard, guard.admit("s", ""), path=path) == HTTPStatus.NOT_FOUND


def test_a_session_that_has_said_no_hello_is_refused(guard):
    assert refused(guard, guard.admit("gone", ""), path="/lane?session=gone") == FORBIDDEN
    assert refused(guard, guard.secret, path="/lane?session=gone") == FORBIDDEN


def test_the_servers_secret_opens_any_sessions_lane_again_and_again(guard):
    for session in ("s", "other", "s"):
        assert refused(guard, guard.secret, path=f"/lane?session={session}") is None


def test_a_page_that_knows_the_servers_secret_is_refused(guard):
    assert refused(guard, guard.secret, origin=PAGE) == FORBIDDEN
    offered = f"v1.token.websocket.jupyter.org.{guard.secret}"
    assert refused(guard, origin=PAGE, more=[("Sec-WebSocket-Protocol", offered)]) == FORBIDDEN


def test_tokens_and_secrets_cannot_be_guessed(guard):
    tokens = {guard.admit("s", "") for _ in range(100)} | {guard.secret}
    assert len(tokens) == 101
    assert all(len(token) >= 43 for token in tokens)  # 256 bits
    assert LaneGuard(bool).secret != guard.secret


def test_so_many_tokens_are_waited_for_and_stale_ones_forgotten(guard, clock):
    first = guard.admit("s", "")
    for _ in range(2 * MAX_TOKENS):
        last = guard.admit("s", "")
    assert len(guard._admitted) <= MAX_TOKENS + 1
    assert refused(guard, first) == FORBIDDEN
    assert refused(guard, last) is None
    clock.advance(TOKEN_S + 1)
    guard.admit("s", "")
    assert len(guard._admitted) == 1
