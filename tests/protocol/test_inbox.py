"""Kept messages: first in, first out, bounded in count and bytes, the newest survives."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tsushin.protocol.inbox import Inbox, kept_bytes
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header


def message(number, *, text="", buffers=()):
    header = new_header("comm_msg", msg_id=f"m{number}", session="s", now=0.0)
    content = {"comm_id": "c1", "data": {"n": number, "text": text}}
    return Message("shell", header, content=content, buffers=tuple(map(memoryview, buffers)))


def numbers(inbox):
    return [m.content["data"]["n"] for m in iter(inbox.take, None)]


def test_first_in_first_out():
    inbox = Inbox()
    for n in range(3):
        inbox.put(message(n))
    assert numbers(inbox) == [0, 1, 2]


def test_an_empty_inbox_gives_none():
    assert Inbox().take() is None


def test_above_the_count_the_oldest_goes():
    inbox = Inbox(Limits(max_kept_messages=2))
    dropped = [inbox.put(message(n)) for n in range(4)]
    assert dropped == [0, 0, 1, 1]
    assert (inbox.dropped, numbers(inbox)) == (2, [2, 3])


def test_above_the_bytes_the_oldest_go():
    inbox = Inbox(Limits(max_kept_bytes=1000))
    for n in range(3):
        inbox.put(message(n, text="x" * 200))
    assert inbox.put(message(3, text="x" * 800)) == 3
    assert (inbox.dropped, numbers(inbox)) == (3, [3])


def test_one_message_above_the_bound_is_kept_alone():
    inbox = Inbox(Limits(max_kept_bytes=10))
    inbox.put(message(0))
    inbox.put(message(1, buffers=[bytes(100)]))
    assert numbers(inbox) == [1]


def test_bytes_are_counted_in_and_out():
    inbox = Inbox()
    inbox.put(message(0, buffers=[bytes(100)]))
    assert inbox.nbytes == kept_bytes(message(0)) + 100
    inbox.take()
    assert inbox.nbytes == 0


def test_a_buffer_costs_bytes_not_elements():
    floats = memoryview(bytes(80)).cast("d")
    assert kept_bytes(message(0, buffers=[floats])) == kept_bytes(message(0)) + 80


@pytest.mark.parametrize("value", [np.zeros(1000), memoryview(bytes(8000))], ids=["array", "view"])
def test_binary_restored_into_the_data_is_counted(value):
    kept = message(0)
    kept.content["data"]["a"] = value
    assert 8000 < kept_bytes(kept) < 12_000


def test_bytes_restored_into_the_data_are_counted_without_a_copy():
    kept = message(0)
    kept.metadata["tsushin"] = {"bin": [{"no": "matter"}]}
    before = kept_bytes(kept)
    kept.content["data"]["a"] = [1, {"b": memoryview(bytes(50 << 20))}, np.zeros(10)]
    tracemalloc.start()
    try:
        assert 0 < kept_bytes(kept) - before - (50 << 20) - 80 < 50
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_clear_forgets_everything_and_counts_no_drop():
    inbox = Inbox()
    inbox.put(message(0))
    inbox.clear()
    assert (len(inbox), inbox.nbytes, inbox.dropped) == (0, 0, 0)
