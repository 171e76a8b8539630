"""``ZmqTransport`` against sockets of the kernel's side that a test drives."""

from __future__ import annotations

import asyncio

import pytest
import zmq

from transports.zmq_kernel import KEY, ZmqKernel
from tsushin.errors import SignatureError, WireError
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message
from tsushin.testing.check_transport import CLAIMS, TransportPair, check_claim
from tsushin.transports.zmq import ZmqTransport
from tsushin.wire import zmq as wire
from tsushin.wire.signing import Signer

CURVE = zmq.curve_keypair()


def make_pair(folder=None, limits=DEFAULT_LIMITS, **options):
    """Return a maker of pairs whose every channel is known to be live, with nothing stray in them."""

    async def make():
        kernel = ZmqKernel(iopub=zmq.XPUB, welcomes=False, folder=folder, **options)
        frontend = ZmqTransport(kernel.info, limits=limits)
        for channel in ("shell", "control", "stdin"):
            frontend.send(Message(channel, kernel.header("hello")))
        for _ in range(3):
            await kernel.receive()
        await kernel.is_heard.wait()
        return TransportPair(frontend=frontend, kernel=kernel, tells_close=False)

    return make


@pytest.fixture
async def pair():
    pair = await make_pair()()
    pair.frontend.faults = []
    pair.frontend.on_fault = pair.frontend.faults.append
    yield pair
    await pair.frontend.aclose()
    await pair.kernel.aclose()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_keeps_what_a_transport_promises(claim):
    await check_claim(claim, make_pair())


async def test_carries_buffers_over_a_unix_socket(tmp_path):
    by_name = {claim.__name__: claim for claim in CLAIMS}
    await check_claim(by_name["buffers_arrive_byte_for_byte"], make_pair(tmp_path))


async def test_carries_buffers_over_curve():
    by_name = {claim.__name__: claim for claim in CLAIMS}
    await check_claim(by_name["buffers_arrive_byte_for_byte"], make_pair(curve=CURVE))


def good(kernel, number=0):
    return Message("iopub", kernel.header("comm_msg"), content={"number": number})


def broken_frames(kernel):
    """Messages of the kernel's side that no decoder accepts, by what is wrong."""
    signer = Signer(KEY)
    frames = wire.encode(good(kernel), signer)
    parts = [b"[]", b"{}", b"{}", b"{}"]
    yield "no delimiter", frames[1:], WireError
    yield "too few frames", frames[:4], WireError
    yield "empty", [b""], WireError
    yield "forged", [frames[0], b"0" * 64, *frames[2:]], SignatureError
    yield "unsigned", [frames[0], b"", *frames[2:]], SignatureError
    yield "header is a list", [wire.DELIMITER, signer.sign(parts), *parts], WireError
    bad = [*frames[2:5], b"{"]
    yield "content is cut", [wire.DELIMITER, signer.sign(bad), *bad], WireError


async def test_malformed_message_is_reported_and_the_next_one_arrives(pair):
    for name, frames, kind in broken_frames(pair.kernel):
        pair.kernel.send_frames("iopub", frames)
        pair.kernel.send(good(pair.kernel, number=name))
        assert (await pair.frontend.receive()).content == {"number": name}
        (fault,) = pair.frontend.faults
        assert type(fault) is kind, name
        pair.frontend.faults.clear()


async def test_replayed_message_is_refused(pair):
    frames = wire.encode(good(pair.kernel), Signer(KEY))
    pair.kernel.send_frames("iopub", frames)
    pair.kernel.send_frames("iopub", frames)
    pair.kernel.send(good(pair.kernel, number=2))
    got = [(await pair.frontend.receive()).content["number"] for _ in range(2)]
    assert got == [0, 2]
    assert [type(fault) for fault in pair.frontend.faults] == [SignatureError]


async def test_message_above_a_limit_is_reported_and_the_next_one_arrives():
    pair = await make_pair(limits=Limits(max_message_bytes=2000))()
    kernel, frontend = pair.kernel, pair.frontend
    faults = []
    frontend.on_fault = faults.append
    kernel.send(Message("iopub", kernel.header("x"), buffers=(memoryview(bytes(3000)),)))
    kernel.send(good(kernel))
    assert (await frontend.receive()).content == {"number": 0}
    assert [(fault.code, fault.limit) for fault in faults] == [
        ("limit_exceeded", "max_message_bytes")
    ]
    await frontend.aclose()
    await kernel.aclose()


async def test_burst_of_20_000_loses_nothing(pair):
    for number in range(20_000):
        pair.kernel.send(good(pair.kernel, number))
        if number % 1000 == 0:
            await asyncio.sleep(0)
    got = [(await pair.frontend.receive()).content["number"] for _ in range(20_000)]
    assert got == list(range(20_000))


async def test_the_three_dealers_share_one_identity(pair):
    for channel in ("shell", "control", "stdin"):
        pair.frontend.send(Message(channel, pair.kernel.header("x")))
    identities = {(await pair.kernel.receive()).identities for _ in range(3)}
    assert len(identities) == 1


async def test_unread_messages_come_first_and_in_order(pair):
    pair.kernel.send(good(pair.kernel, 3))
    third = await pair.frontend.receive()
    first, second = good(pair.kernel, 1), good(pair.kernel, 2)
    pair.frontend.unread([third])
    pair.frontend.unread([first, second])
    assert [await pair.frontend.receive() for _ in range(3)] == [first, second, third]


async def test_closing_towards_nobody_is_bounded(unused_port_info):
    frontend = ZmqTransport(unused_port_info)
    frontend.send(Message("shell", {"msg_id": "1", "msg_type": "x"}))
    async with asyncio.timeout(5):
        await frontend.aclose()


@pytest.fixture
async def unused_port_info():
    kernel = ZmqKernel()
    await kernel.aclose()
    return kernel.info
