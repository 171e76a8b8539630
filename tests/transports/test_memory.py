from __future__ import annotations

import pytest

from tsushin.errors import TransportLost
from tsushin.protocol.messages import Message, new_header
from tsushin.testing.check_transport import CLAIMS, TransportPair, check_claim
from tsushin.transports.memory import memory_pair


def message(channel, number):
    header = new_header("comm_msg", msg_id=str(number), session="s", now=0)
    return Message(channel, header, content={"number": number})


async def pair():
    a, b = memory_pair()

    async def cut():
        a.cut()

    return TransportPair(frontend=a, kernel=b, cut=cut)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
async def test_keeps_what_a_transport_promises(claim):
    await check_claim(claim, pair)


def test_held_messages_come_channel_by_channel_as_stepped():
    a, b = memory_pair()
    b.hold()
    for number in range(2):
        a.send(message("shell", number))
        a.send(message("control", number))
    assert b.receive_nowait() is None
    assert set(b.held()) == {"shell", "control"}
    b.step("control")
    b.step("shell")
    b.step("control")
    got = [b.receive_nowait() for _ in range(3)]
    assert [(m.channel, m.content["number"]) for m in got] == [
        ("control", 0),
        ("shell", 0),
        ("control", 1),
    ]


def test_cutting_loses_what_is_held():
    a, b = memory_pair()
    b.hold()
    a.send(message("shell", 0))
    b.cut()
    assert b.held() == []
    with pytest.raises(TransportLost):
        a.send(message("shell", 1))
