"""Lanes between real kernels and Python frontends: order across every switch, and what goes where."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest
from jupyter_client.blocking import BlockingKernelClient

import matrix
from kernel.peer import Peer, started
from laning import KERNEL, WAIT_S, Talk, ended, laned, opened, until, until_value, value
from processes import running_kernel
from tsushin import KernelGone, connect
from tsushin.profile.control import is_control
from tsushin.profile.pieces import CUT_ABOVE_BYTES

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90)]

MANY = 20_000


@pytest.fixture(scope="module")
def shared():
    """A kernel of all tests that do not end it."""
    with running_kernel() as manager:
        yield manager


@pytest.fixture
async def fe(shared):
    async with connect(connection_file=shared.connection_file) as fe:
        await fe.execute("import tsushin.kernel; manager = tsushin.kernel.attach()")
        yield fe
        await fe.execute("for comm in list(manager.comms.values()): comm.close()")


@pytest.fixture
def watcher(shared):
    """A plain frontend: it hears what is published, and says nothing unless asked to."""
    client = BlockingKernelClient(connection_file=shared.connection_file)
    client.load_connection_file()
    client.start_channels()
    client.kernel_info()
    client.get_shell_msg(timeout=WAIT_S)
    client.get_iopub_msg(timeout=WAIT_S)  # it hears
    yield Peer(shared, client)
    client.stop_channels()


@asynccontextmanager
async def with_lane(**options):
    """Start a kernel, and have a lane to it."""
    async with connect("python3", **options) as fe:
        await fe.execute(KERNEL.format(run="main"))
        await laned(fe)
        yield fe


# ------------------------------------------------------------------ it comes, and order across it


async def test_it_comes_up_by_itself_where_the_kernel_is_on_this_machine(shared):
    async with connect(connection_file=shared.connection_file) as fe:
        assert not fe.has_lane
        await fe.execute("import tsushin, tsushin.kernel; manager = tsushin.kernel.attach()")
        await laned(fe)


async def test_it_comes_up_through_a_server_on_this_machine(server, kernel_id):
    async with connect(server.url, token=server.token, kernel_id=kernel_id) as fe:
        talk = await opened(fe, "kernel")
        await fe.execute("talk(0.001)")
        talk.begin()
        await laned(fe)
        await talk.end()


async def test_who_wants_none_has_none_and_loses_nothing(shared):
    async with connect(connection_file=shared.connection_file, lane=False) as fe:
        talk = await opened(fe, "kernel")
        await fe.execute("talk(0.001)")
        talk.begin()
        await until(lambda: len(talk.heard) > 300)
        assert not fe.has_lane
        await talk.end()


@pytest.mark.parametrize("opener", ["kernel", "frontend"])
@pytest.mark.parametrize("run", ["main", "thread"])
async def test_order_is_kept_while_it_comes_and_goes_and_comes_again(shared, opener, run):
    async with connect(connection_file=shared.connection_file) as fe:
        talk = await opened(fe, opener, run)
        await fe.execute("talk(0.0005)")
        talk.begin()
        for broken_by in ("kernel", "frontend", "socket"):
            await laned(fe)
            before = len(talk.heard)
            await until(lambda before=before: len(talk.heard) > before + 100)
            link = fe._lane._link
            if broken_by == "kernel":
                await fe.execute("cut()")
            elif broken_by == "frontend":
                fe._lane._hang_up()
            else:
                link._lane._socket.shutdown(2)
            await ended(fe, link)
        await laned(fe)
        await talk.end()


async def test_twenty_thousand_small_messages_each_way_arrive(fe):
    talk = await opened(fe, "frontend", "thread")
    await laned(fe)
    await talk.burst(MANY)


async def test_what_was_sent_comes_before_the_code_that_is_executed_next(fe):
    talk = await opened(fe, "frontend")
    await laned(fe)
    for n in range(50):
        talk.comm.send({"n": n})
        assert await value(fe, "len(heard)") == n + 1


async def test_what_code_sends_is_there_when_it_has_been_executed(fe):
    talk = await opened(fe, "kernel")
    await laned(fe)
    for n in range(50):
        await fe.execute(f"c.send({{'n': {n}}})")
        assert len(talk.heard) == n + 1


async def test_a_new_comm_and_what_is_sent_on_it_at_once_comes_before_the_code(fe):
    await fe.execute(KERNEL.format(run="main"))
    await laned(fe)
    for _ in range(20):
        comm = fe.comm_manager.new_comm("front")
        comm.send({"n": 1})
        assert await value(fe, "heard") == [1]
        comm.close()
        assert await value(fe, "heard.clear(), c.closed") == (None, True)


async def test_an_open_comes_after_code_that_waits_for_what_went_by_the_lane(fe):
    talk = await opened(fe, "kernel", "main")
    await laned(fe)
    talk.comm.send({"n": 0})
    code = "seen = []; manager.register_target('later', lambda comm, msg: seen.append(msg))"
    cell = asyncio.ensure_future(fe.execute(code))
    await asyncio.sleep(0)  # it has begun, and waits
    comm = fe.comm_manager.new_comm("later")
    await cell
    await until_value(fe, "len(seen)", 1)
    assert not comm.closed


async def test_a_close_comes_after_all_that_was_sent(fe):
    closed = asyncio.Event()
    talk = await opened(fe, "kernel")
    talk.comm.on_close(lambda _: closed.set())
    await laned(fe)
    await fe.execute("for n in range(2000): c.send({'n': n})\nc.close()")
    async with asyncio.timeout(WAIT_S):
        await closed.wait()
    assert talk.heard == list(range(2000))


# ------------------------------------------------------------------ what goes where


def comm_messages(watcher, fe_comm_id):
    """Return the types of a comm's messages that a plain frontend has heard, once it has heard a marker."""
    found = []
    while True:
        message = watcher.client.get_iopub_msg(timeout=WAIT_S)
        if message["msg_type"] == "stream" and "marker" in message["content"]["text"]:
            return found
        found.append(message) if message["content"].get("comm_id") == fe_comm_id else None


