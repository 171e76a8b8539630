"""The public check of any ``Transport``: does it keep what ``transports/base.py`` promises?

Every claim gets a fresh pair, so that they can be read, and fail, one by one. Nothing sleeps; every wait is
bounded.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tsushin.errors import TransportClosed, TransportError, TransportLost
from tsushin.protocol.messages import Channel, JsonObject, Message, new_header
from tsushin.transports.base import Transport

_TIMEOUT_S: Final = 20.0
_MIB: Final = 1024 * 1024
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportPair:
    """Two joined ends, ready to be used.

    Attributes:
        frontend: sends on shell, control and stdin.
        kernel: the other end; sends on any channel.
        cut: breaks the link without closing it, or None where the carrier cannot tell that from silence.
        tells_close: whether an end learns that the other one was closed. ZMQ, which connects again by
            itself, does not tell.
    """

    frontend: Transport
    kernel: Transport
    cut: Callable[[], Awaitable[None]] | None = None
    tells_close: bool = True


MakePair = Callable[[], Awaitable[TransportPair]]
Claim = Callable[[TransportPair], Awaitable[None]]


async def check_transport(make_pair: MakePair) -> None:
    """Hold a transport to every claim.

    Args:
        make_pair: returns a new connected pair each time; both ends are closed here.

    Raises:
        AssertionError: names the claim, what was expected and what was met.
    """
    for claim in CLAIMS:
        await check_claim(claim, make_pair)


async def check_claim(claim: Claim, make_pair: MakePair) -> None:
    """Hold a transport to one of ``CLAIMS``."""
    name = claim.__name__.replace("_", " ")
    pair = await make_pair()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await claim(pair)
    except TimeoutError:
        raise AssertionError(f"{name}: nothing came within {_TIMEOUT_S:g} s") from None
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from error
    finally:
        await pair.frontend.aclose()
        await pair.kernel.aclose()


# ------------------------------------------------------------------ what is claimed


async def each_channel_is_in_order(pair: TransportPair) -> None:
    """200 messages on each channel, interleaved, in both directions."""
    await _check_order(pair.frontend, pair.kernel, ("shell", "control"))
    await _check_order(pair.kernel, pair.frontend, ("iopub", "shell", "stdin"))


async def every_part_arrives_equal(pair: TransportPair) -> None:
    """Header, parent, metadata and content, with Unicode, null, empty objects and floats."""
    content: JsonObject = {
        "é": "日本",
        "null": None,
        "empty": {},
        "list": [],
        "pi": 3.25,
        "big": 2**53,
    }
    sent = _message("iopub", content, parent={"msg_id": "p"}, metadata={"m": [1, {"n": 2}]})
    pair.kernel.send(sent)
    got = await pair.frontend.receive()
    for part in ("channel", "header", "parent_header", "metadata", "content"):
        _equal(part, getattr(got, part), getattr(sent, part))


async def buffers_arrive_byte_for_byte(pair: TransportPair) -> None:
    """Empty, small, repeated and 64 KiB buffers keep their order; they come as read-only byte views."""
    buffers = [b"", b"\x00\xff", bytes(range(256)) * 256, b"", b"last"]
    await _check_buffers(pair.kernel, pair.frontend, "iopub", buffers)
    await _check_buffers(pair.frontend, pair.kernel, "shell", buffers)


async def a_large_message_arrives(pair: TransportPair) -> None:
    """16 MiB in one buffer, both ways, and a small message behind it."""
    large = bytes(_MIB) * 8 + b"x" * 8 * _MIB
    await _check_buffers(pair.kernel, pair.frontend, "iopub", [large])
    await _check_buffers(pair.frontend, pair.kernel, "shell", [large])
    await _check_buffers(pair.kernel, pair.frontend, "iopub", [])


async def encoded_data_travels_as_it_is(pair: TransportPair) -> None:
    """``msgspec.Raw`` in the content, as comms send it, arrives as plain objects."""
    pair.frontend.send(_message("shell", {"comm_id": "c", "data": msgspec.Raw(b'{"a": [1, 2]}')}))
    got = await pair.kernel.receive()
    _equal("content", got.content, {"comm_id": "c", "data": {"a": [1, 2]}})


async def sending_encodes_at_once(pair: TransportPair) -> None:
    """What is changed after ``send`` does not change what was sent."""
    content: JsonObject = {"state": "then"}
    pair.frontend.send(_message("shell", content))
    content["state"] = "now"
    _equal("content", (await pair.kernel.receive()).content, {"state": "then"})


async def any_thread_may_send(pair: TransportPair) -> None:
    """Messages of another thread arrive, in its order."""

    def send() -> None:
        for i in range(100):
            pair.frontend.send(_message("shell", {"i": i}))

    thread = threading.Thread(target=send)
    thread.start()
    got = [(await pair.kernel.receive()).content["i"] for _ in range(100)]
    thread.join()
    _equal("order", got, list(range(100)))


async def a_cancelled_receive_loses_nothing(pair: TransportPair) -> None:
    """Cancelled before it began, while nothing is there, and while a message is on its way in."""
    for i in range(100):
        waiting = asyncio.ensure_future(pair.frontend.receive())
        await _turns(i % 3)
        pair.kernel.send(_message("iopub", {"i": i}))
        await _turns(i % 7)
        waiting.cancel()
        await asyncio.wait({waiting})
        got = await pair.frontend.receive() if waiting.cancelled() else waiting.result()
        _equal("message", got.content, {"i": i})


async def what_was_sent_before_closing_arrives(pair: TransportPair) -> None:
    """``aclose`` sends what is queued."""
    for i in range(100):
        pair.frontend.send(_message("shell", {"i": i}, buffers=[bytes(1000)]))
    closing = asyncio.ensure_future(pair.frontend.aclose())
    got = [(await pair.kernel.receive()).content["i"] for _ in range(100)]
    await closing
    _equal("messages", got, list(range(100)))


async def a_closed_end_says_so(pair: TransportPair) -> None:
    """After ``aclose``: waiting and later calls raise ``TransportClosed``; a second close does nothing."""
    waiting = asyncio.ensure_future(pair.frontend.receive())
    await asyncio.sleep(0)
    await pair.frontend.aclose()
    await asyncio.wait({waiting})
    _raised("a waiting receive", waiting.exception(), TransportClosed)
    await pair.frontend.aclose()
    await _check_ended(pair.frontend, TransportClosed)


async def closing_is_told_from_loss(pair: TransportPair) -> None:
    """The other end closed: what it sent, then ``TransportClosed``."""
    if not pair.tells_close:
        return
    pair.kernel.send(_message("iopub", {"last": True}))
    closing = asyncio.ensure_future(pair.kernel.aclose())
    _equal("content", (await pair.frontend.receive()).content, {"last": True})
    await _check_ended(pair.frontend, TransportClosed)
    await closing


async def a_broken_link_is_lost(pair: TransportPair) -> None:
    """The link broke: ``TransportLost``, for receiving and sending; ``aclose`` still works."""
    if pair.cut is None:
        return
    waiting = asyncio.ensure_future(pair.frontend.receive())
    await asyncio.sleep(0)
    await pair.cut()
    await asyncio.wait({waiting})
    _raised("a waiting receive", waiting.exception(), TransportLost)
    await _check_ended(pair.frontend, TransportLost)
    await pair.frontend.aclose()


CLAIMS: Final[tuple[Claim, ...]] = (
    each_channel_is_in_order,
    every_part_arrives_equal,
    buffers_arrive_byte_for_byte,
    a_large_message_arrives,
    encoded_data_travels_as_it_is,
    sending_encodes_at_once,
    any_thread_may_send,
    a_cancelled_receive_loses_nothing,
    what_was_sent_before_closing_arrives,
    a_closed_end_says_so,
    closing_is_told_from_loss,
    a_broken_link_is_lost,
)


# ------------------------------------------------------------------ tools


def _message(
    channel: Channel,
    content: JsonObject,
    *,
    buffers: Sequence[bytes] = (),
    parent: JsonObject | None = None,
    metadata: JsonObject | None = None,
) -> Message:
    header = new_header("comm_msg", msg_id=f"m{next(_numbers)}", session="check", now=0)
    views = tuple(memoryview(b).toreadonly() for b in buffers)
    return Message(channel, header, parent or {}, metadata or {}, content, views)


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _check_order(
    sender: Transport, receiver: Transport, channels: Sequence[Channel], count: int = 200
) -> None:
    for i in range(count):
        for channel in channels:
            sender.send(_message(channel, {"i": i}))
    got: dict[str, list[int]] = {channel: [] for channel in channels}
    for _ in range(count * len(channels)):
        message = await receiver.receive()
        got[message.channel].append(message.content["i"])
    for channel in channels:
        _equal(f"order on {channel}", got[channel], list(range(count)))


async def _check_buffers(
    sender: Transport, receiver: Transport, channel: Channel, buffers: Sequence[bytes]
) -> None:
    sender.send(_message(channel, {}, buffers=buffers))
    got = (await receiver.receive()).buffers
    _equal("sizes of buffers", [b.nbytes for b in got], [len(b) for b in buffers])
    for i, (arrived, sent) in enumerate(zip(got, buffers, strict=True)):
        _equal(f"buffer {i}: is byte for byte the same", arrived == sent, True)  # noqa: FBT003
        _equal(f"buffer {i}: read-only bytes", (arrived.readonly, arrived.format), (True, "B"))


async def _check_ended(transport: Transport, kind: type[TransportError]) -> None:
    error: BaseException | None = None
    try:
        await transport.receive()
    except TransportError as raised:
        error = raised
    _raised("receive", error, kind)
    error = None
    try:
        transport.send(_message("shell", {}))
    except TransportError as raised:
        error = raised
    _raised("send", error, kind)


def _raised(what: str, error: BaseException | None, kind: type[TransportError]) -> None:
    if not isinstance(error, kind):
        raise AssertionError(f"{what}: expected {kind.__name__}, got {error!r}") from error  # noqa: TRY004


def _equal(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r:.200}, got {got!r:.200}")
