from __future__ import annotations

import json

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus

from endpoint_client import TOKEN_SUBPROTOCOL, Client
from tsushin.kernel.end import V1
from tsushin.kernel.process import ProcessKernel
from tsushin.server import asgi_app, serve
from tsushin.server.app import Endpoint
from tsushin.server.serving import Serving


def status_of(client, **handshake):
    with pytest.raises(InvalidStatus) as refused, client.socket(**handshake):
        pass
    response = refused.value.response
    return response.status_code, json.loads(response.body)["message"]


@pytest.mark.parametrize("path", ["api", "api/kernels", "api/kernelspecs", "api/status", "api/x"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_nothing_of_the_api_is_told_without_the_token(client, path, token):
    client.token = token
    assert client.ask(path)[0] == 403


@pytest.mark.parametrize("token", ["", "wrong"])
def test_no_websocket_without_the_token(client, token):
    client.token = token
    status, message = status_of(client)
    assert status == 403
    assert message == "token: it is missing or wrong"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80"])
def test_a_rebound_name_is_refused(client, host):
    assert client.ask("api/kernels", Host=host)[0] == 403
    assert client.ask("", Host=host)[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_pages_of_other_sites_are_refused(client, origin):
    assert client.ask("api/kernels", Origin=origin)[0] == 403
    assert status_of(client, Origin=origin)[0] == 403


def test_the_endpoints_own_pages_are_not(client):
    own = client.url.rstrip("/")
    assert client.ask("api/kernels", Origin=own)[0] == 200
    with client.socket(Origin=own) as socket:
        assert socket.ask("kernel_info_request")["status"] == "ok"


def test_an_unknown_kernel_is_refused_before_the_handshake(client):
    client.kernel_id = "other"
    assert status_of(client)[0] == 404


def test_the_token_may_come_in_the_query_or_as_a_subprotocol(client):
    token = client.token
    client.token = ""
    with client.socket(query=f"?token={token}&session_id=x") as socket:
        assert socket.ask("kernel_info_request")["status"] == "ok"
    with client.socket(
        subprotocols=[V1, TOKEN_SUBPROTOCOL, f"{TOKEN_SUBPROTOCOL}.{token}"]
    ) as socket:
        assert socket.websocket.subprotocol == V1
        assert socket.ask("kernel_info_request")["status"] == "ok"


def test_an_allowed_site_may_ask_and_read(kernel):
    app = "https://app.example"
    with serve(kernel.manager, block=False, allow_origins=[app]) as serving:
        client = Client.of(serving)
        _, headers, _ = client.ask("api/kernels", Origin=app)
        assert headers["Access-Control-Allow-Origin"] == app
        status, headers, _ = client.ask("api/kernels", method="OPTIONS", token="", Origin=app)
        assert status == 204
        assert "authorization" in headers["Access-Control-Allow-Headers"]


def test_head_says_what_get_would_without_the_body(client):
    _, get_headers, _ = client.ask("api/kernels")
    status, headers, body = client.ask("api/kernels", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == get_headers["Content-Length"]


def test_a_fault_of_ours_is_an_answer_and_a_log_entry(kernel, client, monkeypatch, caplog):
    monkeypatch.setattr(kernel, "spec", lambda: 1 / 0)
    status, _, error = client.ask("api/kernelspecs")
    assert status == 500
    assert "ZeroDivisionError" not in error["message"]
    assert "GET /api/kernelspecs failed" in caplog.text


@pytest.fixture
def mounted(kernel):
    """The endpoint below a prefix of a Starlette application, in uvicorn as its user would run it."""
    endpoint = asgi_app(kernel.manager, token="t")
    outer = Starlette(routes=[Mount("/comms", endpoint)])
    serving = Serving(endpoint, host="127.0.0.1", port=0)
    serving._server.config = uvicorn.Config(outer, log_config=None, ws="websockets-sansio")
    with serving:
        serving.start()
        yield Client(serving.url + "comms/", "t", kernel.kernel_id)


def test_it_works_below_a_prefix_without_a_lifespan(mounted):
    assert mounted.ask("api/kernels")[2][0]["id"] == mounted.kernel_id
    with mounted.socket() as socket:
        assert socket.ask("kernel_info_request")["status"] == "ok"


def test_an_app_makes_its_token_where_none_is_given():
    first, second = asgi_app(ProcessKernel().manager), asgi_app(ProcessKernel().manager)
    assert isinstance(first, Endpoint)
    assert len(first.token) >= 32
    assert first.token != second.token


async def test_a_lifespan_is_answered():
    sent = []
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return events.pop(0)

    async def send(event):
        sent.append(event["type"])

    await asgi_app(ProcessKernel().manager)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_where_a_server_cannot_carry_a_reason_the_handshake_is_just_refused():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(event):
        sent.append(event)

    scope = {"type": "websocket", "path": "/x", "headers": [(b"host", b"localhost")]}
    await asgi_app(ProcessKernel().manager)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
