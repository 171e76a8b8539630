from __future__ import annotations

import msgspec
import pytest

from tsushin.errors import LimitExceeded, WireError
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.wire.afm import decode, encode

HEADER = new_header("comm_msg", msg_id="m1", session="s", now=0)
CONTENT = {"comm_id": "c", "data": {"text": "通信"}}


def message(**parts):
    return Message("shell", HEADER, {}, {"m": 1}, CONTENT, **parts)


def test_a_message_comes_back_as_it_was():
    sent = message(buffers=(memoryview(b""), memoryview(b"\x01\x02")))
    assert decode(encode(sent), sent.buffers) == sent


def test_data_encoded_at_send_is_plain_json_here():
    content = {"comm_id": "c", "data": msgspec.Raw(b'{"a":1}')}
    packed = encode(Message("iopub", HEADER, content=content))
    assert packed["content"] == {"comm_id": "c", "data": {"a": 1}}


@pytest.mark.parametrize("part", ["channel", "header", "metadata", "content"])
def test_a_missing_part_is_refused(part):
    packed = encode(message())
    del packed[part]
    with pytest.raises(WireError):
        decode(packed)


def test_what_is_no_object_is_refused():
    with pytest.raises(WireError, match="expected a JSON object"):
        decode([1])


@pytest.mark.parametrize("limits", [Limits(max_buffers=1), Limits(max_message_bytes=1)])
def test_buffers_are_bounded(limits):
    with pytest.raises(LimitExceeded):
        decode(encode(message()), [b"a", b"b"], limits)
