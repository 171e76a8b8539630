"""Comms that a frontend meets late, at a real ipykernel: before their target, or opened before it came."""

from __future__ import annotations

import asyncio

import pytest

from processes import running_kernel
from tsushin import connect, connect_sync

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

OPEN = """
from tsushin import Comm
closed, heard = [], []
c = Comm("late", {"hello": 1})
c.on_msg(lambda msg: heard.append(msg["content"]["data"]))
c.on_close(closed.append)
for n in range(3):
    c.send({"n": n})
"""


@pytest.fixture(scope="module")
def connection_file():
    with running_kernel() as manager:
        yield manager.connection_file


@pytest.fixture
async def fe(connection_file):
    async with connect(connection_file=connection_file, on_unknown="keep") as fe:
        await fe.execute(
            "import tsushin; [c.close() for c in list(tsushin.comm_manager().comms.values())]"
        )
        yield fe


@pytest.fixture
async def second(fe, connection_file):
    async with connect(connection_file=connection_file) as second:
        yield second


def data_of(message):
    return message["content"]["data"]


async def test_a_comm_that_comes_before_its_target_is_delivered_with_all_it_sent(fe):
    await fe.execute(OPEN)
    comm = await fe.expect_open("late", timeout=10)
    assert data_of(comm.open_msg) == {"hello": 1}
    assert [data_of(await comm.expect_msg(10)) for _ in range(3)] == [{"n": n} for n in range(3)]


async def test_a_comm_that_waits_for_its_target_stays_open_in_the_kernel(fe):
    await fe.execute(OPEN)
    await fe.execute("1")  # what the frontend had to say has reached the kernel
    assert (await fe.execute("c.closed, closed")).result == "(False, [])"


async def test_a_frontend_that_starts_its_kernel_keeps_what_it_would_close_by_default():
    async with connect("python3", on_unknown="keep") as fe:
        await fe.execute(OPEN)
        assert (await fe.execute("c.closed, closed")).result == "(False, [])"
        comm = await fe.expect_open("late", timeout=10)
        assert data_of(await comm.expect_msg(10)) == {"n": 0}


async def test_an_attached_frontend_takes_up_a_live_comm(fe, second):
    await fe.execute(OPEN)
    opened = second.expect_open("late", timeout=10)
    ids = await second.restore()
    comm = await opened
    assert ids == [comm.comm_id]
    assert data_of(comm.open_msg) == {"hello": 1}
    assert comm.open_msg["metadata"]["tsushin"] == {"restored": True}


async def test_a_page_that_comes_late_gets_history_and_snapshot_then_what_is_new(fe, second):
    await fe.execute(
        "from tsushin import Comm\n"
        "room = Comm('room', {'name': 'telescope'}, history=2)\n"
        "room.snapshot(lambda: {'at': 'now'})\n"
        "for n in range(5): room.send({'n': n})"
    )
    opened = second.expect_open("room", timeout=10)
    await second.restore()
    comm = await opened
    await fe.execute("room.send({'n': 5})")
    assert data_of(comm.open_msg) == {"name": "telescope"}
    got = [data_of(await comm.expect_msg(10)) for _ in range(4)]
    assert got == [{"n": 3}, {"n": 4}, {"at": "now"}, {"n": 5}]


async def test_what_is_for_one_session_reaches_only_that(fe, second):
    opened = [end.expect_open("whom", timeout=10) for end in (fe, second)]
    await fe.execute("import tsushin; c = tsushin.Comm('whom')")
    comms = [await one for one in opened]
    async with asyncio.timeout(10):
        while (await fe.execute("len(tsushin.comm_manager().peers)")).result != "2":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    session = second.comm_manager.session
    await fe.execute(f"c.send({{'to': 'second'}}, to={session!r}); c.send({{'to': 'all'}})")
    assert data_of(await comms[1].expect_msg(10)) == {"to": "second"}
    assert data_of(await comms[1].expect_msg(10)) == {"to": "all"}
    assert data_of(await comms[0].expect_msg(10)) == {"to": "all"}


async def test_a_restored_comm_works_both_ways(fe, second):
    await fe.execute(OPEN)
    opened = second.expect_open("late", timeout=10)
    await second.restore()
    comm = await opened
    comm.send({"from": "the second"})
    assert (await second.execute("heard")).result == "[{'from': 'the second'}]"
    await second.execute("c.send({'to': 'all'})")
    assert data_of(await comm.expect_msg(10)) == {"to": "all"}


async def test_restoring_what_nobody_has_a_target_for_says_nothing_to_the_kernel(fe, second):
    await fe.execute(OPEN)
    assert await second.restore() == []
    assert (await second.execute("c.closed, closed, heard")).result == "(False, [], [])"


async def test_the_blocking_frontend_restores_too(fe, connection_file):
    await fe.execute(OPEN)
    with connect_sync(connection_file=connection_file) as sync:
        opened = sync.expect_open("late", timeout=10)
        assert sync.restore() == [opened.result().comm_id]
