"""``wire/ws_v1.py``: vectors, properties, and jupyter_server's own two functions."""

from __future__ import annotations

from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.kernels.connection import base as jupyter_server

from strategies import damaged, messages
from tsushin.errors import RemoteProtocolError, WireError
from tsushin.protocol.messages import Message
from tsushin.wire import ws_v1
from tsushin.wire.parts import JSON_PARTS, encode_json
from vectors import as_bytes, error_as_json, load

HEADER = {"msg_id": "m1", "msg_type": "comm_msg"}
MESSAGE = Message(
    "shell", HEADER, content={"comm_id": "c1", "data": {}}, buffers=(memoryview(b"ab"),)
)
VALID = load("ws-v1/valid")
INVALID = load("ws-v1/invalid")


# --- vectors ---


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_valid_frame_decodes_to_the_message(vector):
    assert as_bytes(ws_v1.decode(vector.frame, limits=vector.limits)) == as_bytes(vector.message)


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_valid_message_comes_back(vector):
    assert as_bytes(ws_v1.decode(ws_v1.encode(vector.message))) == as_bytes(vector.message)


@pytest.mark.parametrize("vector", [v for v in VALID if "canonical" in v.flags], ids=str)
def test_a_canonical_message_encodes_to_exactly_the_frame(vector):
    assert ws_v1.encode(vector.message) == vector.frame


@pytest.mark.parametrize("vector", INVALID, ids=str)
def test_an_invalid_frame_raises_the_named_error(vector):
    with pytest.raises(RemoteProtocolError) as caught:
        ws_v1.decode(vector.frame, limits=vector.limits)
    assert error_as_json(caught.value) == vector.raw["error"]


# --- frames in, frames out ---


@given(message=messages())
def test_any_message_comes_back(message):
    assert as_bytes(ws_v1.decode(ws_v1.encode(message))) == as_bytes(message)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_frame_may_be_any_bytes(kind):
    assert as_bytes(ws_v1.decode(kind(ws_v1.encode(MESSAGE)))) == as_bytes(MESSAGE)


def test_decoded_buffers_are_read_only_views_into_the_frame():
    frame = bytearray(ws_v1.encode(MESSAGE))
    [buffer] = ws_v1.decode(frame).buffers
    frame[-1] = ord("z")
    assert (bytes(buffer), buffer.readonly) == (b"az", True)


def test_typed_sub_views_do_not_shift_what_follows():
    floats = memoryview(array("f", [1.0, 2.0, 3.0, 4.0]))
    message = Message("shell", HEADER, buffers=(floats[1:3], memoryview(b"next")))
    decoded = ws_v1.decode(ws_v1.encode(message))
    assert decoded.buffers == (array("f", [2.0, 3.0]).tobytes(), b"next")


def test_a_buffer_with_gaps_is_named():
    message = Message("shell", HEADER, buffers=(memoryview(b"ok"), memoryview(b"abcd")[::2]))
    with pytest.raises(ValueError, match="buffer 1: expected contiguous"):
        ws_v1.encode(message)


def test_raw_json_in_the_content_is_sent_as_it_is():
    content = {"data": msgspec.Raw(b'{"v": 1.50}')}
    assert ws_v1.encode(Message("shell", HEADER, content=content)).endswith(b'{"data":{"v": 1.50}}')


def test_identities_stay_behind():
    message = Message("iopub", HEADER, identities=(b"topic",))
    assert ws_v1.decode(ws_v1.encode(message)).identities == ()


# --- what a peer can do ---


def test_a_frame_cut_short_anywhere_is_refused():
    frame = ws_v1.encode(MESSAGE)
    for size in range(len(frame)):
        with pytest.raises(WireError, match=r"^offset table: "):
            ws_v1.decode(frame[:size])


@given(data=st.data())
def test_damaged_frames_raise_only_what_is_documented(data):
    frame = data.draw(damaged(ws_v1.encode(MESSAGE)))
    try:
        message = ws_v1.decode(frame)
    except RemoteProtocolError:
        return
    assert as_bytes(ws_v1.decode(ws_v1.encode(message))) == as_bytes(message)


# --- jupyter_server ---


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_jupyter_server_reads_what_we_write(vector):
    message = vector.message
    channel, parts = jupyter_server.deserialize_msg_from_ws_v1(ws_v1.encode(message))
    assert channel == message.channel
    assert [msgspec.json.decode(part) for part in parts[:4]] == [
        getattr(message, name) for name in JSON_PARTS
    ]
    assert parts[4:] == [bytes(buffer) for buffer in message.buffers]


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_we_read_what_jupyter_server_writes(vector):
    message = vector.message
    parts = [encode_json(getattr(message, name)) for name in JSON_PARTS]
    parts += [bytes(buffer) for buffer in message.buffers]
    frame = jupyter_server.serialize_msg_to_ws_v1(parts, message.channel)
    assert as_bytes(ws_v1.decode(frame)) == as_bytes(message)
