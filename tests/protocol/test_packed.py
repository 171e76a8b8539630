from __future__ import annotations

from datetime import UTC, datetime
from math import isnan

from msgspec.structs import replace

from tsushin.protocol.buffers import encode_data
from tsushin.protocol.messages import Message, new_header, plain
from tsushin.protocol.packed import Packed


def opening(**content):
    header = new_header("comm_open", msg_id="m", session="s", now=1.5, username="u")
    return Message("shell", header, content={"comm_id": "c", "target_name": "t", **content})


def test_a_message_comes_back_as_it_was():
    message = replace(
        opening(data={"a": [1, 2.5, None, "é"]}),
        parent_header={"msg_id": "cell"},
        metadata={"mine": 10**30},
        buffers=(memoryview(b"abc"),),
    )
    assert Packed.of(message).message() == message


def test_each_time_it_is_made_anew():
    packed = Packed.of(opening(data={"a": 1}))
    packed.message().content["data"]["a"] = 2
    assert packed.message().content["data"] == {"a": 1}


def test_binary_is_put_back_into_the_data():
    encoded = encode_data({"picture": b"png"}, buffers=[b"mine"])
    message = plain(replace(opening(data=encoded.data), metadata=encoded.metadata))
    unpacked = Packed.of(replace(message, buffers=encoded.buffers)).message()
    assert bytes(unpacked.content["data"]["picture"]) == b"png"
    assert [bytes(buffer) for buffer in unpacked.buffers] == [b"mine"]


def test_a_missing_data_is_an_empty_object():
    assert Packed.of(opening()).message().content["data"] == {}


def test_what_other_parsers_let_in_survives():
    data = Packed.of(opening(data={"x": float("nan"), "y": "\ud800"})).message().content["data"]
    assert isnan(data["x"])
    assert data["y"] == "\ud800"


def test_a_message_with_more_than_json_is_not_packed():
    message = opening(data={})
    message.header["date"] = datetime.now(UTC)
    assert Packed.of(message) is None


def test_one_nested_too_deeply_is_not_packed():
    data = []
    for _ in range(3000):
        data = [data]
    assert Packed.of(opening(data={"a": data})) is None


def test_it_takes_a_third_of_what_the_objects_do():
    packed = Packed.of(opening(data={}))
    assert len(packed.parts) < 300
