"""``wire/ws_default.py``: vectors, properties, and jupyter_server's own two functions."""

from __future__ import annotations

import copy
import json
from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.kernels.connection import base as jupyter_server

from strategies import damaged, messages
from tsushin.errors import RemoteProtocolError, WireError
from tsushin.protocol.messages import Message
from tsushin.wire import ws_default
from tsushin.wire.parts import JSON_PARTS
from vectors import as_bytes, error_as_json, load

HEADER = {"msg_id": "m1", "msg_type": "comm_msg"}
CONTENT = {"comm_id": "c1", "data": {"é": [1]}}
TEXT = Message("shell", HEADER, content=CONTENT)
BINARY = Message("shell", HEADER, content=CONTENT, buffers=(memoryview(b"ab"), memoryview(b"c")))
VALID = load("ws-default/valid")
INVALID = load("ws-default/invalid")


# --- vectors ---


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_valid_frame_decodes_to_the_message(vector):
    assert as_bytes(ws_default.decode(vector.frame, limits=vector.limits)) == as_bytes(
        vector.message
    )


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_valid_message_comes_back(vector):
    assert as_bytes(ws_default.decode(ws_default.encode(vector.message))) == as_bytes(
        vector.message
    )


@pytest.mark.parametrize("vector", [v for v in VALID if "canonical" in v.flags], ids=str)
def test_a_canonical_message_encodes_to_exactly_the_frame(vector):
    assert ws_default.encode(vector.message) == vector.frame


@pytest.mark.parametrize("vector", INVALID, ids=str)
def test_an_invalid_frame_raises_the_named_error(vector):
    with pytest.raises(RemoteProtocolError) as caught:
        ws_default.decode(vector.frame, limits=vector.limits)
    assert error_as_json(caught.value) == vector.raw["error"]


# --- frames in, frames out ---


@given(message=messages())
def test_any_message_comes_back(message):
    assert as_bytes(ws_default.decode(ws_default.encode(message))) == as_bytes(message)


@pytest.mark.parametrize(("message", "kind"), [(TEXT, str), (BINARY, bytes)])
def test_a_frame_is_text_unless_there_are_buffers(message, kind):
    assert isinstance(ws_default.encode(message), kind)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_binary_frame_may_be_any_bytes(kind):
    assert as_bytes(ws_default.decode(kind(ws_default.encode(BINARY)))) == as_bytes(BINARY)


def test_decoded_buffers_are_read_only_views_into_the_frame():
    frame = bytearray(ws_default.encode(BINARY))
    buffer = ws_default.decode(frame).buffers[-1]
    frame[-1] = ord("z")
    assert (bytes(buffer), buffer.readonly) == (b"z", True)


@pytest.mark.parametrize("message", [TEXT, BINARY])
def test_encoding_leaves_the_message_alone(message):
    before = copy.deepcopy(as_bytes(message))
    ws_default.encode(message)
    assert as_bytes(message) == before


def test_typed_sub_views_do_not_shift_what_follows():
    floats = memoryview(array("f", [1.0, 2.0, 3.0, 4.0]))
    message = Message("shell", HEADER, buffers=(floats[1:3], memoryview(b"next")))
    decoded = ws_default.decode(ws_default.encode(message))
    assert decoded.buffers == (array("f", [2.0, 3.0]).tobytes(), b"next")


def test_a_buffer_with_gaps_is_named():
    message = Message("shell", HEADER, buffers=(memoryview(b"ok"), memoryview(b"abcd")[::2]))
    with pytest.raises(ValueError, match="buffer 1: expected contiguous"):
        ws_default.encode(message)


def test_raw_json_in_the_content_is_sent_as_it_is():
    content = {"data": msgspec.Raw(b'{"v": 1.50}')}
    assert '"content":{"data":{"v": 1.50}}' in ws_default.encode(
        Message("shell", HEADER, content=content)
    )


# --- what a peer can do ---


@pytest.mark.parametrize("text", ['{"a":"\ud800"}', "\udfff"])
def test_text_that_is_no_utf8_is_a_wire_error(text):
    with pytest.raises(WireError, match=r"^message: expected UTF-8"):
        ws_default.decode(text)


def test_text_cut_short_anywhere_is_refused():
    text = ws_default.encode(TEXT)
    for size in range(len(text)):
        with pytest.raises(WireError, match=r"^message: "):
            ws_default.decode(text[:size])


@given(data=st.data(), message=st.sampled_from([TEXT, BINARY]))
def test_damaged_frames_raise_only_what_is_documented(data, message):
    frame = ws_default.encode(message)
    try:
        if isinstance(frame, str):
            frame = data.draw(damaged(frame.encode())).decode(errors="surrogateescape")
        else:
            frame = data.draw(damaged(frame))
        message = ws_default.decode(frame)
    except RemoteProtocolError:
        return
    assert as_bytes(ws_default.decode(ws_default.encode(message))) == as_bytes(message)


# --- jupyter_server ---


def classic(message: Message) -> dict[str, object]:
    """Return the dict that Jupyter Server's functions take, as its Session made it."""
    parts = {name: getattr(message, name) for name in JSON_PARTS}
    header = message.header
    return {
        **parts,
        "msg_id": header["msg_id"],
        "msg_type": header["msg_type"],
        "channel": message.channel,
        "buffers": [bytes(buffer) for buffer in message.buffers],
    }


@pytest.mark.parametrize("vector", [v for v in VALID if v.message.buffers], ids=str)
def test_jupyter_server_reads_our_binary_frames(vector):
    message = vector.message
    read = jupyter_server.deserialize_binary_message(ws_default.encode(message))
    assert (read["channel"], read["content"]) == (message.channel, message.content)
    assert (read["header"]["msg_id"], read["metadata"]) == (
        message.header["msg_id"],
        message.metadata,
    )
    assert read["buffers"] == [bytes(buffer) for buffer in message.buffers]


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_we_read_the_binary_frames_of_jupyter_server(vector):
    frame = jupyter_server.serialize_binary_message(classic(vector.message))
    assert as_bytes(ws_default.decode(frame)) == as_bytes(vector.message)


@pytest.mark.parametrize("vector", [v for v in VALID if not v.message.buffers], ids=str)
def test_we_read_text_as_jupyter_server_writes_it(vector):
    assert as_bytes(ws_default.decode(json.dumps(classic(vector.message)))) == as_bytes(
        vector.message
    )