async def heard_by(watcher, fe, comm_id):
    await fe.execute("print('marker')")
    return [m["msg_type"] for m in await asyncio.to_thread(comm_messages, watcher, comm_id)]


async def test_a_plain_frontend_hears_nothing_of_a_comm_that_a_laned_one_opened(fe, watcher):
    talk = await opened(fe, "frontend")
    await laned(fe)
    await fe.execute("manager.sessions._profile._routes._plain.clear()")  # of other tests
    await fe.execute("c.send({'n': 0})")
    await heard_by(watcher, fe, talk.comm.comm_id)
    await fe.execute("for n in range(100): c.send({'n': n})")
    talk.comm.send({"n": 1})
    assert await heard_by(watcher, fe, talk.comm.comm_id) == []
    await until(lambda: len(talk.heard) == 101)
    await fe.execute("c.close()")
    assert await heard_by(watcher, fe, talk.comm.comm_id) == ["comm_close"]


async def test_a_plain_frontend_that_executes_hears_the_kernels_comms(fe, watcher):
    talk = await opened(fe, "kernel")
    await laned(fe)
    await talk.comm.drain(timeout=WAIT_S)
    await asyncio.to_thread(watcher.run, "1 + 1")
    await fe.execute("for n in range(10): c.send({'n': n})")
    comm_id = talk.comm.comm_id
    assert (await heard_by(watcher, fe, comm_id)).count("comm_msg") == 10
    await until(lambda: talk.heard == list(range(10)))


async def test_two_with_lanes_and_one_without_get_all_and_what_is_for_one_only_that(shared):
    file = shared.connection_file
    async with (
        connect(connection_file=file) as one,
        connect(connection_file=file) as two,
        connect(connection_file=file, lane=False) as three,
    ):
        fronts = [one, two, three]
        await one.execute(KERNEL.format(run="main"))
        await laned(one)
        await laned(two)
        opening = [fe.expect_open("kernels") for fe in fronts]
        await one.execute("use(Comm('kernels', run=run))")
        talks = [Talk(fe, await open_) for fe, open_ in zip(fronts, opening, strict=True)]
        sessions = [fe.comm_manager.session for fe in fronts]
        await one.execute(
            f"""
for n in range(300):
    c.send({{"n": n}})
    for i, session in enumerate({sessions}):
        c.send({{"n": (n, i)}}, to=session)
        c.send({{"n": (n, i, "large")}}, buffers=[b"x" * 1000], to=session)
"""
        )
        for i, talk in enumerate(talks):
            expected = [x for n in range(300) for x in (n, [n, i], [n, i, "large"])]
            await until(lambda talk=talk: len(talk.heard) >= 900)
            assert talk.heard == expected
            talk.comm.send({"n": i})
        await until_value(one, "sorted(heard)", [0, 1, 2])


