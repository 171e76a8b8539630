from __future__ import annotations

import asyncio
import threading

from tsushin.server.outbox import Outbox


async def test_frames_come_out_in_order():
    outbox = Outbox()
    for frame in ("a", b"b", "c"):
        outbox.put(frame)
    assert [await outbox.take() for _ in range(3)] == ["a", b"b", "c"]


async def test_what_would_be_too_much_is_refused_and_room_comes_back():
    outbox = Outbox(max_bytes=10)
    assert outbox.put(b"x" * 6)
    assert not outbox.put(b"x" * 5)
    await outbox.take()
    assert outbox.put(b"x" * 5)


async def test_one_frame_may_always_wait_however_large():
    outbox = Outbox(max_bytes=10)
    assert outbox.put(b"x" * 100)
    assert outbox.queued_bytes == 100


async def test_a_waiting_taker_is_woken_from_another_thread():
    outbox = Outbox()
    taking = asyncio.ensure_future(outbox.take())
    await asyncio.sleep(0)
    threading.Thread(target=outbox.put, args=(b"x",)).start()
    assert await asyncio.wait_for(taking, 5) == b"x"


async def test_after_finish_what_is_queued_comes_out_and_then_none():
    outbox = Outbox()
    outbox.put("a")
    outbox.finish()
    assert not outbox.put("b")
    assert [await outbox.take(), await outbox.take()] == ["a", None]


async def test_finish_can_drop_what_is_queued():
    outbox = Outbox()
    outbox.put("a")
    outbox.finish(drop=True)
    assert await outbox.take() is None
    assert (outbox.queued_bytes, outbox.finished.is_set()) == (0, True)


async def test_many_threads_lose_nothing_and_keep_their_own_order():
    outbox = Outbox()

    def put_all(name):
        for i in range(500):
            outbox.put(f"{name}:{i}")

    threads = [threading.Thread(target=put_all, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    taken = [await asyncio.wait_for(outbox.take(), 5) for _ in range(2000)]
    for name in "abcd":
        own = [frame for frame in taken if frame.startswith(name)]
        assert own == [f"{name}:{i}" for i in range(500)]


def test_putting_after_its_loop_has_ended_is_harmless():
    async def make():
        return Outbox()

    outbox = asyncio.run(make())
    threading.Thread(target=outbox.put, args=("x",)).start()
    assert outbox.put("y")
