"""Entries in ``metadata.tsushin``: the vectors, and what is written is what is read."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsushin.errors import RemoteProtocolError
from tsushin.profile.requests import (
    MAX_TEXT,
    Answered,
    Asked,
    Failed,
    answer_entry,
    failure_entry,
    read,
    request_entry,
)
from tsushin.protocol.messages import Message
from vectors import load

TEXT = st.text(max_size=20)


def comm_msg(metadata, data):
    return Message("shell", {"msg_type": "comm_msg"}, {}, metadata, {"comm_id": "c", "data": data})


def entry(tsushin, data=None):
    return comm_msg({"tsushin": tsushin}, data or {})


@pytest.mark.parametrize("vector", load("profile/valid"), ids=str)
def test_each_valid_case_is_what_it_says(vector):
    found = read(comm_msg(vector.raw["metadata"], vector.raw["data"]))
    as_json = found and {"type": type(found).__name__.lower(), **asdict(found)}
    assert as_json == vector.raw["is"]


@pytest.mark.parametrize("vector", load("profile/invalid"), ids=str)
def test_each_invalid_case_is_refused(vector):
    with pytest.raises(RemoteProtocolError) as caught:
        read(comm_msg(vector.raw["metadata"], vector.raw["data"]))
    assert caught.value.code == vector.raw["error"]["code"]
    assert str(caught.value).startswith(vector.raw["error"]["begins"])


@pytest.mark.parametrize("metadata", [{}, {"tsushin": []}, {"tsushin": None}, {"req": "r"}])
def test_metadata_of_others_says_nothing(metadata):
    assert read(comm_msg(metadata, {})) is None


@given(TEXT, TEXT)
def test_a_request_is_read_as_it_was_written(req, name):
    asked = Asked(req, name)
    assert read(entry(request_entry(asked))) == asked


@given(TEXT, st.integers() | TEXT | st.none())
def test_an_answer_is_read_as_it_was_written(re, value):
    assert read(entry(answer_entry(re), {"value": value})) == Answered(re, value)


@given(TEXT, TEXT, TEXT, TEXT)
def test_a_failure_is_read_as_it_was_written(re, name, message, traceback):
    failed = Failed(re, name, message, traceback)
    assert read(entry(failure_entry(failed))) == failed


def test_long_texts_are_cut():
    long = "a" * MAX_TEXT + "b"
    error = failure_entry(Failed("r", "n", long, long))["error"]
    assert error == {"name": "n", "message": "a" * MAX_TEXT, "traceback": long[1:]}
