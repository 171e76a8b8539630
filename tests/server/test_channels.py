from __future__ import annotations

import logging
import threading

import pytest
from websockets.exceptions import ConnectionClosed

import vectors
from endpoint_client import TIMEOUT_S, TOKEN_SUBPROTOCOL, Client
from tsushin.kernel.end import V1
from tsushin.kernel.process import ProcessKernel
from tsushin.protocol.limits import Limits
from tsushin.server import serve
from tsushin.server.app import Endpoint
from tsushin.server.channels import choose_subprotocol
from tsushin.server.security import Guard
from tsushin.server.serving import Serving

TOKEN = f"{TOKEN_SUBPROTOCOL}.abc"
BUFFERS = [b"", bytes(range(256)) * 256, b"\x00\xff" * (5 << 19)]


def sendable(vector):
    """Whether a WebSocket can carry the case, under the default limits."""
    frame = vector.frame
    is_text = isinstance(frame, str)
    return "limits" not in vector.raw and not (
        is_text and any("\ud800" <= character <= "\udfff" for character in frame)
    )


INVALID = [
    pytest.param(subprotocols, vector, id=f"{folder}-{vector}")
    for folder, subprotocols in (("ws-v1", (V1,)), ("ws-default", ()))
    for vector in vectors.load(f"{folder}/invalid")
    if sendable(vector)
]


def drain(socket):
    while True:
        socket.websocket.recv(timeout=TIMEOUT_S)


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        ((), None),
        (("other",), None),
        ((V1,), V1),
        (("other", TOKEN, V1), V1),
        ((TOKEN, TOKEN_SUBPROTOCOL), TOKEN_SUBPROTOCOL),
        ((TOKEN,), TOKEN),
    ],
)
def test_an_offered_subprotocol_is_selected_or_none(offered, selected):
    assert choose_subprotocol(offered) == selected


@pytest.mark.parametrize("subprotocols", [(V1,), ()], ids=["v1", "default"])
def test_messages_metadata_and_buffers_pass_both_ways(kernel, client, subprotocols):
    @kernel.manager.register_target("echo")
    def echo(comm, msg):
        comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))

    with client.socket(subprotocols=subprotocols) as socket:
        socket.send("comm_open", {"comm_id": "1", "target_name": "echo", "data": {}})
        content = {"comm_id": "1", "data": {"é": [1, None, "\u0000"]}}
        socket.send("comm_msg", content, metadata={"m": 1}, buffers=BUFFERS)
        back = socket.until("comm_msg")
    assert (back.content, back.metadata) == (content, {"m": 1})
    assert [bytes(buffer) for buffer in back.buffers] == BUFFERS


@pytest.fixture(scope="module")
def lasting():
    """One endpoint for all malformed frames: whatever one of them broke, the next would meet."""
    with serve(ProcessKernel().manager, block=False) as serving:
        yield Client.of(serving)


@pytest.mark.parametrize(("subprotocols", "vector"), INVALID)
def test_a_malformed_frame_is_reported_and_later_messages_work(
    lasting, caplog, subprotocols, vector
):
    with (
        caplog.at_level(logging.WARNING, "tsushin"),
        lasting.socket(subprotocols=subprotocols) as s,
    ):
        s.websocket.send(vector.frame)
        assert s.ask("kernel_info_request")["status"] == "ok"
    # Where the JSON parser decides, accepting the message is right too; an unknown kind is reported then.
    assert len(caplog.records) == 1 or "json-parser" in vector.flags


def test_text_under_the_binary_subprotocol_is_reported(client, caplog):
    with caplog.at_level(logging.WARNING, "tsushin"), client.socket() as socket:
        socket.websocket.send("{}")
        assert socket.ask("kernel_info_request")["status"] == "ok"
    assert "expected binary, got text" in caplog.text


def test_a_message_above_the_limit_is_reported_and_the_connection_goes_on(kernel, caplog):
    limits = Limits(max_message_bytes=4096)
    with (
        caplog.at_level(logging.WARNING, "tsushin"),
        serve(kernel.manager, block=False, limits=limits) as serving,
        Client.of(serving).socket() as socket,
    ):
        socket.send("comm_msg", {"comm_id": "1", "data": {}}, buffers=[b"x" * 5000])
        assert socket.ask("kernel_info_request")["status"] == "ok"
    assert "max_message_bytes is 4096 bytes" in caplog.text


def test_a_page_that_does_not_read_is_disconnected_and_holds_nobody_up(kernel):
    endpoint = Endpoint(kernel, Guard(token="t"), max_queued_bytes=1 << 20)
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        client = Client.of(serving)
        with client.socket() as reader, client.socket() as sleeper:
            for socket in (reader, sleeper):
                socket.ask("kernel_info_request")
            comm = kernel.manager.new_comm("page")
            # The client library reads a few frames ahead, and TCP holds some more; then it is full.
            for i in range(1000):
                comm.send({"i": i}, buffers=[bytes(100_000)])
                assert reader.until("comm_msg").content["data"] == {"i": i}
            with pytest.raises(ConnectionClosed):
                drain(sleeper)
            assert reader.ask("kernel_info_request")["status"] == "ok"


def test_a_page_that_vanishes_leaves_the_others_alone(kernel, client):
    with client.socket() as stays:
        with client.socket() as goes:
            goes.ask("kernel_info_request")
            goes.websocket.socket.close()
        kernel.manager.new_comm("page", {"x": 1})
        assert stays.until("comm_open").content["data"] == {"x": 1}


def test_what_other_threads_send_arrives_in_the_order_they_sent_it(kernel, client):
    with client.socket() as socket:
        socket.ask("kernel_info_request")

        def open_and_send(name):
            comm = kernel.manager.new_comm(name)
            for i in range(200):
                comm.send({"i": i})
            comm.close()

        threads = [threading.Thread(target=open_and_send, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        received = [socket.receive() for _ in range(3 * 202)]
    targets = {
        m.content["comm_id"]: m.content["target_name"]
        for m in received
        if "target_name" in m.content
    }
    for comm_id in targets:
        own = [m for m in received if m.content["comm_id"] == comm_id]
        assert [m.msg_type for m in own] == ["comm_open", *["comm_msg"] * 200, "comm_close"]
        assert [m.content["data"]["i"] for m in own[1:-1]] == list(range(200))