async def test_outputs_of_a_handler_belong_to_the_cell_that_made_the_comm(fe, watcher):
    shown, opening = [], fe.expect_open("kernels")
    await fe.execute(KERNEL.format(run="main"))
    for opener in ("kernel", "frontend"):
        cell = await fe.execute(
            "def use(comm, msg=None):\n"
            "    comm.on_msg(lambda m: print('printed') if m['content']['data'] else 1 / 0)\n"
            + (
                "use(Comm('kernels'))"
                if opener == "kernel"
                else "manager.register_target('o', use)"
            )
        )
        assert cell.error is None
    await laned(fe)
    comms = [await opening, fe.comm_manager.new_comm("o")]
    await comms[1].ready(WAIT_S)
    await heard_by(watcher, fe, "none")
    for comm in comms:
        comm.send({"print": True})
        comm.send({})
    await fe.execute("print('marker')")

    def listen():
        while True:
            message = watcher.client.get_iopub_msg(timeout=WAIT_S)
            if message["msg_type"] == "stream" and "marker" in message["content"]["text"]:
                return
            shown.append(message)

    await asyncio.to_thread(listen)
    printed = [m for m in shown if m["msg_type"] == "stream"]
    assert [m["content"]["text"] for m in printed if m["content"]["name"] == "stdout"] == [
        "printed\n"
    ] * 2
    types = {m["parent_header"].get("msg_type") for m in shown}
    assert types <= {"execute_request"}, types
    errors = [
        m
        for m in shown
        if m["msg_type"] in ("error", "stream") and "ZeroDivision" in str(m["content"])
    ]
    assert errors
    parents = {m["parent_header"]["msg_id"] for m in printed}
    assert len(parents) == 2  # of two cells


# ------------------------------------------------------------------ large, and asked for


@pytest.mark.parametrize("run", ["main", "thread"])
async def test_what_a_handler_sends_has_the_message_as_its_parent(fe, run):
    await fe.execute(
        "def target(comm, msg):\n"
        "    comm.on_msg(lambda msg: comm.send({'parent': msg['header']['msg_id']}))\n"
        f"manager.register_target('parents', target, run={run!r})"
    )
    comm = fe.comm_manager.new_comm("parents")
    await laned(fe)
    comm.send({})
    answer = await comm.expect_msg(WAIT_S)
    assert answer["parent_header"]["msg_id"] == answer["content"]["data"]["parent"]


@pytest.mark.parametrize("mib", [1, 20])
async def test_large_buffers_and_answers_and_streams_go_by_the_lane(fe, mib):
    await fe.execute(
        KERNEL.format(run="main")
        + """
def use(comm, msg):
    comm.handle("back", lambda m: m["content"]["data"])
    async def many(m):
        for n in range(300):
            yield n
    comm.handle("many", many)
manager.register_target("large", use)
"""
    )
    await laned(fe)
    comm = fe.comm_manager.new_comm("large")
    await comm.ready(WAIT_S)
    large = os.urandom(1 << 20) * mib
    assert (len(large) > CUT_ABOVE_BYTES) is (mib > 1)
    sent = []
    stock = fe._send
    fe._send = lambda message: (sent.append(message), stock(message))
    answer = await comm.request("back", {"large": large}, timeout=WAIT_S)
    assert bytes(answer["large"]) == large
    assert [n async for n in comm.stream("many")] == list(range(300))
    assert not any(is_control(m.content.get("comm_id")) for m in sent)


async def test_answers_come_while_the_lane_breaks(fe):
    await fe.execute(
        KERNEL.format(run="thread")
        + """
def use(comm, msg):
    comm.handle("twice", lambda m: 2 * m["content"]["data"]["n"])
manager.register_target("a", use, run="thread")
"""
    )
    comm = fe.comm_manager.new_comm("a")
    await comm.ready(WAIT_S)
    for n in range(0, 60, 20):
        await laned(fe)
        asked = [comm.request("twice", {"n": i}, timeout=WAIT_S) for i in range(n, n + 20)]
        fe._lane._link._lane._socket.shutdown(2)
        assert [await one for one in asked] == [2 * i for i in range(n, n + 20)]


