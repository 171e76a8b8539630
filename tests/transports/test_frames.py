"""Frames against the library's own: what we write it reads, and what we read is what it would."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc

import pytest
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from sockets import shaken_hands
from tsushin.transports.frames import CHUNK_BYTES, LARGE_BYTES, FrameReader, joined, message_frame

MIB = 1 << 20
SIZES = [0, 1, 125, 126, 127, 65535, 65536, LARGE_BYTES + 3, CHUNK_BYTES - 1, CHUNK_BYTES + 5, MIB]
SIDES = pytest.mark.parametrize("is_masked", [True, False], ids=["from a client", "from a server"])
CODE = CloseCode.NORMAL_CLOSURE.to_bytes(2, "big")


def reader(is_masked, max_bytes=2 * MIB):
    """Return a reader and its protocol: a server's, where what comes is masked."""
    client, server = shaken_hands(max_size=max_bytes)
    protocol = server if is_masked else client
    return FrameReader(protocol, is_masked=is_masked, max_bytes=max_bytes), protocol


def plain(received):
    """Return messages as bytes and frames as their opcode, end and payload."""
    return [
        (one.opcode, one.fin, bytes(one.data)) if isinstance(one, Frame) else bytes(one)
        for one in received
    ]


def alone(frame):
    """Return a frame of the library as ``plain`` has what the reader makes of it."""
    return frame[2] if frame[:2] == (Opcode.BINARY, True) else frame


def in_cuts(data, random_):
    """Return data in pieces, small ones and large ones."""
    cuts = []
    while data:
        size = random_.choice([1, 2, 3, 7, 14, 100, 5000, 1 << 18])
        cuts.append(data[:size])
        data = data[size:]
    return cuts


# ------------------------------------------------------------------ writing


@SIDES
@pytest.mark.parametrize("size", SIZES)
def test_the_library_reads_what_is_written(is_masked, size):
    _, protocol = reader(is_masked)
    payload = os.urandom(size)
    protocol.receive_data(b"".join(message_frame([payload], mask=is_masked)))
    [frame] = protocol.events_received()
    assert plain([frame]) == [(Opcode.BINARY, True, payload)]


@SIDES
def test_a_message_of_many_parts_is_one_frame_in_few_pieces(is_masked):
    _, protocol = reader(is_masked)
    sizes = [8, 3, 500, LARGE_BYTES, 1, 0, 7, LARGE_BYTES + 1, CHUNK_BYTES + 1, 2]
    parts = [os.urandom(size) for size in sizes]
    pieces = list(message_frame(parts, mask=is_masked))
    assert len(pieces) <= 8
    protocol.receive_data(b"".join(pieces))
    [frame] = protocol.events_received()
    assert bytes(frame.data) == b"".join(parts)


def test_large_bytes_leave_from_where_they_are():
    large = os.urandom(MIB)
    head, body = message_frame([b"small", memoryview(large)[10:]], mask=False)
    assert len(head) == 10 + 5
    assert body.obj is large


@SIDES
def test_small_buffers_are_copied_at_once(is_masked):
    _, protocol = reader(is_masked)
    buffer, large = bytearray(1000), bytes(MIB)
    pieces = message_frame([memoryview(buffer), large, memoryview(buffer)], mask=is_masked)
    buffer[:] = b"x" * 1000
    protocol.receive_data(b"".join(pieces))
    [frame] = protocol.events_received()
    assert not any(frame.data)


def test_every_frame_has_a_mask_of_its_own():
    written = {bytes(next(message_frame([b"same"], mask=True))) for _ in range(20)}
    assert len(written) == 20


def test_a_large_frame_is_masked_as_it_is_taken():
    large = bytes(16 * MIB)
    pieces = message_frame([large], mask=True)
    tracemalloc.start()
    size = sum(map(len, pieces))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 16 * MIB + 14
    assert peak < 4 * CHUNK_BYTES


def test_small_pieces_are_put_together_and_large_ones_are_left():
    large = bytes(LARGE_BYTES)
    assert list(joined([b"a", b"b", large, large, memoryview(b"c"), b"d"])) == [
        b"ab",
        large,
        large,
        b"cd",
    ]
    assert list(joined([])) == []


# ------------------------------------------------------------------ reading


