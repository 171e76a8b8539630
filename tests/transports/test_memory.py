"""The memory link: order within a channel, the test's choice across them, three ways to end."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tsushin.errors import TransportClosed, TransportLost
from tsushin.protocol.messages import Message, new_header
from tsushin.transports.memory import memory_pair


def message(number, channel="shell", data=None):
    header = new_header("comm_msg", msg_id=f"m{number}", session="s", now=0.0)
    return Message(channel, header, content={"data": data or {}})


def received(end):
    return [m.header["msg_id"] for m in iter(end.receive_nowait, None)]


async def test_what_one_end_sends_the_other_receives():
    a, b = memory_pair()
    a.send(message(1))
    b.send(message(2))
    assert [(await end.receive()).header["msg_id"] for end in (b, a)] == ["m1", "m2"]


async def test_receive_waits_for_what_is_sent_later():
    a, b = memory_pair()
    waiting = asyncio.ensure_future(b.receive())
    await asyncio.sleep(0)
    a.send(message(1))
    assert (await asyncio.wait_for(waiting, 10)).header["msg_id"] == "m1"


def test_order_within_a_channel_is_kept_and_across_is_the_tests_choice():
    a, b = memory_pair()
    b.hold()
    for number, channel in enumerate(["shell", "iopub", "shell"]):
        a.send(message(number, channel))
    assert (received(b), b.held()) == ([], ["shell", "iopub"])
    assert [b.step(c).header["msg_id"] for c in ("shell", "iopub", "shell")] == ["m0", "m1", "m2"]
    assert (received(b), b.held()) == (["m0", "m1", "m2"], [])


def test_step_all_lets_everything_in():
    a, b = memory_pair()
    b.hold()
    a.send(message(1, "iopub"))
    a.send(message(2, "shell"))
    b.step_all()
    assert sorted(received(b)) == ["m1", "m2"]


def test_a_message_is_encoded_when_it_is_sent():
    a, b = memory_pair()
    data = {"n": [1]}
    a.send(message(1, data=data))
    a.send(message(2, data=msgspec.Raw(b'{"n":[1]}')))
    data["n"].append(2)
    assert [b.receive_nowait().content["data"] for _ in range(2)] == [{"n": [1]}] * 2


async def test_closing_lets_the_peer_read_what_was_sent_and_then_ends_both():
    a, b = memory_pair()
    b.hold()
    a.send(message(1))
    await a.aclose()
    await a.aclose()
    assert (await b.receive()).header["msg_id"] == "m1"
    for end in (a, b):
        with pytest.raises(TransportClosed):
            await end.receive()
        with pytest.raises(TransportClosed):
            end.send(message(2))


async def test_closing_ends_a_waiting_receive():
    a, b = memory_pair()
    waiting = asyncio.ensure_future(b.receive())
    await asyncio.sleep(0)
    await a.aclose()
    with pytest.raises(TransportClosed, match="by the peer"):
        await asyncio.wait_for(waiting, 10)


async def test_a_cut_loses_what_is_held_and_ends_both():
    a, b = memory_pair()
    b.hold()
    a.send(message(1))
    b.cut()
    for end in (a, b):
        with pytest.raises(TransportLost):
            await end.receive()
        with pytest.raises(TransportLost):
            end.send(message(2))


async def test_after_a_cut_closing_does_nothing():
    a, b = memory_pair()
    a.cut()
    await a.aclose()
    with pytest.raises(TransportLost):
        await b.receive()
