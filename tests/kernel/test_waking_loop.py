"""The loop that a lock wakes: by threads, by time, by files, and by all of them at once."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from tsushin.kernel.waking_loop import WakingLoop

WAIT_S = 10


@pytest.fixture
def loop():
    loop = WakingLoop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    assert not thread.is_alive()
    loop.close()


def run(loop, coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(WAIT_S)


def test_a_sleeping_loop_is_woken_each_time(loop):
    for n in range(1000):
        seen = threading.Event()
        loop.call_soon_threadsafe(seen.set)
        assert seen.wait(WAIT_S), n


def test_what_many_threads_give_runs_in_their_order(loop):
    seen = []

    def give(name):
        for n in range(500):
            loop.call_soon_threadsafe(seen.append, (name, n))

    threads = [threading.Thread(target=give, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over = threading.Event()
    loop.call_soon_threadsafe(over.set)
    assert over.wait(WAIT_S)
    for name in range(4):
        assert [n for who, n in seen if who == name] == list(range(500))


def test_it_is_woken_by_time(loop):
    async def slept():
        begun = time.monotonic()
        await asyncio.sleep(0.05)
        return time.monotonic() - begun

    assert 0.05 <= run(loop, slept()) < WAIT_S


def test_it_sleeps_while_there_is_nothing_to_do(loop):
    run(loop, asyncio.sleep(0))

    async def cpu():
        return time.thread_time()

    before = run(loop, cpu())
    time.sleep(0.3)
    assert run(loop, cpu()) - before < 0.1


def test_files_and_threads_wake_it_side_by_side(loop):
    ours, theirs = socket.socketpair()
    ours.settimeout(0)

    async def echo():
        for _ in range(200):
            await loop.sock_sendall(ours, await loop.sock_recv(ours, 100))

    echoing = asyncio.run_coroutine_threadsafe(echo(), loop)
    theirs.settimeout(WAIT_S)
    for n in range(200):
        theirs.sendall(b"%d" % n)
        seen = threading.Event()
        loop.call_soon_threadsafe(seen.set)
        assert seen.wait(WAIT_S), n
        assert theirs.recv(100) == b"%d" % n
    echoing.result(WAIT_S)
    seen = threading.Event()
    loop.call_soon_threadsafe(seen.set)  # with no file left it is the lock again
    assert seen.wait(WAIT_S)
    ours.close()
    theirs.close()


def test_threads_wake_it_while_it_waits_for_a_file_that_says_nothing(loop):
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    reading = asyncio.run_coroutine_threadsafe(loop.sock_recv(ours, 1), loop)
    for n in range(200):
        seen = threading.Event()
        loop.call_soon_threadsafe(seen.set)
        assert seen.wait(WAIT_S), n
    theirs.sendall(b"x")
    assert reading.result(WAIT_S) == b"x"
    ours.close()
    theirs.close()


def test_streams_subprocesses_and_executors_work_on_it(loop):
    async def work():
        process = await asyncio.create_subprocess_exec(
            "echo", "said", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out, await asyncio.to_thread(lambda: 42)

    assert run(loop, work()) == (b"said\n", 42)
