"""The blocking facade: from plain code, from handlers, inside a running loop, interrupted."""

from __future__ import annotations

import _thread
import asyncio
import threading

import pytest

from tsushin import ExecutionError, KernelGone, LocalProtocolError, connect_sync
from tsushin.frontend.sync import LoopThread

pytestmark = pytest.mark.interop


@pytest.fixture
def fe(shared_kernel):
    with connect_sync(connection_file=shared_kernel.connection_file) as fe:
        yield fe


def test_the_walk_through(fe):
    opened = fe.expect_open("sync", timeout=10)
    fe.execute("from tsushin import Comm; c = Comm('sync', {'n': 1}); c.on_msg(c.close)")
    comm = opened.result(10)
    assert comm.open_msg["content"]["data"] == {"n": 1}
    assert fe.comms("sync") == {comm.comm_id: {"target_name": "sync"}}
    answer = comm.expect_msg(10)
    fe.execute("c.on_msg(lambda msg: c.send(msg['content']['data']))")
    comm.send({"n": 2})
    assert answer.result(10)["content"]["data"] == {"n": 2}
    comm.close()
    assert fe.execute("c.closed").result == "True"
    assert fe.kernel_info()["status"] == "ok"


def test_error_is_raised_where_it_was_called(fe):
    with pytest.raises(ExecutionError, match="ZeroDivisionError"):
        fe.execute("1/0")


def test_handlers_run_on_the_background_thread(fe):
    threads, done = [], threading.Event()

    @fe.comm_manager.register_target("where")
    def where(comm, msg):
        threads.append(threading.current_thread().name)
        done.set()

    fe.execute("from tsushin import Comm; c = Comm('where')")
    assert done.wait(10)
    assert threads == ["tsushin frontend"]


def test_blocking_call_in_a_handler_is_refused_and_harms_nothing(fe):
    errors, done = [], threading.Event()

    @fe.comm_manager.register_target("blocks")
    def blocks(comm, msg):
        try:
            fe.execute("1")
        except LocalProtocolError as error:
            errors.append(str(error))
        done.set()

    fe.execute("from tsushin import Comm; c = Comm('blocks')")
    assert done.wait(10)
    assert errors == [
        "execute: would wait for itself: called by a handler; use fe.frontend in an async handler"
    ]
    assert fe.execute("2").result == "2"


def test_async_handler_can_execute(fe):
    results, done = [], threading.Event()

    @fe.comm_manager.register_target("executes")
    async def executes(comm, msg):
        results.append((await fe.frontend.execute("6 * 7")).result)
        done.set()

    fe.execute("from tsushin import Comm; c = Comm('executes')")
    assert done.wait(10)
    assert results == ["42"]


async def test_works_where_a_loop_is_running_already(shared_kernel):
    with connect_sync(connection_file=shared_kernel.connection_file) as fe:
        assert fe.execute("1").result == "1"


def test_ctrl_c_ends_a_wait_and_the_frontend_goes_on(fe):
    def ctrl_c(output):
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        fe.execute("import time; print('now', flush=True); time.sleep(1)", on_output=ctrl_c)
    assert fe.execute("3").result == "3"


def test_restart_and_death():
    with connect_sync() as fe:
        fe.execute("x = 1")
        fe.restart()
        assert fe.execute("'x' in dir()").result == "False"
        with pytest.raises(KernelGone):
            fe.execute("import os; os._exit(1)")
        assert not fe.is_alive


def test_closed_frontend_says_so(shared_kernel):
    fe = connect_sync(connection_file=shared_kernel.connection_file)
    fe.close()
    fe.close()
    with pytest.raises(LocalProtocolError, match="execute: the frontend is closed"):
        fe.execute("1")


def test_no_thread_stays():
    before = threading.active_count()
    with pytest.raises(TimeoutError):
        connect_sync("python3", timeout=0.01)
    assert threading.active_count() == before


def test_what_still_runs_is_cancelled_at_the_end():
    thread, events = LoopThread(), []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            events.append("cancelled")

    async def begin():
        events.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    thread.run("begin", begin())
    thread.stop()
    thread.stop()
    assert events[1:] == ["cancelled"]


def test_restore_offers_a_comm_of_before_to_its_target(fe):
    fe.execute("from tsushin import Comm; c = Comm('sync restore')")
    opened = fe.expect_open("sync restore", timeout=10)
    [comm_id] = fe.restore()
    assert opened.result().comm_id == comm_id
    assert opened.result().open_msg["metadata"]["tsushin"] == {"restored": True}
    fe.execute("c.close()")
