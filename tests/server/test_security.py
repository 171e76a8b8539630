from __future__ import annotations

import pytest

from tsushin.server.asgi import Request
from tsushin.server.security import Guard

TOKEN = "s3cret/+"


def request(*, query=None, subprotocols=(), **headers):
    named = {"host": "127.0.0.1:8888", **headers}
    return Request("GET", "/api", query or {}, named, subprotocols)


def refused(request, *, needs_token=True, **rules):
    return Guard(token=TOKEN, **rules).refusal(request, needs_token=needs_token) is not None


@pytest.mark.parametrize(
    "given",
    [
        {"authorization": f"token {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer   {TOKEN}"},
        {"query": {"token": ["wrong", TOKEN]}},
        {"subprotocols": ("a", f"v1.token.websocket.jupyter.org.{TOKEN}")},
        {"subprotocols": ("v1.token.websocket.jupyter.org.s3cret%2F%2B",)},
    ],
)
def test_the_token_may_come_in_each_of_its_places(given):
    assert not refused(request(**given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"authorization": "token"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"token {TOKEN}x"},
        {"authorization": "token \xff"},
        {"query": {"token": [""]}},
        {"subprotocols": ("v1.token.websocket.jupyter.org",)},
        {"subprotocols": ("v1.token.websocket.jupyter.org.",)},
    ],
)
def test_a_missing_or_wrong_token_is_refused(given):
    assert refused(request(**given))


def test_an_empty_token_asks_for_none():
    assert Guard(token="").refusal(request(), needs_token=True) is None


def test_what_needs_no_token_passes_without():
    assert not refused(request(), needs_token=False)


@pytest.mark.parametrize(
    "host",
    ["localhost:1", "LocalHost", "127.0.0.1:80", "[::1]:8888", "192.168.1.7", "comms.example"],
)
def test_known_names_and_addresses_pass(host):
    known = frozenset({"comms.example"})
    assert not refused(request(host=host), needs_token=False, allow_hosts=known)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8888", "127.0.0.1.evil.example", "localhost.evil.example", "["],
)  # fmt: skip
def test_a_rebound_name_is_refused_even_with_the_token(host):
    assert refused(request(host=host, authorization=f"token {TOKEN}"))


def test_any_host_can_be_allowed():
    assert not refused(request(host="x.example"), needs_token=False, allow_hosts=frozenset("*"))


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8888", "https://app.example"])
def test_own_and_allowed_origins_pass(origin):
    allowed = frozenset({"https://app.example"})
    assert not refused(request(origin=origin), needs_token=False, allow_origins=allowed)


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:9999", "http://127.0.0.1", "null", "", "http://[", "https://app.example.evil.example"],
)  # fmt: skip
def test_a_foreign_origin_is_refused_even_with_the_token(origin):
    allowed = frozenset({"https://app.example"})
    given = request(origin=origin, authorization=f"token {TOKEN}")
    assert refused(given, allow_origins=allowed)


def test_only_an_allowed_foreign_origin_may_read_answers():
    guard = Guard(token=TOKEN, allow_origins=frozenset({"https://app.example"}))
    allowed = guard.cors_headers(request(origin="https://app.example"))
    own = guard.cors_headers(request(origin="http://127.0.0.1:8888"))
    assert allowed["access-control-allow-origin"] == "https://app.example"
    assert own == {"vary": "Origin"}


def test_no_refusal_and_no_repr_holds_the_token():
    guard = Guard(token=TOKEN)
    refusals = [
        guard.refusal(request(**given), needs_token=True)
        for given in ({}, {"host": "evil.example"}, {"origin": "http://evil.example"})
    ]
    assert all(refusal.status == 403 for refusal in refusals)
    assert TOKEN not in repr((guard, refusals))