@SIDES
@pytest.mark.parametrize("seed", range(8))
def test_however_it_is_cut_it_is_what_the_library_reads(is_masked, seed):
    random_ = random.Random(seed)
    ours, protocol = reader(is_masked)
    _, librarys = reader(is_masked)
    data = b""
    for _ in range(30):
        payload = os.urandom(random_.choice(SIZES[:-1]))
        frames = random_.choice(
            [
                [Frame(Opcode.BINARY, payload)],
                [Frame(Opcode.BINARY, payload)],
                [Frame(Opcode.TEXT, b"text")],
                [Frame(Opcode.PING, payload[:125])],
                [Frame(Opcode.PONG, b"")],
                [
                    Frame(Opcode.BINARY, payload, fin=False),
                    Frame(Opcode.PING, b"between"),
                    Frame(Opcode.CONT, payload, fin=False),
                    Frame(Opcode.CONT, b"end"),
                ],
            ]
        )
        data += b"".join(frame.serialize(mask=is_masked) for frame in frames)
    data += Frame(Opcode.CLOSE, CODE).serialize(mask=is_masked) + b"nobody's"
    librarys.receive_data(data)
    got = [one for cut in in_cuts(data, random_) for one in ours.receive(cut)]
    assert plain(got) == [alone(frame) for frame in plain(librarys.events_received())]
    assert protocol.state is librarys.state is State.CLOSING
    # All but the masks is the same: the pongs, and the answer to the close.
    sizes = [len(said) for said in librarys.data_to_send()]
    assert [len(said) for said in protocol.data_to_send()] == sizes


@SIDES
@pytest.mark.parametrize("seed", range(300))
def test_what_is_damaged_ends_as_it_does_in_the_library(is_masked, seed):
    random_ = random.Random(seed)
    ours, protocol = reader(is_masked, max_bytes=100_000)
    _, librarys = reader(is_masked, max_bytes=100_000)
    frames = [
        Frame(Opcode.BINARY, bytes(10)),
        Frame(Opcode.BINARY, bytes(70_000)),
        Frame(Opcode.BINARY, bytes(200), fin=False),
        Frame(Opcode.PING, b"p"),
        Frame(Opcode.CONT, bytes(3)),
    ]
    random_.shuffle(frames)
    heads = []
    data = bytearray()
    for frame in frames:
        heads.append(len(data))
        data += frame.serialize(mask=is_masked)
    data[random_.choice(heads) + random_.choice([0, 0, 0, 1, 1, 2])] ^= 1 << random_.randrange(8)
    librarys.receive_data(bytes(data))
    got = [one for cut in in_cuts(bytes(data), random_) for one in ours.receive(cut)]
    assert plain(got) == [alone(frame) for frame in plain(librarys.events_received())]
    assert (protocol.state, protocol.close_sent) == (librarys.state, librarys.close_sent)


@SIDES
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc2\x80", CloseCode.PROTOCOL_ERROR),
        (b"\x83\x80", CloseCode.PROTOCOL_ERROR),
        (b"\x80\x80", CloseCode.PROTOCOL_ERROR),
        (b"\x89\xfe\x00\x7e", CloseCode.PROTOCOL_ERROR),
        (b"\x09\x80", CloseCode.PROTOCOL_ERROR),
        (b"\x82\xff" + struct.pack("!Q", 10 * 10**9), CloseCode.MESSAGE_TOO_BIG),
        (b"\x82\xff" + b"\xff" * 8, CloseCode.MESSAGE_TOO_BIG),
        (b"\x82\xff" + struct.pack("!Q", 2 * MIB + 1), CloseCode.MESSAGE_TOO_BIG),
        (b"\x02\x80MASK\x82\x80", CloseCode.PROTOCOL_ERROR),
    ],
    ids=[
        "a reserved bit",
        "a reserved opcode",
        "a continuation of nothing",
        "a long ping",
        "a ping in fragments",
        "10 GB",
        "all bits of the length",
        "one byte above the limit",
        "a message between fragments",
    ],
)
def test_what_is_not_allowed_is_refused_when_its_head_is_there(is_masked, data, code):
    ours, protocol = reader(is_masked)
    if not is_masked:
        begin = data.replace(b"\x80MASK", b"\x00").rindex(b"\x82") if b"MASK" in data else 0
        data = bytearray(data.replace(b"\x80MASK", b"\x00"))
        data[begin + 1] &= 0x7F
    tracemalloc.start()
    assert plain(ours.receive(bytes(data) + bytes(200))) in ([], [(Opcode.BINARY, False, b"")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert protocol.close_sent.code == code
    assert peak < MIB
    assert ours.missing == 0


@SIDES
def test_a_mask_where_none_belongs_and_none_where_one_does_is_refused(is_masked):
    ours, protocol = reader(is_masked)
    assert ours.receive(b"".join(message_frame([b"message"], mask=not is_masked))) == []
    assert protocol.close_sent.code == CloseCode.PROTOCOL_ERROR


@SIDES
def test_a_size_is_a_claim_and_takes_no_memory(is_masked):
    ours, _ = reader(is_masked, max_bytes=1 << 30)
    head = bytes([0x82, 0xFF if is_masked else 0x7F]) + struct.pack("!Q", 1 << 29)
    tracemalloc.start()
    assert ours.receive(head + bytes(1000)) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ours.missing == (1 << 29) - 1000 + (4 if is_masked else 0)
    assert peak < MIB
