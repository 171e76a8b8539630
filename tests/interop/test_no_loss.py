"""Nothing is lost through a real Jupyter Server with its default limits, nor over a link that breaks."""

from __future__ import annotations

import asyncio

import pytest

from proxies import Proxy
from tsushin import connect
from tsushin.errors import TransportLost
from tsushin.frontend.rest import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

MANY = 20_000  # in a tight loop; the server passes on 1,000 messages a second and drops the rest
OPEN = "from tsushin import Comm; c = Comm('burst')"


async def joined(fe):
    """Return the comm that the kernel opens, once both ends know each other, and what it gets."""
    opened = fe.expect_open("burst")
    await fe.execute(OPEN)
    comm, got, gaps = await opened, [], []
    comm.on_msg(lambda msg: got.append(msg["content"]["data"]["n"]))
    comm.on_gap(gaps.append)
    await until(lambda: fe.comm_manager.peers, seconds=10)
    return comm, got, gaps


async def until(condition, seconds=120):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what is waited for tells no events)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "many", [MANY, pytest.param(5 * MANY, marks=[pytest.mark.matrix, pytest.mark.timeout(400)])]
)
async def test_a_burst_arrives_whole_beside_prints(server, kernel_id, many):
    async with connect(server.url, token=server.token, kernel_id=kernel_id, lane=False) as fe:
        _, got, gaps = await joined(fe)
        burst = asyncio.ensure_future(
            fe.execute(
                f"""
for n in range({many}):
    c.send({{"n": n}})
    if n % {many // 100} == 0:
        print("x" * 100_000)
""",
                timeout=350,
            )
        )
        await until(lambda: len(got) == many, seconds=350)
        await burst
    assert got == list(range(many))
    assert gaps == []


async def test_what_was_sent_while_the_link_was_away_arrives_at_both_ends(server, kernel_id):
    async with (
        Proxy(server.url) as proxy,
        connect(proxy.url, token=server.token, kernel_id=kernel_id, lane=False) as fe,
        connect(server.url, token=server.token, kernel_id=kernel_id) as other,
    ):
        comm, got, gaps = await joined(fe)
        await other.execute(
            "heard = []; c.on_msg(lambda m: heard.append(m['content']['data']['n']))"
        )
        comm.send({"n": 0})
        await other.execute("c.send({'n': 0})")
        await until(lambda: got == [0])
        proxy.is_down = True
        proxy.cut()
        with pytest.raises(TransportLost):
            await fe.execute("1")
        for n in range(1, 50):
            comm.send({"n": n})
        await other.execute("for n in range(1, 50): c.send({'n': n})")
        assert fe.is_alive
        proxy.is_down = False
        await until(lambda: len(got) == 50)
        assert got == list(range(50))
        assert gaps == []
        assert (await fe.execute("2")).result == "2"
        assert not comm.closed
        async with asyncio.timeout(20):
            while (await other.execute("heard == list(range(50))")).result != "True":  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_a_kernel_that_was_restarted_while_the_link_was_away_loses_the_comms(
    server, kernel_id
):
    async with (
        Proxy(server.url) as proxy,
        connect(proxy.url, token=server.token, kernel_id=kernel_id, lane=False) as fe,
    ):
        comm, _, _ = await joined(fe)
        closed = asyncio.Event()
        comm.on_close(lambda msg: closed.set())
        proxy.is_down = True
        proxy.cut()
        with pytest.raises(TransportLost):
            await fe.execute("1")
        await Server(server.url, token=server.token).restart(kernel_id)
        proxy.is_down = False
        async with asyncio.timeout(60):
            await closed.wait()
        assert comm.closed_by in ("lost", "there")  # its last words may have waited at the server
        assert (await fe.execute("2")).result == "2"


async def test_while_the_link_is_away_the_kernels_end_is_not_taken_for_silent(
    server, kernel_id, monkeypatch
):
    monkeypatch.setattr("tsushin.profile.sessions.MAX_REPEATS", 0)  # silent for long after 1 s
    async with (
        Proxy(server.url) as proxy,
        connect(proxy.url, token=server.token, kernel_id=kernel_id, lane=False) as fe,
    ):
        comm, _, _ = await joined(fe)
        proxy.is_down = True
        proxy.cut()
        comm.send({"n": 1})
        await asyncio.sleep(3)
        comm.send({"n": 2})
        assert fe.comm_manager.peers
        proxy.is_down = False
        await comm.drain(timeout=20)
        assert not comm.closed
        assert (await fe.execute("2")).result == "2"


async def test_without_an_end_of_ours_a_broken_link_is_told_at_once(server, kernel_id):
    async with (
        Proxy(server.url) as proxy,
        connect(proxy.url, token=server.token, kernel_id=kernel_id, lane=False) as fe,
    ):
        comm = fe.comm_manager.new_comm("nobody")
        del comm
        opened = fe.expect_open("never")
        proxy.cut()
        with pytest.raises(TransportLost):
            await opened
        assert not fe.is_alive
