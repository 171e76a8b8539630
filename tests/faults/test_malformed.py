"""A kernel that sends garbage to a Python frontend, and a page that sends it to a plain process.

Each piece is reported once, opens and closes nothing, and the messages after it arrive.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import pytest
import zmq
from msgspec.structs import replace
from websockets.asyncio.server import serve as serve_websocket

from endpoint_client import Client
from frontend.messages import message
from malformed import GOOD, binaries, malformed
from transports.zmq_kernel import ZmqKernel
from tsushin import connect, serve
from tsushin.kernel.end import V1
from tsushin.kernel.process import ProcessKernel
from tsushin.transports.websocket import WebSocketTransport

WAIT_S = 10


@asynccontextmanager
async def zmq_link(folder):
    kernel = ZmqKernel(iopub=zmq.XPUB)
    file = folder / "kernel.json"
    file.write_text(json.dumps(kernel.info))
    async with connect(connection_file=file) as fe:
        yield kernel, fe
    await kernel.aclose()


@asynccontextmanager
async def websocket_link(subprotocol):
    connected, is_over = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def handle(connection):
        connected.set_result(WebSocketTransport(connection, subprotocol))
        await is_over.wait()

    def select(connection, offered):
        return V1 if offered else None

    # No bound on what waits unread: the test reads only what it asks for.
    options = {"select_subprotocol": select, "max_queue": None}
    async with serve_websocket(handle, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}/api/kernels/1/channels"
        async with connect(url, subprotocol=subprotocol) as fe:
            yield await connected, fe
        is_over.set()


@pytest.fixture(params=["zmq", "v1", "default"])
async def ends(request, tmp_path):
    """The kernel's side, driven by the test, and the frontend."""
    is_zmq = request.param == "zmq"
    async with zmq_link(tmp_path) if is_zmq else websocket_link(request.param) as ends:
        yield ends


@pytest.fixture
async def comm(ends):
    """A comm that the kernel's side has opened."""
    kernel, fe = ends
    opened = fe.expect_open("good", WAIT_S)
    kernel.send(message("comm_open", {"comm_id": GOOD, "target_name": "good", "data": {}}))
    return await opened


@pytest.fixture
def works(ends, comm):
    """Check that the next message of the good comm arrives."""

    async def works(n):
        ends[0].send(message("comm_msg", {"comm_id": GOOD, "data": {"n": n}}))
        assert (await comm.expect_msg(WAIT_S))["content"]["data"] == {"n": n}

    return works


def sent(bad):
    return replace(
        message(bad.msg_type, bad.content), metadata=bad.metadata, buffers=tuple(bad.buffers)
    )


async def test_garbage_of_a_kernel_is_reported_once_and_the_comm_works_on(
    ends, comm, works, caplog
):
    kernel, fe = ends
    opened = []
    fe.comm_manager.register_target("t", lambda comm, msg: opened.append(msg))
    for n, bad in enumerate(malformed()):
        kernel.send(sent(bad))
        await works(n)
        assert len(caplog.records) == 1, bad.name
        caplog.clear()
    assert n > 100
    assert (opened, list(fe.comm_manager.comms), comm.closed) == ([], [GOOD], False)


async def test_close_with_malformed_binary_closes_once_and_is_reported(ends, comm, caplog):
    kernel, fe = ends
    closes, later = [], fe.expect_open("later", WAIT_S)
    comm.on_close(closes.append)
    bad = next(binaries("comm_close"))
    kernel.send(replace(sent(bad), content={"comm_id": GOOD}))
    kernel.send(message("comm_open", {"comm_id": "c2", "target_name": "later", "data": {}}))
    await later
    assert [msg["content"]["data"] for msg in closes] == [{}]
    assert (comm.closed_by, len(caplog.records)) == ("there", 1)


async def test_second_open_of_a_live_id_is_reported_and_answered_by_nothing(
    ends, comm, works, caplog
):
    kernel, fe = ends
    fe.comm_manager.register_target("good", lambda comm, msg: None)
    kernel.send(message("comm_open", {"comm_id": GOOD, "target_name": "good", "data": {}}))
    await works(1)
    assert fe.comm_manager.get_comm(GOOD) is comm
    assert len(caplog.records) == 1
    comm.send({"first": "word"})
    asked = ("kernel_info_request", "comm_info_request")
    while (told := await kernel.receive()).msg_type in asked:
        pass
    assert told.msg_type == "comm_msg"


@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
async def test_close_on_another_channel_counts(ends, comm, channel):
    kernel, fe = ends
    is_closed = asyncio.Event()
    comm.on_close(lambda msg: is_closed.set())
    comm.send({})  # over ZMQ the kernel learns from it whom to answer
    while (await kernel.receive()).msg_type != "comm_msg":
        pass
    kernel.send(message("comm_close", {"comm_id": GOOD, "data": {}}, channel=channel))
    await asyncio.wait_for(is_closed.wait(), WAIT_S)
    assert fe.is_alive


@pytest.mark.parametrize("bad", [None, 7, [], {}, True], ids=repr)
async def test_odd_values_around_a_message_harm_nobody(ends, works, caplog, bad):
    kernel, fe = ends
    kernel.send(message("status", {"execution_state": bad}))
    kernel.send(replace(message("iopub_welcome"), parent_header={"msg_id": bad}))
    for around in ({"metadata": {"tsushin": bad}}, {"parent_header": {"msg_id": bad}}):
        kernel.send(replace(message("comm_msg", {"comm_id": "other", "data": {}}), **around))
    await works(1)
    assert (fe.is_alive, caplog.records) == (True, [])


@pytest.mark.parametrize("subprotocols", [(V1,), ()], ids=["v1", "default"])
def test_garbage_of_a_page_is_reported_once_and_the_comm_works_on(subprotocols, caplog):
    manager = ProcessKernel().manager
    opened = []

    @manager.register_target("t")
    def target(comm, msg):
        opened.append(comm.comm_id)
        comm.on_msg(lambda m: comm.send(m["content"]["data"]))

    caplog.set_level(logging.WARNING, "tsushin")
    with (
        serve(manager, block=False) as serving,
        Client.of(serving).socket(subprotocols=subprotocols) as page,
    ):
        page.send("comm_open", {"comm_id": GOOD, "target_name": "t", "data": {}})
        for n, bad in enumerate(malformed()):
            page.send(bad.msg_type, bad.content, metadata=bad.metadata, buffers=bad.buffers)
            page.send("comm_msg", {"comm_id": GOOD, "data": {"n": n}})
            assert page.until("comm_msg").content["data"] == {"n": n}
            assert len(caplog.records) == 1, bad.name
            caplog.clear()
        assert page.ask("comm_info_request")["comms"] == {GOOD: {"target_name": "t"}}
    assert opened == [GOOD]
