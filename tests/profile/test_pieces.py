from __future__ import annotations

import ctypes
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tsushin.errors import RemoteProtocolError
from tsushin.profile import pieces
from tsushin.profile.pieces import PIECE_BYTES, Joiner, cut, dropped
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from vectors import load


def message(*buffers, data=None, msg_type="comm_msg"):
    header = new_header(msg_type, msg_id="1", session="s", now=0)
    content = {"comm_id": "c", "data": data or {}}
    views = tuple(memoryview(b) for b in buffers)
    return Message("shell", header, {"msg_id": "p"}, {"k": [1]}, content, views)


def pieces_of(whole):
    total, parts = cut(whole)
    parts = list(parts)
    assert total == sum(nbytes for _, nbytes in parts)
    return [piece for piece, _ in parts]


def joined(parts, limits=None):
    joiner = Joiner(limits or Limits())
    return [whole for one in parts if (whole := joiner.take(one)) is not None]


@given(
    st.lists(st.integers(0, 40).map(lambda n: bytes(range(n)) * 3), max_size=5),
    st.integers(1, 100),
)
def test_pieces_of_any_size_give_the_message_again(buffers, piece_bytes):
    before = pieces.PIECE_BYTES
    pieces.PIECE_BYTES = piece_bytes
    try:
        whole = message(*buffers, data={"t": "通信"})
        parts = pieces_of(whole)
    finally:
        pieces.PIECE_BYTES = before
    assert all(sum(b.nbytes for b in p.buffers) <= piece_bytes for p in parts)
    assert joined(parts) == [whole]


def test_a_piece_has_at_most_so_many_bytes_and_the_header_of_the_whole():
    whole = message(bytes(3 * PIECE_BYTES))
    parts = pieces_of(whole)
    assert len(parts) == 4
    assert {sum(b.nbytes for b in p.buffers) for p in parts[:3]} == {PIECE_BYTES}
    assert all(p.header == whole.header for p in parts)
    assert all(p.content == {"comm_id": "c", "data": {}} for p in parts)


def test_large_json_goes_in_pieces_too():
    whole = message(data={"text": "x" * (2 * PIECE_BYTES)})
    parts = pieces_of(whole)
    assert len(parts) == 3
    assert joined(parts) == [whole]


def test_buffers_are_sliced_not_copied_and_come_out_read_only():
    data = bytearray(2 * PIECE_BYTES)
    parts = pieces_of(message(data))
    data[-1] = 7
    [whole] = joined(parts)
    assert whole.buffers[0][-1] == 7
    assert whole.buffers[0].readonly


def test_messages_that_are_whole_pass():
    small = message(b"1")
    assert joined([small, small]) == [small, small]


def test_what_is_dropped_is_never_joined():
    whole = message(bytes(3 * PIECE_BYTES))
    parts = pieces_of(whole)
    after = message(b"after")
    assert joined([*parts[:2], dropped(whole), after]) == [after]
    assert joined([*parts[2:], after]) == [after]  # its beginning is missing for good
    assert joined([*parts[:2], after, *parts[2:]]) == [after]


@pytest.mark.parametrize(
    ("piece", "about"),
    [
        ([], "expected an object"),
        ({"sizes": "many"}, "expected sizes"),
        ({"sizes": []}, "expected sizes"),
        ({"sizes": [-1]}, "expected sizes"),
        ({"sizes": [True]}, "expected sizes"),
        ({"sizes": [2**52]}, "max_joined_bytes"),
        ({"sizes": [2**27, 1]}, "max_json_bytes"),
        ({"sizes": [1] * 5000}, "max_buffers"),
        ({"sizes": [1]}, "more bytes"),
        ({"sizes": [3]}, "piece: "),
    ],
)
def test_malformed_pieces_are_faults_and_the_next_message_is_well(piece, about):
    bad = message(b"abc")
    bad.metadata["tsushin"] = {"piece": piece}
    joiner = Joiner()
    with pytest.raises(RemoteProtocolError, match=about):
        joiner.take(bad)
    assert not joiner.is_joining
    after = message(b"1")
    assert joiner.take(after) is after


def test_what_there_is_no_memory_for_is_a_fault():
    nbytes = 1 << 61
    claimed = memoryview((ctypes.c_ubyte * nbytes).from_address(1))  # nobody reads it
    bad = replace(message(), buffers=(claimed,))
    bad.metadata["tsushin"] = {"piece": {"sizes": [2, nbytes]}}
    joiner = Joiner(Limits(max_joined_bytes=1 << 62))
    joiner.take(replace(bad, buffers=(memoryview(b"{}"),)))
    bad.metadata["tsushin"] = {"piece": {}}
    with pytest.raises(RemoteProtocolError, match="no memory"):
        joiner.take(bad)
    assert not joiner.is_joining


def test_a_size_is_a_claim_and_takes_no_memory():
    claim = message(b"{}", bytes(100))
    claim.metadata["tsushin"] = {"piece": {"sizes": [2, 1 << 30]}}
    joiner = Joiner()
    tracemalloc.start()
    assert joiner.take(claim) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert joiner.is_joining
    assert peak < 1 << 20


def given(vector):
    for one in vector.raw["pieces"]:
        piece = message(*map(bytes.fromhex, one["buffers"]))
        piece.metadata["tsushin"] = {"piece": one["piece"]}
        yield piece


@pytest.mark.parametrize("vector", load("pieces/valid"), ids=str)
def test_each_valid_case_comes_to_its_messages(vector):
    found = [
        {
            "parent_header": m.parent_header,
            "metadata": m.metadata,
            "content": m.content,
            "buffers": [b.hex() for b in m.buffers],
        }
        for m in joined(given(vector))
    ]
    assert found == vector.raw["messages"]


@pytest.mark.parametrize("vector", load("pieces/invalid"), ids=str)
def test_each_invalid_case_is_a_fault(vector):
    with pytest.raises(RemoteProtocolError, match=r"^piece: "):
        joined(given(vector))
