"""Messages as jupyter_client parsed them, checked."""

from __future__ import annotations

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.kernel.raw import message_of

RAW = {
    "header": {"msg_id": "m", "msg_type": "comm_msg", "session": "s"},
    "parent_header": {},
    "metadata": {"a": 1},
    "content": {"comm_id": "c", "data": {}},
    "buffers": [memoryview(b"xyz")],
}


def test_a_message_keeps_its_parts_and_its_buffers():
    message = message_of(RAW)
    assert (message.msg_type, message.metadata, message.content["comm_id"]) == (
        "comm_msg", {"a": 1}, "c",
    )  # fmt: skip
    assert [bytes(buffer) for buffer in message.buffers] == [b"xyz"]
    assert message.buffers[0].readonly


@pytest.mark.parametrize("part", ["header", "parent_header", "metadata", "content"])
@pytest.mark.parametrize("value", [None, "text", 3])
def test_a_part_that_is_no_object_is_refused(part, value):
    with pytest.raises(RemoteProtocolError, match=part):
        message_of(RAW | {part: value})


def test_an_id_that_cannot_be_sent_back_is_refused():
    with pytest.raises(RemoteProtocolError, match=r"content\.comm_id: expected text"):
        message_of(RAW | {"content": {"comm_id": "\ud800", "data": {}}})
