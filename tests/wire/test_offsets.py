"""``wire/offsets.py``: frames cut by an offset table, for both widths."""

from __future__ import annotations

import mmap
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsushin.errors import LimitExceeded, WireError
from tsushin.protocol.limits import Limits
from tsushin.wire.offsets import Layout

V1 = Layout(order="<", kind="Q", least_parts=5, has_end=True)
DEFAULT = Layout(order=">", kind="I", least_parts=1, has_end=False)
LAYOUTS = pytest.mark.parametrize("layout", [V1, DEFAULT], ids=["v1", "default"])
LIMITS = Limits(max_buffers=10, max_message_bytes=10_000)
PARTS = [b"one", b"", b"three", b"four", b"five", b"six"]


@LAYOUTS
@given(parts=st.lists(st.binary(max_size=20), min_size=5, max_size=9))
def test_cut_undoes_join(layout, parts):
    assert layout.cut(memoryview(layout.join(parts)), LIMITS) == parts


def test_the_two_tables_as_bytes():
    assert V1.join([b"a", b"bc"]) == struct.pack("<4Q", 3, 32, 33, 35) + b"abc"
    assert DEFAULT.join([b"a", b"bc"]) == struct.pack(">3I", 2, 12, 13) + b"abc"


@LAYOUTS
def test_parts_are_views_into_the_frame(layout):
    frame = layout.join(PARTS)
    assert all(part.obj is frame for part in layout.cut(memoryview(frame), LIMITS))


@LAYOUTS
def test_every_frame_cut_short_inside_the_table_is_refused(layout):
    frame = layout.join(PARTS)
    table_bytes = layout.width * (1 + len(PARTS) + layout.has_end)
    for size in range(table_bytes):
        with pytest.raises(WireError) as caught:
            layout.cut(memoryview(frame)[:size], LIMITS)
        assert (caught.value.part, caught.value.offset) == ("offset table", 0)


@LAYOUTS
@given(data=st.binary(max_size=200))
def test_any_bytes_are_cut_into_all_of_the_frame_or_refused(layout, data):
    try:
        parts = layout.cut(memoryview(data), LIMITS)
    except (WireError, LimitExceeded):
        return
    assert layout.join(parts) == data


@pytest.mark.parametrize(
    ("layout", "frame"),
    [
        (V1, struct.pack("<Q", 10_000_000)),
        (V1, b"\xff" * 8),
        (V1, struct.pack("<Q", 2**61) + bytes(64)),
        (DEFAULT, struct.pack(">I", 10_000_000)),
        (DEFAULT, b"\xff" * 4),
        (DEFAULT, struct.pack(">I", 2**30) + bytes(64)),
    ],
)
def test_a_claimed_count_costs_nothing(layout, frame):
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="count is"):
            layout.cut(memoryview(frame), Limits())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20_000


@LAYOUTS
def test_a_true_but_excessive_count_is_refused_before_the_offsets_are_read(layout):
    frame = layout.join([b""] * 100_000)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="max_buffers is 10 count, got"):
            layout.cut(memoryview(frame), Limits(max_buffers=10))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20_000


@LAYOUTS
def test_joining_copies_the_parts_once(layout):
    megabyte = 1024 * 1024
    parts = [b""] * 5 + [memoryview(bytes(8 * megabyte))]
    tracemalloc.start()
    try:
        frame = layout.join(parts)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(frame) > 8 * megabyte
    assert peak_bytes < 9 * megabyte


def test_32_bit_offsets_cannot_reach_beyond_4_gib():
    sparse = memoryview(mmap.mmap(-1, 2**32))
    with pytest.raises(ValueError, match="offsets of 4 bytes cannot reach byte"):
        DEFAULT.join([b"{}", sparse, b"unreachable"])


@LAYOUTS
@pytest.mark.parametrize("index", range(1, 6))
@pytest.mark.parametrize("value", [0, 10_000])
def test_an_offset_out_of_order_or_past_the_end_is_named_by_its_place(layout, index, value):
    frame = bytearray(layout.join(PARTS))
    at = layout.width * (1 + index)
    struct.pack_into(layout.order + layout.kind, frame, at, value)
    with pytest.raises(WireError, match=f"offset {index} is {value}") as caught:
        layout.cut(memoryview(frame), LIMITS)
    assert (caught.value.part, caught.value.offset) == ("offset table", at)


@LAYOUTS
@pytest.mark.parametrize("by", [-1, 1])
def test_the_first_part_begins_right_behind_the_table(layout, by):
    frame = bytearray(layout.join(PARTS))
    table_bytes = layout.width * (1 + len(PARTS) + layout.has_end)
    struct.pack_into(layout.order + layout.kind, frame, layout.width, table_bytes + by)
    with pytest.raises(WireError, match="offset 0 is") as caught:
        layout.cut(memoryview(frame), LIMITS)
    assert caught.value.offset == layout.width


def test_bytes_behind_the_last_offset_are_refused():
    frame = V1.join(PARTS)
    with pytest.raises(WireError, match="last offset is") as caught:
        V1.cut(memoryview(frame + b"!"), LIMITS)
    assert caught.value.offset == 8 * (1 + len(PARTS))


@LAYOUTS
def test_fewer_parts_than_every_message_has_are_refused(layout):
    frame = layout.join([b"x"] * layout.least_parts)
    few = (layout.least_parts - 1 + layout.has_end).to_bytes(
        layout.width, "little" if layout.order == "<" else "big"
    )
    with pytest.raises(WireError, match=f"expected at least {layout.least_parts} parts") as caught:
        layout.cut(memoryview(few + frame[layout.width :]), LIMITS)
    assert caught.value.offset == 0


@LAYOUTS
def test_a_frame_over_the_limit_is_refused_before_it_is_read(layout):
    with pytest.raises(LimitExceeded, match="max_message_bytes is 10000 bytes, got 10001"):
        layout.cut(memoryview(bytes(10_001)), LIMITS)


def test_an_error_says_what_where_expected_and_got():
    frame = bytearray(V1.join(PARTS))
    struct.pack_into("<Q", frame, 8 * 4, 9912)
    with pytest.raises(WireError) as caught:
        V1.cut(memoryview(frame), LIMITS)
    assert str(caught.value) == f"offset table: offset 3 is 9912, message has {len(frame)} bytes"
    assert caught.value.offset == 32
