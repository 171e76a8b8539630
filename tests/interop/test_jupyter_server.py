"""Both documented flows through a real Jupyter Server to a real kernel, in both WebSocket subprotocols."""

from __future__ import annotations

import asyncio

import pytest

from flows import PYTHON, frontend_opens, kernel_opens, the_other_end_closes
from tsushin import connect
from tsushin.frontend.rest import Server

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def kernel_id(server):
    return asyncio.run(Server(server.url, token=server.token).start("python3"))


@pytest.fixture(params=["v1", "default"])
async def fe(server, kernel_id, request):
    async with connect(
        server.url, token=server.token, kernel_id=kernel_id, subprotocol=request.param
    ) as fe:
        assert fe._transport.subprotocol == request.param
        yield fe


@pytest.mark.parametrize("python", PYTHON)
async def test_kernel_opens_with_metadata_and_three_buffers(fe, python):
    await kernel_opens(fe, python)


@pytest.mark.parametrize("python", PYTHON)
async def test_frontend_opens_with_metadata_and_three_buffers(fe, python):
    await frontend_opens(fe, python)


@pytest.mark.parametrize("python", PYTHON)
async def test_either_end_closes_what_the_other_has_opened(fe, python):
    await the_other_end_closes(fe, python)


async def test_what_was_printed_and_given_arrives(fe):
    result = await fe.execute("print('日本'); 6 * 7")
    assert (result.stdout, result.result) == ("日本\n", "42")


async def test_attached_second_frontend_without_the_target_disturbs_nobody(fe, server, kernel_id):
    opened = fe.expect_open("only the first", timeout=10)
    async with connect(server.url, token=server.token, kernel_id=kernel_id) as second:
        await fe.execute("from tsushin import Comm; c = Comm('only the first')")
        comm = await opened
        await second.execute("1")  # what the second had to say has reached the kernel
        assert second.comm_manager.unknown == 1
    await fe.execute("c.send({'still': 'open'})")
    assert (await comm.expect_msg(10))["content"]["data"] == {"still": "open"}
    assert (await fe.execute("c.closed")).result == "False"
    await fe.execute("c.close()")
