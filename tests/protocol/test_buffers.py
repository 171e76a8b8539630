"""Strict data and binary: what Python adds to the vectors of ``spec/vectors/buffers``."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import json
import uuid
from collections import UserDict
from dataclasses import dataclass
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.buffers import encode_data, name, restore_data


def sent(data, **options):
    return json.loads(bytes(encode_data(data, **options).data))


def travelled(value, **options):
    """Return ``value`` as the other end gets it inside the data."""
    encoded = encode_data({"a": [value]}, **options)
    data = msgspec.json.decode(encoded.data)
    metadata = msgspec.json.decode(msgspec.json.encode(encoded.metadata))
    restored, buffers = restore_data(data, metadata, encoded.buffers)
    assert buffers == ()
    return restored["a"][0]


def refusal(data, **options):
    with pytest.raises(TypeError) as caught:
        encode_data(data, **options)
    return str(caught.value)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int = 1


Pair = collections.namedtuple("Pair", "x y")  # noqa: PYI024 (the untyped kind is in use)

# ------------------------------------------------------------------ strict values

CYCLE: list = []
CYCLE.append(CYCLE)
CYCLIC_DICT: dict = {}
CYCLIC_DICT["a"] = CYCLIC_DICT

REFUSED = {
    "nan": float("nan"),
    "inf": float("inf"),
    "set": {1},
    "frozenset": frozenset({1}),
    "object": object(),
    "dataclass": Point(),
    "datetime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "date": dt.date(2026, 1, 1),
    "decimal": decimal.Decimal(1),
    "uuid": uuid.UUID(int=1),
    "range": range(3),
    "generator": (x for x in ()),
    "complex": 1j,
    "function": len,
    "class": int,
    "ellipsis": ...,
    "third": Fraction(1, 3),
    "huge fraction": Fraction(10**400),
    "65 bits": 2**64,
    "-65 bits": -(2**63) - 1,
    "1329 bits": 10**400,
    "list of 1329 bits": [10**400],
    "list of nan first": [float("nan"), 10**400],
    "cycle": CYCLE,
    "cycle of dicts": CYCLIC_DICT,
    "np.nan": np.float32("nan"),
    "np.longdouble": np.longdouble(1) / 3,
    "np.complex64": np.complex64(1),
    "np.datetime64": np.datetime64("2026"),
    "array of datetime64": np.array(["2026"], "M8[s]"),
    "array of objects": np.array([None]),
    "array of structs": np.zeros(1, [("x", "i4")]),
    "array of complex": np.zeros(1, "c8"),
    "array of text": array.array("u", "ab"),
    "int key": {1: 2},
    "tuple key": {(1, 2): 3},
    "none key": {None: 1},
    "bytes key": {b"k": 1},
    "lone surrogate": "\ud800",
    "lone surrogate in a key": {"\ud800": 1},
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_json_cannot_carry_is_a_type_error_with_its_path(value):
    assert refusal({"points": [0, {"t": value}]}).startswith("data.points[1].t")


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_the_same_holds_for_metadata(value):
    text = refusal({}, metadata={"points": [0, {"t": value}]})
    assert text.startswith("metadata.points[1].t")


@pytest.mark.parametrize("value", ["text", 7, [1], None.__class__, b"x", {1, 2}])
def test_data_is_an_object(value):
    assert refusal(value).startswith("data: expected a JSON object")


def test_a_released_view_cannot_be_carried():
    view = memoryview(b"abc")
    view.release()
    assert refusal({"a": view}) == "data.a: JSON cannot carry memoryview"


ACCEPTED = [
    ((1, (2,)), [1, [2]]),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Pair(1, 2), [1, 2]),
    (UserDict(a=1), {"a": 1}),
    (collections.OrderedDict(a=1), {"a": 1}),
    (Fraction(1, 2), 0.5),
    (np.int8(-1), -1),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float32(0.5), 0.5),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float64(0.1), 0.1),
    (np.bool_(1), True),
    (np.str_("x"), "x"),
    ({Colour.RED: 1}, {"red": 1}),
    ([True, None, "x"], [True, None, "x"]),
    ([1, 2.5, -(2**63)], [1, 2.5, -(2**63)]),
    ([1e300], [1e300]),
    ([], []),
]


@pytest.mark.parametrize(("value", "expected"), ACCEPTED, ids=lambda v: repr(v)[:30])
def test_what_only_looks_special_becomes_plain_json(value, expected):
    got = sent({"a": value})["a"]
    assert (got, type(got)) == (expected, type(expected))


def test_none_is_an_empty_object():
    encoded = encode_data(None)
    assert (bytes(encoded.data), encoded.metadata, encoded.buffers) == (b"{}", {}, ())


def test_the_data_of_the_caller_is_left_alone():
    data = {"a": [b"x", (1, {"b": b"y"})]}
    encode_data(data)
    assert data == {"a": [b"x", (1, {"b": b"y"})]}


def test_later_changes_to_data_and_metadata_change_nothing():
    data, metadata = {"a": [1]}, {"m": [1]}
    encoded = encode_data(data, metadata)
    data["a"].append(2)
    metadata["m"].append(2)
    assert (bytes(encoded.data), encoded.metadata) == (b'{"a":[1]}', {"m": [1]})


def test_a_deep_error_costs_no_long_text():
    assert refusal({"a": CYCLE}) == "data.a[0][0]…: nested more than 200 levels, or cyclic"


def test_a_path_reads_as_people_write_it():
    assert name(("points", 3, "t")) == "data.points[3].t"


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_any_json_is_sent_as_it_is(data):
    assert sent(data) == data


# ------------------------------------------------------------------ binary

AS_BYTES = {
    "bytes": b"ab",
    "bytearray": bytearray(b"ab"),
    "memoryview": memoryview(b"ab"),
    "every second byte": memoryview(b"a-b-")[::2],
    "backwards": memoryview(b"ba")[::-1],
    "array.array": array.array("B", b"ab"),
    "np.uint8": np.frombuffer(b"ab", "u1"),
    "np.bytes_": np.bytes_(b"ab"),
}


@pytest.mark.parametrize("value", AS_BYTES.values(), ids=AS_BYTES)
def test_bytes_come_back_as_a_read_only_view(value):
    back = travelled(value)
    assert (type(back), bytes(back), back.readonly, back.format) == (memoryview, b"ab", True, "B")


ARRAYS = {
    "array.array": array.array("d", [1.5, -2.5]),
    "C order": np.arange(6, dtype="i4").reshape(2, 3),
    "F order": np.asfortranarray(np.arange(6, dtype="i4").reshape(2, 3)),
    "neither": np.arange(24, dtype="i2").reshape(4, 6)[::2, ::3],
    "negative strides": np.arange(6.0)[::-1],
    "big-endian": np.arange(3, dtype=">f8"),
    "big-endian, read-only": np.frombuffer(bytes(8), ">i2"),
    "half": np.array([1.5], "f2"),
    "bool": np.array([[True, False]]),
    "empty": np.zeros(0),
    "two axes, empty": np.zeros((0, 3), "f4"),
    "no axis": np.array(1.5),
    "no axis, big-endian": np.array(1.5, ">f8"),
    "image": np.zeros((2, 2), "u1"),
    "read-only": np.broadcast_to(np.int64(7), (2, 2)),
}


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("value", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_back_equal(value, copy):
    back, wanted = travelled(value, copy=copy), np.asarray(value)
    assert (back.dtype, back.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(back, wanted)


def test_a_number_with_no_axis_of_its_own_stays_a_number():
    assert sent({"a": np.float64(1.5)}) == {"a": 1.5}


@pytest.mark.parametrize(
    "value", [bytearray(b"old"), np.frombuffer(b"old", "u1").copy(), array.array("B", b"old")]
)
def test_a_mutable_buffer_changed_after_encoding_is_sent_as_it_was(value):
    encoded = encode_data({"in data": value}, buffers=[value])
    memoryview(value)[0] = ord("x")
    assert [bytes(view) for view in encoded.buffers] == [b"old", b"old"]


def test_without_copy_the_memory_is_shared():
    value = bytearray(b"old")
    encoded = encode_data({"a": value}, buffers=[value], copy=False)
    value[0] = ord("x")
    assert [bytes(view) for view in encoded.buffers] == [b"xld", b"xld"]


def test_immutable_bytes_are_never_copied():
    value = bytes(1000)
    [view] = encode_data(None, buffers=[value]).buffers
    assert view.obj is value


def test_an_array_behind_a_read_only_view_is_not_copied():
    value = np.arange(100.0)
    value.flags.writeable = False
    [view] = encode_data({"a": value}).buffers
    assert np.shares_memory(np.frombuffer(view, "f8"), value)


@pytest.mark.parametrize("value", ["text", 7, None, [1]], ids=repr)
def test_a_buffer_is_bytes_like(value):
    assert refusal({}, buffers=[b"", value]).startswith("buffers[1]: expected a bytes-like object")


@pytest.mark.parametrize(
    "value", [memoryview(bytes(16)).cast("d"), np.zeros(2), np.asfortranarray(np.zeros((1, 2)))]
)
def test_a_users_buffer_counts_bytes_not_elements(value):
    [view] = encode_data(None, buffers=[value]).buffers
    assert (len(view), view.format, view.ndim) == (16, "B", 1)


def test_metadata_carries_no_binary():
    assert refusal({}, metadata={"a": b"x"}) == "metadata.a: binary belongs into data or buffers"


def test_a_received_message_can_be_sent_on_as_it_is():
    first = encode_data({"a": b"x"}, {"m": 1}, [b"user"])
    data = msgspec.json.decode(first.data)
    data, buffers = restore_data(data, first.metadata, first.buffers)
    second = encode_data(data, first.metadata, buffers)
    assert (bytes(second.data), second.metadata) == (bytes(first.data), first.metadata)


# ------------------------------------------------------------------ restoring what a peer made up

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
PATHS = st.lists(st.sampled_from(["a", "b", 0, 1, -1, True, None, "0", 0.0, [], {}]))
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "path": PATHS | ANY_JSON,
        "buffer": st.integers(-2, 3) | ANY_JSON,
        "kind": st.sampled_from(["bytes", "array"]) | ANY_JSON,
        "dtype": st.sampled_from(["<f4", "|u1", ">f2", "<i8", "|b1"]) | ANY_JSON,
        "shape": st.lists(st.integers(-1, 4)) | st.lists(st.integers(0, 2**65)) | ANY_JSON,
        "order": st.sampled_from(["C", "F", "A"]) | ANY_JSON,
    },
)


@given(st.lists(ENTRIES | ANY_JSON) | ANY_JSON)
def test_restoring_raises_nothing_but_its_documented_error(entries):
    data = {"a": None, "b": [None, {"a": None}, 1], "0": None}
    buffers = (memoryview(bytes(4)), memoryview(b""), memoryview(bytes(8)))
    try:
        restored, kept = restore_data(data, {"tsushin": {"bin": entries}}, buffers)
    except RemoteProtocolError as raised:
        error: Exception | None = raised
    else:
        error = None
        assert (restored is data, kept) == (True, buffers[: len(kept)])
    assert error is None or str(error).startswith("metadata.tsushin.bin")


@pytest.mark.parametrize("ours", [None, [], "text", 7, {}, {"bin": None}, {"bin": []}], ids=repr)
def test_metadata_without_entries_leaves_everything_alone(ours):
    buffers = (memoryview(b"x"),)
    assert restore_data({"a": None}, {"tsushin": ours}, buffers) == ({"a": None}, buffers)


def test_the_error_names_the_entry():
    with pytest.raises(RemoteProtocolError, match=r"tsushin\.bin\[1\]: buffer 9: message has 1"):
        restore_data(
            {"a": None},
            {
                "tsushin": {
                    "bin": [
                        {"path": ["a"], "buffer": 0, "kind": "bytes"},
                        {"path": ["a"], "buffer": 9, "kind": "bytes"},
                    ]
                }
            },
            (memoryview(b""),),
        )
