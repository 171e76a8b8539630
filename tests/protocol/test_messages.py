"""Messages as values."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from tsushin.protocol.messages import (
    CHANNELS,
    PROTOCOL_VERSION,
    Message,
    new_header,
    plain,
    to_classic,
)


def message(msg_type, content, **others):
    header = new_header(msg_type, msg_id="m1", session="s1", now=0.0)
    return Message("shell", header, content=content, **others)


def test_channels_are_those_that_carry_messages():
    assert CHANNELS == ("shell", "iopub", "control", "stdin")


def test_a_header_has_the_fields_of_the_specification():
    assert new_header("comm_msg", msg_id="m1", session="s1", now=0.0, username="ada") == {
        "msg_id": "m1",
        "msg_type": "comm_msg",
        "session": "s1",
        "username": "ada",
        "date": "1970-01-01T00:00:00.000000+00:00",
        "version": PROTOCOL_VERSION,
    }


def test_the_date_is_utc_with_microseconds():
    date = new_header("x", msg_id="m", session="s", now=1.25)["date"]
    assert datetime.fromisoformat(date).utcoffset() == timedelta(0)
    assert date.startswith("1970-01-01T00:00:01.25")


def test_a_header_without_type_and_session_reads_as_empty():
    bare = Message("shell", {})
    assert (bare.msg_type, bare.session) == ("", "")


def test_a_message_cannot_be_changed():
    with pytest.raises(AttributeError):
        message("comm_msg", {}).channel = "iopub"


def test_two_messages_share_no_default():
    first, second = message("comm_msg", {}), message("comm_msg", {})
    first.metadata["mine"] = True
    assert second.metadata == {}


def test_classic_has_the_shape_handlers_know():
    classic = to_classic(message("comm_msg", {"data": {"a": 1}}))
    assert classic["content"]["data"] == {"a": 1}
    assert (classic["msg_id"], classic["msg_type"]) == ("m1", "comm_msg")


def test_classic_buffers_are_the_same_views():
    view = memoryview(b"abc")
    assert to_classic(message("comm_msg", {}, buffers=(view,)))["buffers"][0] is view


def test_classic_of_a_bare_header_has_empty_id_and_type():
    classic = to_classic(Message("iopub", {}))
    assert (classic["msg_id"], classic["msg_type"]) == ("", "")


def test_plain_decodes_what_was_encoded_at_send():
    sent = message("comm_msg", {"comm_id": "c", "data": msgspec.Raw(b'{"a":[1]}')})
    assert plain(sent).content == {"comm_id": "c", "data": {"a": [1]}}


def test_plain_leaves_the_original_alone():
    sent = message("comm_msg", {"data": msgspec.Raw(b"{}")})
    plain(sent)
    assert isinstance(sent.content["data"], msgspec.Raw)


def test_plain_keeps_header_and_buffers():
    sent = message("comm_msg", {"data": {}}, buffers=(memoryview(b"x"),), identities=(b"id",))
    assert plain(sent) == sent
