"""The vectors above the wire: ``comm/`` against the router, ``buffers/`` against encoding and restoring."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tsushin.errors import LimitExceeded, ProtocolError, RemoteProtocolError
from tsushin.protocol.buffers import encode_data, restore_data
from tsushin.protocol.contents import comm_content
from tsushin.protocol.events import (
    Closed,
    Late,
    Lost,
    Opened,
    ProtocolFault,
    Received,
    Unknown,
)
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.protocol.routing import CommRecord, Outgoing, Router
from vectors import ROOT, load

ROLES = {
    "kernel": ("iopub", "close"),
    "starter": ("shell", "close"),
    "attached": ("shell", "ignore"),
    "keeper": ("shell", "keep"),
}
NOW = 1_764_000_000.0

# ------------------------------------------------------------------ scenarios


class Scenario:
    """One router, and what its steps made so far."""

    def __init__(self, raw):
        channel, on_unknown = ROLES[raw["role"]]
        ids = iter(range(1000))
        self.targets = {*raw["targets"]}
        self.router = Router(
            channel=channel,
            session="here",
            on_unknown=on_unknown,
            knows_target=self.targets.__contains__,
            new_msg_id=lambda: f"here-{next(ids)}",
            limits=Limits(**raw.get("limits", {})),
        )
        self.records = {}
        self.opened = {}

    def run(self, step):
        """Do one step; return its outcomes in the words of the README."""
        [verb] = {"receive", "open", "adopt", "send", "close", "refuse", "lose", "register"} & set(
            step
        )
        outcome = {}
        try:
            getattr(self, verb)(step[verb], step.get("new", False))
        except (ProtocolError, LimitExceeded) as error:
            outcome["error"] = error
        events = self.router.events()
        sends = [reply for event in events if (reply := reply_of(event)) is not None]
        outcome["events"] = events
        outcome["sends"] = [as_json(m) for m in (*sends, *self.router.messages_to_send())]
        return outcome

    def record(self, given, is_new):
        comm_id = given["comm_id"]
        if is_new or comm_id not in self.records:
            self.records[comm_id] = CommRecord(comm_id, given.get("target_name", ""), primary=True)
        return self.records[comm_id]

    def receive(self, given, _):
        header = new_header(given["msg_type"], msg_id=given["msg_id"], session="there", now=NOW)
        self.router.receive(Message("shell", header, content=given["content"]), NOW)
        if (event := self.router.next_event()) is not None:
            self.router._events.insert(0, event)
            if isinstance(event, Opened):
                self.opened[event.comm_id] = event
                self.records[event.comm_id] = self.router.record(event.comm_id)

    def open(self, given, is_new):
        module = given.get("target_module")
        record = self.record(given, is_new)
        self.router.send_open(record, outgoing(given), NOW, target_module=module)

    def adopt(self, given, is_new):
        self.router.adopt(self.record(given, is_new))

    def send(self, given, is_new):
        self.router.send_msg(self.record(given, is_new), outgoing(given), NOW)

    def close(self, given, is_new):
        self.router.send_close(self.record(given, is_new), outgoing(given), NOW)

    def refuse(self, given, _):
        self.router.refuse(self.opened[given["comm_id"]], given["error"], NOW)

    def register(self, given, _):
        self.targets.add(given["target_name"])
        self.router.release(given["target_name"], NOW)

    def lose(self, given, _):
        self.router.lose(given["reason"])


def reply_of(event):
    return event.error.reply if isinstance(event, ProtocolFault) else None


def outgoing(given):
    return Outgoing(
        given["data"],
        given.get("metadata", {}),
        tuple(memoryview(bytes.fromhex(b)) for b in given.get("buffers", ())),
        {"msg_id": given["parent"]} if "parent" in given else {},
    )


def as_json(message):
    written = {
        "channel": message.channel,
        "msg_type": message.msg_type,
        "content": message.content,
        "metadata": message.metadata,
        "parent": message.parent_header.get("msg_id"),
    }
    if message.buffers:
        written["buffers"] = [b.hex() for b in message.buffers]
    if (error := message.metadata.get("tsushin", {}).get("error")) is not None:
        assert error["message"]
        error = {key: value for key, value in error.items() if key != "message"}
        written["metadata"] = {"tsushin": {"error": error}}
    return written


def event_as_json(event):  # noqa: PLR0911 (one answer for each kind)
    match event:
        case Opened(comm_id=i, target_name=t, target_module=None):
            return {"type": "opened", "comm_id": i, "target_name": t}
        case Opened(comm_id=i, target_name=t, target_module=m):
            return {"type": "opened", "comm_id": i, "target_name": t, "target_module": m}
        case Received(comm_id=i, message=m):
            return {"type": "received", "comm_id": i, "data": comm_content(m)["data"]}
        case Closed(comm_id=i, message=m):
            return {"type": "closed", "comm_id": i, "data": comm_content(m)["data"]}
        case Late(comm_id=i):
            return {"type": "late", "comm_id": i}
        case Unknown(comm_id=i):
            return {"type": "unknown", "comm_id": i}
        case Lost(comm_id=i, reason=r):
            return {"type": "lost", "comm_id": i, "reason": r}
    raise AssertionError(event)


def same_error(error, expected):
    assert error is not None, f"expected {expected}"
    assert {key: getattr(error, key, None) for key in expected} == expected
    return True


def same_event(event, expected):
    if expected["type"] == "fault":
        return isinstance(event, ProtocolFault) and same_error(event.error, expected["error"])
    return event_as_json(event) == expected


@pytest.mark.parametrize("vector", load("comm/valid", "comm/invalid"), ids=str)
def test_scenario(vector):
    scenario = Scenario(vector.raw)
    for number, step in enumerate(vector.raw["steps"]):
        outcome = scenario.run(step)
        expected = step.get("events", [])
        assert len(outcome["events"]) == len(expected), f"step {number}: {outcome['events']}"
        assert all(map(same_event, outcome["events"], expected)), f"step {number}: {outcome}"
        assert outcome["sends"] == step.get("sends", []), f"step {number}"
        if "error" in step:
            same_error(outcome.get("error"), step["error"])
        elif "error" in outcome:
            raise outcome["error"]
    assert scenario.router.open_comms() == vector.raw["open_comms"]


@pytest.mark.parametrize("vector", load("comm/valid"), ids=str)
def test_a_valid_scenario_has_no_fault_and_no_error(vector):
    steps = vector.raw["steps"]
    assert not any("error" in step for step in steps)
    assert not any(e["type"] == "fault" for step in steps for e in step.get("events", ()))


# ------------------------------------------------------------------ data


def given_value(value):  # noqa: PLR0911 (one answer for each notation)
    """Return the value that the file means, with binary and with what JSON cannot write."""
    if isinstance(value, list):
        return [given_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$bytes": text}:
            return bytes.fromhex(text)
        case {"$float": text}:
            return float(text)
        case {"$int": text}:
            return int(text)
        case {"$utf16": text}:
            return bytes.fromhex(text).decode("utf-16-be", "surrogatepass")
        case {"$array": array}:
            flat = np.frombuffer(bytearray.fromhex(array["hex"]), array["dtype"])
            return flat.reshape(array["shape"], order=array["order"])
        case {"$nested": levels}:
            return json.loads("[" * levels + "]" * levels)
    return {key: given_value(item) for key, item in value.items()}


def written(value):
    """Return restored data the way the file writes it."""
    match value:
        case memoryview():
            return {"$bytes": value.hex()}
        case np.ndarray():
            order = "C" if value.flags.c_contiguous else "F"
            memory = value.tobytes(order).hex()
            shape = list(value.shape)
            dtype = value.dtype.str
            return {"$array": {"dtype": dtype, "shape": shape, "order": order, "hex": memory}}
        case dict():
            return {key: written(item) for key, item in value.items()}
        case list():
            return [written(item) for item in value]
    return value


def views(hexes):
    return tuple(memoryview(bytes.fromhex(text)) for text in hexes)


@pytest.mark.parametrize("vector", load("buffers/valid"), ids=str)
def test_encoding_makes_what_is_sent(vector):
    given, sent = vector.raw["given"], vector.raw["sent"]
    encoded = encode_data(
        given_value(given["data"]), given.get("metadata"), views(given.get("buffers", ()))
    )
    assert json.loads(bytes(encoded.data)) == given_value(sent["data"])
    assert encoded.metadata == sent["metadata"]
    assert [b.hex() for b in encoded.buffers] == sent["buffers"]


@pytest.mark.parametrize("vector", load("buffers/valid"), ids=str)
def test_restoring_gives_what_was_given(vector):
    given, sent = vector.raw["given"], vector.raw["sent"]
    data = given_value(sent["data"])
    restored, buffers = restore_data(data, sent["metadata"], views(sent["buffers"]))
    expected = given["data"] if "$nested" not in str(given) else given_value(given["data"])
    assert written(restored) == expected
    assert [b.hex() for b in buffers] == given.get("buffers", [])


INVALID = load("buffers/invalid")


@pytest.mark.parametrize("vector", [v for v in INVALID if "given" in v.raw], ids=str)
def test_what_json_cannot_carry_is_refused_by_its_path(vector):
    given = vector.raw["given"]
    metadata = given_value(given.get("metadata"))
    with pytest.raises(TypeError) as caught:
        encode_data(given_value(given["data"]), metadata)
    assert str(caught.value).startswith(vector.raw["error"]["path"])


@pytest.mark.parametrize("vector", [v for v in INVALID if "sent" in v.raw], ids=str)
def test_a_malformed_entry_is_the_peers_fault(vector):
    sent = vector.raw["sent"]
    with pytest.raises(RemoteProtocolError) as caught:
        restore_data(sent["data"], sent["metadata"], views(sent["buffers"]))
    assert caught.value.code == vector.raw["error"]["code"]


# ------------------------------------------------------------------ the files


def test_the_generator_still_makes_the_generated_cases(tmp_path):
    tool = Path(__file__).parents[2] / "tools" / "make_comm_vectors.py"
    subprocess.run([sys.executable, tool, tmp_path], check=True)
    made = {p.relative_to(tmp_path): json.loads(p.read_text()) for p in tmp_path.rglob("*.json")}
    folders = [
        f"{kind}/{which}"
        for kind in ("comm", "buffers", "profile", "control", "pieces")
        for which in ("valid", "invalid")
    ]
    assert made == {v.path.relative_to(ROOT): v.raw for v in load(*folders)}
