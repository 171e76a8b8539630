"""Messages on control comms: the vectors, and what is written is what is read."""

from __future__ import annotations

import json

import msgspec
import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.profile.control import (
    TARGET,
    again_data,
    carried,
    control_id,
    is_control,
    number_of,
    read_control,
    with_entry,
    without_number,
)
from tsushin.protocol.messages import Message
from vectors import load

DEFAULTS = {
    **dict.fromkeys(("profile", "mark", "marked"), 0),
    "features": [],
    "session": "",
    "epoch": "",
    "tab": "",
    "resume": None,
    "recovered": True,
    **{key: [] for key in ("open", "again", "accepted", "refused", "cancel", "credit")},
    **{key: [] for key in ("restore", "withheld", "kept", "also")},
    **dict.fromkeys(("lane_ask", "lane_offer")),
    **{key: {} for key in ("sent", "seen", "want", "gone", "restored")},
}


def carrier(data, buffers=()):
    return Message("shell", {}, {}, {}, {"comm_id": control_id("s"), "data": data}, buffers)


@pytest.mark.parametrize("vector", load("control/valid"), ids=str)
def test_each_valid_case_is_what_it_says(vector):
    expected = {**DEFAULTS, **vector.raw["is"]}
    said = msgspec.to_builtins(read_control(carrier(vector.raw["data"])))
    found = {key: said.get(key, DEFAULTS[key]) for key in expected}
    for one in [e for key in ("again", "kept") for e in (*found[key], *expected[key])]:
        one.update({"parent_header": {}, "metadata": {}, **one})
    assert json.loads(json.dumps(found)) == expected


@pytest.mark.parametrize("vector", load("control/invalid"), ids=str)
def test_each_invalid_case_is_refused(vector):
    buffers = tuple(memoryview(b"x") for _ in range(vector.raw.get("buffers", 0)))
    message = carrier(vector.raw["data"], buffers)
    with pytest.raises(RemoteProtocolError) as caught:
        carried(read_control(message), buffers, "shell")
    assert str(caught.value).startswith(f"{TARGET}: ")


def test_messages_come_again_with_their_buffers():
    one = Message(
        "shell", {"msg_type": "comm_msg"}, {"p": 1}, {"m": 1}, {"comm_id": "c"}, (memoryview(b"a"),)
    )
    two = Message("shell", {"msg_type": "comm_close"}, {}, {}, {"comm_id": "c"}, ())
    data, buffers = again_data([one, two])
    assert carried(read_control(carrier(data)), buffers, "shell") == ([one, two], [])


@pytest.mark.parametrize("metadata", [{}, {"tsushin": {"bin": []}}, {"own": 1}])
def test_a_number_is_put_on_and_taken_off(metadata):
    plain = Message("shell", {}, {}, metadata, {"comm_id": "c"})
    numbered = with_entry(plain, {"n": 7})
    assert number_of(numbered) == 7
    assert without_number(numbered) == plain


def test_what_is_no_entry_of_ours_is_replaced():
    odd = Message("shell", {}, {}, {"tsushin": "text"}, {"comm_id": "c"})
    assert with_entry(odd, {"n": 1}).metadata == {"tsushin": {"n": 1}}


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", None])
def test_what_is_no_number_is_none(number):
    assert number_of(Message("shell", {}, {}, {"tsushin": {"n": number}})) is None


def test_control_comms_are_known_by_their_id():
    assert is_control(TARGET)
    assert is_control(control_id("s"))
    assert not is_control("another")
    assert not is_control(None)
