"""The errors: ``spec/errors.json`` and ``tsushin.errors`` say the same, and quote peers briefly."""

from __future__ import annotations

import builtins
import inspect
import json
from pathlib import Path

import pytest

from tsushin import errors
from tsushin.errors import (
    CommClosed,
    DuplicateComm,
    ExecutionError,
    KernelGone,
    LimitExceeded,
    LocalProtocolError,
    ProtocolError,
    QueueFull,
    RemoteError,
    RemoteProtocolError,
    SignatureError,
    TsushinError,
    UnknownTarget,
    Unsupported,
    WireError,
    quote,
)

SPEC = json.loads((Path(__file__).parents[1] / "spec" / "errors.json").read_text())["errors"]
BY_CLASS = {entry["class"]: entry for entry in SPEC}
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, Exception)
}

# One of each class that can be raised.
RAISED = [
    TsushinError("x"),
    LocalProtocolError("x"),
    CommClosed("x", closed_by="there", data={"why": 1}),
    errors.CommNotOpen("x"),
    DuplicateComm("x", comm_id="c1"),
    RemoteProtocolError("x"),
    WireError("x", part="header", offset=3),
    SignatureError("x", part="signature"),
    UnknownTarget("x", target_name="t"),
    LimitExceeded(limit="max_buffers", allowed=1, actual=2, unit="count"),
    errors.TransportError("x"),
    errors.ConnectFailed("x"),
    errors.TransportClosed("x"),
    errors.TransportLost("x"),
    errors.PeerError("x"),
    RemoteError("x", name="KeyError", remote_traceback="…"),
    errors.NoPeer("x"),
    Unsupported("x", feature="streams"),
    QueueFull("x", queued=2, limit=1),
    errors.NoHost("x"),
    ExecutionError(name="KeyError", value="'a'", traceback=["line"]),
    KernelGone("x", why="died"),
]


def test_both_have_the_same_classes():
    assert set(CLASSES) == set(BY_CLASS)


def test_codes_are_unique():
    assert len({entry["code"] for entry in SPEC}) == len(SPEC)


@pytest.mark.parametrize("name", BY_CLASS)
def test_code(name):
    assert CLASSES[name].code == BY_CLASS[name]["code"]


@pytest.mark.parametrize("name", BY_CLASS)
def test_code_is_its_own_not_inherited(name):
    assert "code" in vars(CLASSES[name])


@pytest.mark.parametrize("name", BY_CLASS)
def test_parent(name):
    parent = CLASSES[name].__base__.__name__
    assert BY_CLASS[name]["parent"] == (None if parent == "Exception" else parent)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_attributes(error):
    assert set(vars(error)) == set(BY_CLASS[type(error).__name__]["attributes"])


def test_every_class_that_can_be_raised_was_looked_at():
    assert {type(error).__name__ for error in RAISED} == set(BY_CLASS) - {"ProtocolError"}


def test_protocol_error_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        ProtocolError("x")


@pytest.mark.parametrize("name", BY_CLASS)
def test_no_builtin_name_is_shadowed(name):
    assert not hasattr(builtins, name)


def test_comm_closed_without_data_has_an_empty_object():
    assert CommClosed("x").data == {}


def test_wire_error_says_the_part_first():
    assert str(WireError("ends early", part="buffer 3", offset=9)) == "buffer 3: ends early"


def test_limit_exceeded_says_limit_and_both_figures():
    error = LimitExceeded(limit="max_buffers", allowed=4, actual=5, unit="count", where="frame")
    assert str(error) == "frame: max_buffers is 4 count, got 5"


def test_execution_error_shows_the_traceback():
    error = ExecutionError(name="KeyError", value="'a'", traceback=["first", "second"])
    assert str(error) == "KeyError: 'a'\nfirst\nsecond"


def test_a_short_value_is_quoted_whole():
    assert quote({"a": 1}) == "{'a': 1}"


@pytest.mark.parametrize(
    "value", ["x" * 41, b"x" * 41, "x" * 10_000_000, ["x" * 50], {"k": "v" * 50}, "é\n" * 40]
)
def test_a_long_value_is_cut_to_40_characters(value):
    text = quote(value)
    assert len(text) == 40
    assert text.endswith("…")


def test_40_characters_of_repr_are_not_cut():
    assert quote("x" * 38) == repr("x" * 38)
