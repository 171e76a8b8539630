"""``wire/parts.py``: byte views, JSON, and the checks all carriers share."""

from __future__ import annotations

import ctypes
import mmap
from array import array

import msgspec
import numpy as np
import pytest

from tsushin.errors import LimitExceeded, WireError
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import CHANNELS, Message
from tsushin.wire.parts import (
    buffer_views,
    byte_view,
    check_channel,
    check_parts,
    check_sizes,
    decode_json,
    decode_parts,
    encode_json,
    encode_parts,
)

HEADER = {"msg_id": "m1", "msg_type": "comm_msg"}


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "data",
    [
        b"\1\2\3\4",
        bytearray(b"\1\2\3\4"),
        memoryview(b"\1\2\3\4").cast("I"),
        memoryview(b"\1\2\3\4").cast("B", (2, 2)),
        memoryview(b"\1\2\3\4").cast("c"),
        array("H", [0x0201, 0x0403]),
        np.array([[1, 2], [3, 4]], "u1"),
        np.frombuffer(b"\1\2\3\4", "<u4")[0],
        ctypes.c_uint32(0x04030201),
    ],
    ids=lambda data: type(data).__name__,
)
def test_anything_bytes_like_becomes_a_view_of_its_bytes(data):
    view = byte_view(data, "buffer 0")
    assert (view, view.format, view.ndim, view.readonly) == (b"\1\2\3\4", "B", 1, True)


def test_a_view_copies_nothing():
    memory = bytearray(4)
    view = byte_view(memory, "buffer 0")
    memory[0] = 7
    assert view[0] == 7


def test_a_sub_view_shows_its_own_bytes_only():
    floats = memoryview(array("f", [1.0, 2.0, 3.0, 4.0]))
    assert byte_view(floats[1:3], "buffer 0") == array("f", [2.0, 3.0]).tobytes()


@pytest.mark.parametrize(
    "data", [b"", memoryview(b"").cast("f"), np.zeros((0, 3)), np.zeros((3, 0), order="F")]
)
def test_nothing_is_a_view_of_no_bytes(data):
    assert byte_view(data, "buffer 0") == b""


@pytest.mark.parametrize("data", [memoryview(b"abcd")[::2], np.ones((2, 2), order="F")])
def test_memory_with_gaps_or_in_another_order_is_a_value_error_that_names_the_buffer(data):
    with pytest.raises(ValueError, match="buffer 3: expected contiguous memory"):
        byte_view(data, "buffer 3")


def test_text_is_not_bytes_like():
    with pytest.raises(TypeError):
        byte_view("text", "buffer 0")


def test_raw_json_is_copied_through():
    assert encode_json({"data": msgspec.Raw(b'{"a": 1.0}')}) == b'{"data":{"a": 1.0}}'


def test_the_parts_are_encoded_in_wire_order():
    message = Message("shell", HEADER, {"p": 1}, {"m": 2}, {"c": 3})
    assert encode_parts(message) == [
        b'{"msg_id":"m1","msg_type":"comm_msg"}',
        b'{"p":1}',
        b'{"m":2}',
        b'{"c":3}',
    ]


def test_decoding_parts_undoes_encoding_them():
    message = Message("shell", HEADER, {"p": [None]}, {"m": {}}, {"c": "é"})
    parts = list(map(memoryview, encode_parts(message)))
    assert decode_parts(parts) == (HEADER, {"p": [None]}, {"m": {}}, {"c": "é"})


def test_the_buffers_of_a_message_become_byte_views_named_by_their_place():
    floats = memoryview(array("f", [1.0, 2.0, 3.0, 4.0]))
    message = Message("shell", HEADER, buffers=(memoryview(b"a"), floats))
    assert buffer_views(message) == [b"a", floats.tobytes()]
    with pytest.raises(ValueError, match="buffer 1: "):
        buffer_views(Message("shell", HEADER, buffers=(memoryview(b"a"), floats[::2])))


def test_a_channel_by_its_name():
    assert [check_channel(name) for name in ("shell", "iopub", "control", "stdin")] == list(
        CHANNELS
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"nope", "invalid character"),
        (b"{} {}", "trailing"),
        (b'{"v":NaN}', "invalid character"),
        (b'"\xff"', "expected UTF-8"),
        (b'"\xed\xa0\x80"', "expected UTF-8"),
        (b'{"v":1e400}', "out of range"),
        (b"1" * 5000, "out of range"),
        (b'"\\udc00x"', "surrogate"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 1_000_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_a_wire_error_that_names_the_part(data, why):
    with pytest.raises(WireError, match=f"^content: .*{why}") as caught:
        decode_json(data, "content")
    assert (caught.value.part, caught.value.offset) == ("content", None)


def test_the_text_of_an_error_is_short_however_deep_the_fault_is():
    with pytest.raises(WireError) as caught:
        decode_json(b"[" * 500 + b"1e400" + b"]" * 500, "content")
    assert str(caught.value) == "content: expected JSON: Number out of range"


def test_the_text_of_an_error_holds_no_peer_data():
    with pytest.raises(WireError) as caught:
        decode_json(b'{"secret-word": nope}', "content")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [[], [1], nested(900), "x" * 10_000, None, 1.5, True])
@pytest.mark.parametrize("at", range(4))
def test_each_part_must_be_an_object(value, at):
    values = [HEADER, {}, {}, {}]
    if value == [] and at in (1, 2):
        values[at] = value
        assert check_parts(values) == (HEADER, {}, {}, {})
        return
    values[at] = value
    with pytest.raises(WireError, match="expected a JSON object") as caught:
        check_parts(values)
    assert caught.value.part == ("header", "parent_header", "metadata", "content")[at]
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("key", ["msg_id", "msg_type", "session"])
@pytest.mark.parametrize("value", [None, 1, [], nested(900), {"a": 1}])
def test_header_fields_that_serve_as_names_must_be_strings(key, value):
    with pytest.raises(WireError, match=f"^header: {key}: expected a string, got "):
        check_parts([{**HEADER, key: value}, {}, {}, {}])


@pytest.mark.parametrize("key", ["msg_id", "msg_type"])
def test_a_header_without_them_is_refused(key):
    header = {k: v for k, v in HEADER.items() if k != key}
    with pytest.raises(WireError, match=f"^header: {key}: expected a string, got nothing"):
        check_parts([header, {}, {}, {}])


@pytest.mark.parametrize(
    "value", ["", "hb", "SHELL", None, 1, ["shell"], {"shell": 1}, nested(900)]
)
def test_only_four_names_are_channels(value):
    with pytest.raises(WireError, match=r"^channel: expected one of shell, iopub, control, stdin"):
        check_channel(value)


def test_sizes_are_bytes_and_the_part_is_named():
    parts = [memoryview(b"{}")] * 3 + [memoryview(b'"\xc3\xa9"')]
    check_sizes(parts, Limits(max_json_bytes=4))
    with pytest.raises(LimitExceeded, match=r"^content: max_json_bytes is 3 bytes, got 4"):
        check_sizes(parts, Limits(max_json_bytes=3))


def test_a_view_keeps_its_memory_alive():
    memory = mmap.mmap(-1, 16)
    view = byte_view(memory, "buffer 0")
    with pytest.raises(BufferError):
        memory.close()
    assert len(view) == 16
