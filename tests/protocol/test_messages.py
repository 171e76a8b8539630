"""Messages as values, and what may stand in the content of a comm message."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta

import msgspec
import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import (
    CHANNELS,
    COMM_TYPES,
    PROTOCOL_VERSION,
    Message,
    comm_content,
    comm_info_content,
    from_classic,
    new_header,
    plain,
    to_classic,
)


def message(msg_type, content, **others):
    header = new_header(msg_type, msg_id="m1", session="s1", now=0.0)
    return Message("shell", header, content=content, **others)


def refused(msg_type, content):
    with pytest.raises(RemoteProtocolError) as caught:
        comm_content(message(msg_type, content))
    return str(caught.value)


def test_channels_are_those_that_carry_messages():
    assert CHANNELS == ("shell", "iopub", "control", "stdin")


def test_a_header_has_the_fields_of_the_specification():
    assert new_header("comm_msg", msg_id="m1", session="s1", now=0.0, username="ada") == {
        "msg_id": "m1",
        "msg_type": "comm_msg",
        "session": "s1",
        "username": "ada",
        "date": "1970-01-01T00:00:00+00:00",
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
    with pytest.raises(FrozenInstanceError):
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


def test_classic_and_back_is_the_same_message():
    sent = message(
        "comm_msg",
        {"comm_id": "c1", "data": {}},
        parent_header={"msg_id": "p"},
        metadata={"k": [1]},
        buffers=(memoryview(b"abc"),),
    )
    assert from_classic(to_classic(sent), "shell") == sent


@pytest.mark.parametrize("missing", ["parent_header", "metadata", "buffers"])
def test_from_classic_takes_messages_without(missing):
    classic = {**to_classic(message("comm_msg", {})), missing: None}
    read = from_classic(classic, "iopub")
    assert not getattr(read, missing)


def test_from_classic_counts_bytes_not_elements():
    floats = memoryview(bytearray(32)).cast("d")
    (view,) = from_classic(
        {**to_classic(message("comm_msg", {})), "buffers": [floats]}, "shell"
    ).buffers
    assert (len(view), view.format, view.readonly) == (32, "B", True)


def test_from_classic_does_not_copy_buffers():
    owner = bytearray(b"abc")
    (view,) = from_classic(
        {**to_classic(message("comm_msg", {})), "buffers": [owner]}, "shell"
    ).buffers
    owner[0] = ord("x")
    assert bytes(view) == b"xbc"


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


@pytest.mark.parametrize("msg_type", sorted(COMM_TYPES))
def test_good_content_is_returned_as_it_is(msg_type):
    content = {"comm_id": "c", "target_name": "t", "data": {"a": None}, "extra": 1}
    assert comm_content(message(msg_type, content)) == content


@pytest.mark.parametrize(
    "data", [{}, {"data": None}, {"data": []}], ids=["absent", "null", "array"]
)
@pytest.mark.parametrize("msg_type", sorted(COMM_TYPES))
def test_data_that_is_nothing_counts_as_an_empty_object(msg_type, data):
    content = {"comm_id": "c", "target_name": "t", **data}
    assert comm_content(message(msg_type, content))["data"] == {}


def test_the_content_of_the_message_is_not_changed():
    content = {"comm_id": "c"}
    comm_content(message("comm_close", content))
    assert content == {"comm_id": "c"}


@pytest.mark.parametrize("msg_type", sorted(COMM_TYPES))
def test_comm_id_is_demanded(msg_type):
    assert refused(msg_type, {"data": {}}) == (
        f"{msg_type} content.comm_id: expected string, it is missing"
    )


@pytest.mark.parametrize("value", [None, 7, ["c"], {"id": "c"}, True])
def test_comm_id_is_a_string(value):
    assert refused("comm_msg", {"comm_id": value}).endswith(f"expected string, got {value!r}")


def test_an_open_names_its_target():
    assert "content.target_name: expected string, it is missing" in refused(
        "comm_open", {"comm_id": "c", "data": {}}
    )


@pytest.mark.parametrize("msg_type", ["comm_msg", "comm_close"])
def test_only_an_open_names_a_target(msg_type):
    assert comm_content(message(msg_type, {"comm_id": "c", "target_name": 7}))["comm_id"] == "c"


@pytest.mark.parametrize("module", [None, "my/module"])
def test_target_module_may_be_null_as_ipykernel_sends_it(module):
    content = {"comm_id": "c", "target_name": "t", "target_module": module, "data": {}}
    assert comm_content(message("comm_open", content)) == content


def test_target_module_is_a_string():
    content = {"comm_id": "c", "target_name": "t", "target_module": 7}
    assert "content.target_module: expected string, got 7" in refused("comm_open", content)


@pytest.mark.parametrize("data", [[1], "text", 7, False, 0, ""])
def test_data_is_an_object(data):
    assert refused("comm_msg", {"comm_id": "c", "data": data}).endswith(
        f"content.data: expected object, got {data!r}"
    )


def test_what_the_peer_sent_is_quoted_briefly():
    assert len(refused("comm_msg", {"comm_id": "c", "data": "x" * 1000})) < 100


def test_comm_info_lists_ids_with_their_targets():
    assert comm_info_content({"c1": "t", "c2": "u"}) == {
        "status": "ok",
        "comms": {"c1": {"target_name": "t"}, "c2": {"target_name": "u"}},
    }


@pytest.mark.parametrize("wanted", [None, ""])
def test_comm_info_without_a_target_lists_all(wanted):
    assert set(comm_info_content({"c1": "t", "c2": "u"}, wanted)["comms"]) == {"c1", "c2"}


@pytest.mark.parametrize(("wanted", "ids"), [("t", {"c1"}), ("nobody", set()), (7, set())])
def test_comm_info_lists_only_the_target_asked_for(wanted, ids):
    assert set(comm_info_content({"c1": "t", "c2": "u"}, wanted)["comms"]) == ids
