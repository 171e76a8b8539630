"""What may stand in the content of a comm message."""

from __future__ import annotations

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.contents import comm_content, comm_info_content
from tsushin.protocol.messages import COMM_TYPES, Message, new_header


def message(msg_type, content, **others):
    header = new_header(msg_type, msg_id="m1", session="s1", now=0.0)
    return Message("shell", header, content=content, **others)


def refused(msg_type, content):
    with pytest.raises(RemoteProtocolError) as caught:
        comm_content(message(msg_type, content))
    return str(caught.value)


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