# ------------------------------------------------------------------ a kernel that is busy


async def test_while_a_cell_runs_the_delivery_thread_is_served(fe):
    talk = await opened(fe, "kernel", "thread")
    await laned(fe)
    cell = asyncio.ensure_future(
        fe.execute("import time\nwhile len(heard) < 10: time.sleep(0.01)\nlen(heard)", timeout=20)
    )
    for n in range(10):
        talk.comm.send({"n": n})
    assert (await cell).result == "10"


@pytest.mark.parametrize(
    "cell",
    [
        "while not heard: tsushin.poll(); time.sleep(0.01)",
        "while not heard: await asyncio.sleep(0.01)",
    ],
)
async def test_at_safe_points_of_a_cell_what_came_by_the_lane_is_handled(fe, cell):
    talk = await opened(fe, "kernel", "main")
    await laned(fe)
    running = asyncio.ensure_future(fe.execute(cell, timeout=20))
    talk.comm.send({"n": 1})
    await running
    assert await value(fe, "heard") == [1]


async def test_what_waited_for_a_comm_that_the_kernel_closed_is_let_go(fe):
    talk = await opened(fe, "kernel", "main")
    await laned(fe)
    await talk.comm.drain(timeout=WAIT_S)
    cell = asyncio.ensure_future(fe.execute("time.sleep(0.5); c.close()", timeout=20))
    await asyncio.sleep(0.1)
    for n in range(500):
        talk.comm.send({"n": n})
    await cell
    await until_value(fe, "len(manager.delivery._due)", 0)


async def test_more_than_may_wait_holds_the_lane_up_and_loses_nothing(fe):
    talk = await opened(fe, "kernel", "main")
    await laned(fe)
    await fe.execute("from tsushin.kernel import shell_delivery as d; d.MAX_WAITING = 1000")
    cell = asyncio.ensure_future(fe.execute("time.sleep(1.5); len(manager.delivery._due)"))
    await asyncio.sleep(0.1)
    for n in range(5000):
        talk.comm.send({"n": n})
    assert 1000 <= int((await cell).result) < 2100  # what is read at once comes together
    await talk.comm.drain(timeout=60)
    assert await value(fe, "heard == list(range(5000))")
    await fe.execute("d.MAX_WAITING = 20_000")


async def test_a_slow_handler_on_the_thread_holds_the_lane_up_and_loses_nothing(fe):
    talk = await opened(fe, "kernel", "thread")
    await laned(fe)
    await fe.execute(
        "from tsushin.kernel import shell_delivery as d; d.MAX_WAITING = 1000; free = threading.Event()\n"
        "c.on_msg(lambda m: (free.wait(30), heard.append(m['content']['data']['n'])))"
    )
    count = "manager.delivery._handed - manager.delivery._done"
    cell = asyncio.ensure_future(fe.execute(f"time.sleep(1.5); {count}"))
    await asyncio.sleep(0.1)
    for n in range(5000):
        talk.comm.send({"n": n})
    assert 1000 <= int((await cell).result) < 2100  # what is read at once comes together
    await fe.execute("free.set()")
    await talk.comm.drain(timeout=60)
    await until_value(fe, "heard == list(range(5000))", True)  # noqa: FBT003
    await fe.execute("d.MAX_WAITING = 20_000")


# ------------------------------------------------------------------ the end, of either


async def test_a_frontend_that_is_closed_says_goodbye(shared):
    async with connect(connection_file=shared.connection_file) as other:
        await other.execute(KERNEL.format(run="main"))
        async with connect(connection_file=shared.connection_file) as fe:
            await laned(fe)
            session = fe.comm_manager.session
            assert await value(other, f"{session!r} in manager.lanes._lanes")
        assert (
            await value(other, f"[p.session for p in manager.peers if p.session == {session!r}]")
            == []
        )
        await until_value(other, f"{session!r} in manager.lanes._lanes", expected=False)


