"""The check itself: it must fail transports that break a promise."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs

from tsushin.errors import TransportClosed, TransportLost
from tsushin.testing.check_transport import CLAIMS, TransportPair, check_claim, check_transport
from tsushin.transports.memory import memory_pair


async def memory():
    a, b = memory_pair()

    async def cut():
        a.cut()

    return TransportPair(frontend=a, kernel=b, cut=cut)


async def test_memory_transport_passes():
    await check_transport(memory)


class Broken:
    """A good transport behind a fault."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Reordering(Broken):
    """Lets two messages overtake one."""

    kept = None
    overtaken_by = 0

    async def receive(self):
        if self.overtaken_by == 2:
            self.overtaken_by = 0
            return self.kept
        if self.overtaken_by == 0:
            self.kept = await self.inner.receive()
        self.overtaken_by += 1
        return await self.inner.receive()


class Truncating(Broken):
    """Loses the last buffer."""

    def send(self, message):
        self.inner.send(structs.replace(message, buffers=message.buffers[:-1]))


class Hasty(Broken):
    """Takes a message, then waits once more, and forgets it when cancelled there."""

    async def receive(self):
        message = await self.inner.receive()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return message


class Mistaken(Broken):
    """Says "closed" when the link broke."""

    async def receive(self):
        try:
            return await self.inner.receive()
        except TransportLost as error:
            raise TransportClosed("closed") from error


@pytest.mark.parametrize(
    ("broken", "claim"),
    [
        (Reordering, "each_channel_is_in_order"),
        (Truncating, "buffers_arrive_byte_for_byte"),
        (Hasty, "a_cancelled_receive_loses_nothing"),
        (Mistaken, "a_broken_link_is_lost"),
    ],
)
async def test_broken_transport_is_caught_by_the_claim_it_breaks(broken, claim, monkeypatch):
    monkeypatch.setattr("tsushin.testing.check_transport._TIMEOUT_S", 0.5)

    async def make():
        pair = await memory()
        return replace(pair, frontend=broken(pair.frontend), kernel=broken(pair.kernel))

    (wanted,) = [c for c in CLAIMS if c.__name__ == claim]
    with pytest.raises(AssertionError, match=claim.replace("_", " ")):
        await check_claim(wanted, make)
