from __future__ import annotations

import pytest

from tsushin.kernel.end import V1, Frames
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import ws_default, ws_v1

MESSAGE = Message(
    "iopub",
    new_header("comm_msg", msg_id="1", session="s", now=0.0),
    content={"comm_id": "a", "data": {}},
    buffers=(memoryview(b"xyz"),),
)


@pytest.mark.parametrize(("subprotocol", "codec"), [(V1, ws_v1), (None, ws_default)])
def test_each_subprotocol_gets_its_own_encoding(subprotocol, codec):
    assert codec.decode(Frames(MESSAGE).of(subprotocol)) == MESSAGE


def test_a_message_is_encoded_once_for_all_pages_of_a_subprotocol():
    frames = Frames(MESSAGE)
    assert frames.of(V1) is frames.of(V1)
