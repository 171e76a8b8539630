"""Which arguments mean which kernel; what cannot be meant is said before anything starts."""

from __future__ import annotations

import pytest

from tsushin import ConnectFailed, connect
from tsushin.frontend.attach import EndpointKernel, FileKernel
from tsushin.frontend.launch import LaunchedKernel
from tsushin.frontend.server_kernel import ServerKernel


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"target": "python3", "connection_file": "x"}, "got both"),
        ({"target": "http://h", "kernel_id": "a", "kernel_name": "b"}, "got both"),
        ({"target": "ftp://h"}, "expected http, https, ws or wss, got ftp://"),
        ({"target": "python3", "token": "t"}, "token needs the URL of a server"),
        ({"connection_file": "x", "kernel_id": "a"}, "kernel_id needs the URL of a server"),
        ({"subprotocol": "v1"}, "subprotocol needs the URL of a server"),
    ],
)
def test_contradictions_are_refused_at_once(arguments, text):
    with pytest.raises(ValueError, match=text):
        connect(**arguments)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({}, LaunchedKernel),
        ({"target": "python3"}, LaunchedKernel),
        ({"connection_file": "kernel-1.json"}, FileKernel),
        ({"target": "http://127.0.0.1:8888/"}, ServerKernel),
        ({"target": "https://h/user/x", "kernel_id": "1"}, ServerKernel),
        ({"target": "ws://127.0.0.1:8888/"}, ServerKernel),
        ({"target": "wss://h/api/kernels/1/channels"}, EndpointKernel),
    ],
)
def test_what_arguments_mean(arguments, kind):
    assert type(connect(**arguments)._request.kernel("session")) is kind


def test_base_of_a_server_from_any_scheme():
    kernel = connect("wss://h:1/base/?token=t")._request.kernel("s")
    assert kernel._server.url == "https://h:1/base"
    assert kernel.token == "t"


def test_endpoint_keeps_its_query_but_not_the_token():
    kernel = connect("ws://h/api/kernels/1/channels?token=t&x=1")._request.kernel("s")
    assert kernel._url == "ws://h/api/kernels/1/channels?x=1&session_id=s"
    assert kernel.token == "t"
    assert "t&" not in kernel.about


async def test_time_is_bounded_and_named():
    with pytest.raises(TimeoutError, match=r"kernel 'python3': not connected within 0\.01 s"):
        await connect("python3", timeout=0.01)


async def test_awaiting_gives_the_frontend(shared_kernel):
    fe = await connect(connection_file=shared_kernel.connection_file)
    assert fe.is_alive
    await fe.aclose()
    assert not fe.is_alive


async def test_unreachable_server_is_a_connect_failure():
    with pytest.raises(ConnectFailed, match=r"GET http://127\.0\.0\.1:1/api/kernels"):
        await connect("http://127.0.0.1:1/")
