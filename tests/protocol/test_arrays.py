"""Arrays: what the buffer protocol says of them, and back as NumPy arrays or memory views."""

from __future__ import annotations

import array
import ctypes
import sys

import numpy as np
import pytest

from tsushin.protocol.arrays import array_type, is_bytes, restore_array, typed_view

DTYPES = ["|i1", "<i2", ">i2", "<i4", "<i8", "|u1", "<u2", "<u4", ">u8", "<f4", ">f4", "<f8", "|b1"]
SHAPES = [[6], [2, 3], [1, 2, 3], [3, 2, 1], []]


def made(dtype, shape, order="C"):
    count = int(np.prod(shape))
    return np.arange(1, count + 1).astype(dtype).reshape(shape, order=order)


def entry_of(value):
    return array_type(memoryview(value))


@pytest.mark.parametrize("dtype", [*DTYPES, "<f2"])
def test_an_array_names_its_dtype_as_numpy_does(dtype):
    assert entry_of(made(dtype, [6])) == {"dtype": dtype, "shape": [6], "order": "C"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*DTYPES, "<f2"])
def test_there_and_back_is_the_same_array(dtype, shape, order):
    value = made(dtype, shape, order)
    back = restore_array(memoryview(value.tobytes("A")), entry_of(value))
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*DTYPES, "<f2", ">f2"])
def test_without_numpy_the_values_are_the_same(dtype, shape, order):
    value = made(dtype, shape, order)
    actual_order = "C" if value.flags.c_contiguous else "F"
    view = typed_view(memoryview(value.tobytes("A")), dtype, shape, actual_order)
    assert view.shape == tuple(shape)
    assert view.tolist() == value.tolist()


def test_without_numpy_an_empty_array_is_a_view_of_nothing():
    assert typed_view(memoryview(b""), "<f4", [0, 3], "C").nbytes == 0


def test_numpy_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    entry = {"dtype": "<i2", "shape": [2], "order": "C"}
    view = restore_array(memoryview(b"\1\0\2\0"), entry)
    assert (type(view), view.tolist()) == (memoryview, [1, 2])


def test_a_restored_array_is_read_only_and_not_copied():
    memory = bytearray(8)
    entry = {"dtype": "<f4", "shape": [2], "order": "C"}
    back = restore_array(memoryview(memory).toreadonly(), entry)
    memory[3] = 0x40
    assert back[0] == 2.0
    assert not back.flags.writeable


def test_order_left_out_means_c():
    entry = {"dtype": "|u1", "shape": [2, 2]}
    assert restore_array(memoryview(b"\1\2\3\4"), entry).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "value",
    [b"ab", bytearray(2), array.array("B", [1]), np.zeros(2, "u1"), memoryview(b"ab").cast("c")],
    ids=lambda v: type(v).__name__,
)
def test_one_axis_of_unsigned_bytes_is_bytes(value):
    assert is_bytes(memoryview(value))


@pytest.mark.parametrize("value", [np.zeros((2, 2), "u1"), np.zeros(2, "i1"), np.zeros((), "u1")])
def test_anything_else_is_an_array(value):
    assert not is_bytes(memoryview(value))


def test_other_makers_of_arrays_are_read_too():
    assert entry_of(array.array("d", [1.0]))["dtype"] == "<f8"
    assert entry_of((ctypes.c_int32 * 2)())["dtype"] == "<i4"


@pytest.mark.parametrize("dtype", ["c8", "O", "S3", "U3", [("a", "i4")]], ids=str)
def test_elements_that_cannot_travel_have_no_type(dtype):
    assert entry_of(np.zeros(2, dtype)) is None


def test_a_view_that_is_not_contiguous_is_written_in_order_c():
    assert entry_of(np.zeros((4, 4))[::2, ::2])["order"] == "C"
