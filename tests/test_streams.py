"""Answers in parts, over a real link: no further ahead than the reader wants, ended when nobody reads."""

from __future__ import annotations

import asyncio

import pytest

from tsushin import connect, serve
from tsushin.errors import CommClosed, NoPeer, RemoteError
from tsushin.kernel.process import ProcessKernel
from tsushin.loop_runtime import LoopRuntime
from tsushin.manager import CommManager
from tsushin.protocol.messages import plain

WAIT_S = 10


@pytest.fixture
async def ends():
    """Both ends of an open comm: of a process that serves, and of a frontend."""
    manager = ProcessKernel().manager
    with serve(manager, block=False) as server:
        async with connect(server.url, token=server.token, timeout=WAIT_S) as fe:
            here = asyncio.get_running_loop().create_future()
            loop = asyncio.get_running_loop()

            @manager.register_target("t")
            def opened(comm, msg):
                loop.call_soon_threadsafe(here.set_result, comm)

            there = fe.comm_manager.new_comm("t")
            await there.ready(WAIT_S)
            yield await here, there


@pytest.fixture
async def strangers():
    """Both ends of an open comm, the kernel's first, and what lets them say hello to each other."""
    loop = asyncio.get_running_loop()
    managers = {}

    def end(channel, peer):
        def send(message):
            loop.call_soon(managers[peer].receive, plain(message))

        runtime = LoopRuntime(loop)
        managers[channel] = CommManager(
            send=send, runtime=runtime, channel=channel, on_unknown="close"
        )
        return managers[channel]

    kernel, frontend = end("iopub", "shell"), end("shell", "iopub")
    kernel.sessions.announce()  # a frontend may come
    opened = kernel.expect_open("t")
    there = frontend.new_comm("t")
    return await opened, there, frontend.sessions.join


async def all_of(stream):
    return [part async for part in stream]


async def test_what_is_yielded_arrives_in_order(ends):
    here, there = ends

    @here.handle("count")
    async def count(msg):
        for n in range(msg["content"]["data"]["to"]):
            yield n

    @there.handle("bytes")
    def some(msg):
        yield b"ab"
        yield None

    assert await all_of(there.stream("count", {"to": 100})) == list(range(100))
    parts = await all_of(here.stream("bytes"))
    assert bytes(parts[0]) == b"ab"
    assert parts[1:] == [None]


async def test_a_function_that_gives_no_parts_gives_one(ends):
    here, there = ends
    here.handle("one", lambda _: {"a": 1})
    here.handle("none", lambda _: None)
    assert await all_of(there.stream("one")) == [{"a": 1}]
    assert await all_of(there.stream("none")) == []


async def test_the_function_is_no_further_ahead_than_the_window(ends):
    here, there = ends
    made = []

    @here.handle("many")
    async def many(msg):
        n = 0
        while True:
            made.append(n)
            yield n
            n += 1

    async with there.stream("many", window=4) as stream:
        await asyncio.sleep(0.2)
        assert len(made) <= 5
        for n in range(10):
            assert await anext(stream) == n
        await asyncio.sleep(0.2)
        assert len(made) <= 15


async def test_what_was_taken_before_the_ends_knew_each_other_is_told_then(strangers):
    here, there, join = strangers

    @there.handle("count")
    def count(msg):
        yield from range(100)

    stream = here.stream("count", window=4, timeout=WAIT_S)
    assert [await anext(stream) for _ in range(4)] == [0, 1, 2, 3]
    join()
    assert await all_of(stream) == list(range(4, 100))


async def test_a_stream_left_before_the_ends_knew_each_other_ends_the_function_then(strangers):
    here, there, join = strangers
    ended = asyncio.Event()

    @there.handle("many")
    async def many(msg):
        try:
            while True:
                yield 1
        finally:
            ended.set()

    async with here.stream("many", window=4) as stream:
        assert await anext(stream) == 1
    join()
    async with asyncio.timeout(WAIT_S):
        await ended.wait()


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_stream_that_is_closed_ends_the_function(ends, is_async):
    here, there = ends
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def over():
        loop.call_soon_threadsafe(ended.set)

    async def slowly(msg):
        try:
            while True:
                yield 1
        finally:
            over()

    def plainly(msg):
        try:
            while True:
                yield 1
        finally:
            over()

    here.handle("many", slowly if is_async else plainly)
    async with there.stream("many") as stream:
        assert await anext(stream) == 1
    async with asyncio.timeout(WAIT_S):
        await ended.wait()


async def test_what_the_function_raises_comes_after_its_parts(ends):
    here, there = ends

    @here.handle("fails")
    async def fails(msg):
        yield 1
        raise KeyError("no more")

    stream = there.stream("fails")
    assert await anext(stream) == 1
    with pytest.raises(RemoteError, match="no more"):
        await anext(stream)


async def test_every_wait_for_a_part_ends(ends):
    here, there = ends

    @here.handle("never")
    async def never(msg):
        await asyncio.sleep(3600)
        yield 1

    with pytest.raises(TimeoutError, match="part of the answer to 'never'"):
        await all_of(there.stream("never", timeout=0.05))
    with pytest.raises(NoPeer):
        await all_of(there.stream("nobody"))
    waiting = asyncio.ensure_future(all_of(there.stream("never")))
    await asyncio.sleep(0.05)
    here.close()
    with pytest.raises(CommClosed):
        await waiting


async def test_a_plain_for_waits_on_another_thread(ends):
    here, there = ends

    @here.handle("count")
    def count(msg):
        yield from range(40)

    assert await asyncio.to_thread(lambda: list(there.stream("count"))) == list(range(40))


async def test_a_request_to_it_fails_and_says_what_to_use(ends):
    here, there = ends

    @here.handle("many")
    def many(msg):
        yield 1

    with pytest.raises(RemoteError, match=r"use comm\.stream"):
        await there.request("many")


def test_a_window_has_a_part():
    manager = ProcessKernel().manager
    with pytest.raises(ValueError, match="window"):
        manager.new_comm("t").stream("x", window=0)