async def test_after_a_restart_the_comms_are_lost_and_the_next_lane_comes():
    async with with_lane() as fe:
        talk = await opened(fe, "kernel")
        closed = asyncio.Event()
        talk.comm.on_close(lambda _: closed.set())
        await fe.restart()
        async with asyncio.timeout(WAIT_S):
            await closed.wait()
        await laned(fe, is_up=False)
        talk = await opened(fe, "kernel")
        await laned(fe)
        await fe.execute("talk(0.001)")
        talk.begin()
        await until(lambda: len(talk.heard) > 100)
        await talk.end()


async def test_when_the_kernel_dies_its_comms_are_lost_and_nothing_is_left_of_the_lane():
    async with with_lane() as fe:
        talk = await opened(fe, "kernel")
        closed = asyncio.Event()
        talk.comm.on_close(lambda _: closed.set())
        os.kill(await value(fe, "__import__('os').getpid()"), signal.SIGKILL)
        async with asyncio.timeout(WAIT_S):
            await closed.wait()
        assert not fe.has_lane
        with pytest.raises(KernelGone):
            await fe.execute("1")
        assert fe._lane._keeping is None or fe._lane._keeping.done() or not fe.comm_manager.peers


async def test_detached_the_kernel_has_no_lane_and_attached_again_it_has_one():
    async with with_lane() as fe:
        port = await value(fe, "manager.lanes.port")
        assert port
        await fe.execute("tsushin.kernel.detach()")
        await laned(fe, is_up=False)
        assert await value(fe, "manager.lanes.port") == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await fe.execute("tsushin.kernel.attach()")
        await laned(fe)


async def test_where_the_environment_says_so_there_is_no_lane_and_nothing_is_lost(monkeypatch):
    monkeypatch.setenv("TSUSHIN_LANE", "0")
    async with connect("python3") as fe:
        talk = await opened(fe, "kernel")
        await fe.execute("talk(0.001)")
        talk.begin()
        await until(lambda: len(talk.heard) > 300)
        assert not fe.has_lane
        assert await value(fe, "manager.lanes.port") == 0
        await talk.end()


async def test_a_fork_in_the_kernel_leaves_the_parents_lane(fe):
    talk = await opened(fe, "kernel", "thread")
    await laned(fe)
    await fe.execute("talk(0.0005)")
    talk.begin()
    link = fe._lane._link
    for _ in range(5):
        await fe.execute(
            """
import os
pid = os.fork()
if pid == 0:
    try:
        c.close()
        tsushin.poll()
    finally:
        os._exit(0)
os.waitpid(pid, 0)
"""
        )
    assert fe._lane._link is link
    await talk.end()


async def test_a_subprocess_does_not_keep_the_lane_open():
    async with with_lane() as fe:
        await fe.execute(
            "import subprocess; child = subprocess.Popen(['sleep', '60'], close_fds=False)"
        )
        link = fe._lane._link
        await fe.execute("cut()")
        await ended(fe, link)
        await laned(fe)
        await fe.execute("child.kill(); child.wait()")


async def test_in_a_kernel_whose_shell_channel_is_not_known_lanes_work_all_the_same():
    async with connect("python3") as fe:
        await fe.execute(
            "import tsushin.kernel.shell_channel as channel\n"
            "channel.ThreadedShell = lambda kernel, taker: None"
        )
        talk = await opened(fe, "frontend")
        await laned(fe)
        assert await value(fe, "manager.delivery.is_early") is False
        await fe.execute("talk(0.001)")
        talk.begin()
        await until(lambda: len(talk.heard) > 200)
        await talk.end()


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["6.29", "6.30", "7.0", "7.3"])
@pytest.mark.parametrize("opener", ["kernel", "frontend"])
async def test_with_other_ipykernels_order_is_kept_too(version, opener):
    with started(python=matrix.python(f"ipykernel-{version}")) as peer:
        async with connect(connection_file=peer.manager.connection_file) as fe:
            talk = await opened(fe, opener, "thread")
            await fe.execute("talk(0.001)")
            talk.begin()
            for _ in range(3):
                await laned(fe)
                before = len(talk.heard)
                await until(lambda before=before: len(talk.heard) > before + 100)
                link = fe._lane._link
                await fe.execute("cut()")
                await ended(fe, link)
            await laned(fe)
            await talk.end()
