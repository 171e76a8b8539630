"""Data that a user sends and what travels: JSON, ``metadata.tsushin.bin`` and buffers. See the README."""

from __future__ import annotations

import struct

from vectorgen.kit import JsonObject as Json
from vectorgen.kit import case

SOURCE = "tools/make_comm_vectors.py"
_made: list[tuple[str, Json]] = []


def binary(path: list[object], buffer: int, kind: str = "bytes", **array: object) -> Json:
    return {"path": path, "buffer": buffer, "kind": kind, **array}


def array(dtype: str, shape: list[int], hexed: str, order: str = "C") -> Json:
    return {"$array": {"dtype": dtype, "shape": shape, "order": order, "hex": hexed}}


def data_case(  # noqa: PLR0913 (a case has this many parts)
    name: str,
    about: str,
    data: object,
    sent_data: object,
    bins: list[Json],
    buffers: list[str],
    *,
    flags: str = "",
    user_buffers: list[str] | None = None,
    user_metadata: Json | None = None,
) -> None:
    metadata = {**(user_metadata or {}), **({"tsushin": {"bin": bins}} if bins else {})}
    given: Json = {"data": data}
    if user_metadata is not None:
        given["metadata"] = user_metadata
    if user_buffers is not None:
        given["buffers"] = user_buffers
    message = {"data": sent_data, "metadata": metadata, "buffers": (user_buffers or []) + buffers}
    _made.append(
        (f"buffers/valid/{name}", {**case(about, flags, SOURCE), "given": given, "sent": message})
    )


def packed(code: str, *values: float) -> str:
    return struct.pack(code, *values).hex()


def valid_plain() -> None:
    for name, data in {
        "empty": {},
        "nested": {"a": {"b": [1, [2.5, {"c": None}], "x", True]}},
        "unicode": {"é": "日本語 \U0001f4e1", "": " \n"},
        "proto-key": {"__proto__": {"x": 1}, "constructor": 2},
        "safe-integers": {"low": -(2**53) + 1, "high": 2**53 - 1},
        "looks-like-binary": {"buffer": 0, "kind": "bytes", "path": ["a"]},
    }.items():
        data_case(f"plain-{name}", "JSON is sent as it is.", data, data, [], [])
    integers = {"low": -(2**63), "high": 2**64 - 1, "both": [-(2**63), 2**64 - 1]}
    data_case(
        "plain-64-bit-integers",
        "The bounds of 64-bit integers are sent as they are.",
        integers,
        integers,
        [],
        [],
        flags="large-int",
    )
    body = case(
        "metadata.tsushin belongs to one hop: left out, so that received metadata can be sent on.",
        "",
        SOURCE,
    )
    echo = {"m": 1, "tsushin": {"bin": [binary(["a"], 0)]}}
    message: Json = {"data": {}, "metadata": {"m": 1}, "buffers": []}
    given = {"data": {}, "metadata": echo}
    _made.append(("buffers/valid/received-metadata", {**body, "given": given, "sent": message}))
    data_case(
        "user-buffers-and-metadata",
        "The caller's own buffers and metadata without binary in the data.",
        {"a": 1},
        {"a": 1},
        [],
        [],
        user_buffers=["", "00ff"],
        user_metadata={"m": [None]},
    )
    deep: Json = {"a": {"$nested": 200}}
    data_case("plain-200-levels", "200 levels below the object are allowed.", deep, deep, [], [])


def valid_binary() -> None:
    data_case(
        "bytes",
        "Bytes leave null behind and come back at their path.",
        {"a": {"$bytes": "0102ff"}},
        {"a": None},
        [binary(["a"], 0)],
        ["0102ff"],
    )
    data_case(
        "bytes-empty",
        "Empty bytes are a buffer of no bytes.",
        {"a": {"$bytes": ""}},
        {"a": None},
        [binary(["a"], 0)],
        [""],
    )
    data_case(
        "bytes-nested",
        "A path has keys as strings and positions as numbers; buffers are in the order of the data.",
        {"p": [{"t": {"$bytes": "01"}}, None, {"$bytes": "02"}], "": {"0": {"$bytes": "03"}}},
        {"p": [{"t": None}, None, None], "": {"0": None}},
        [binary(["p", 0, "t"], 0), binary(["p", 2], 1), binary(["", "0"], 2)],
        ["01", "02", "03"],
    )
    data_case(
        "bytes-after-user-buffers",
        "Lifted buffers come after the caller's own, which come back alone.",
        {"a": {"$bytes": "ff"}},
        {"a": None},
        [binary(["a"], 2)],
        ["ff"],
        user_buffers=["0102", ""],
        user_metadata={"m": 1},
    )
    data_case(
        "bytes-same-twice",
        "The same bytes at two paths are two buffers.",
        {"a": {"$bytes": "07"}, "b": {"$bytes": "07"}},
        {"a": None, "b": None},
        [binary(["a"], 0), binary(["b"], 1)],
        ["07", "07"],
    )
    data_case(
        "bytes-proto-key",
        "A path through keys that name members of every JavaScript object.",
        {"__proto__": {"constructor": {"$bytes": "01"}}},
        {"__proto__": {"constructor": None}},
        [binary(["__proto__", "constructor"], 0)],
        ["01"],
    )
    for kind, code, values in [
        ("i1", "<2b", (-1, 1)),
        ("i2", "<2h", (-1, 256)),
        ("i4", "<2i", (-1, 65536)),
        ("i8", "<2q", (-1, 2**40)),
        ("u2", "<2H", (1, 65535)),
        ("u4", "<2I", (1, 2**32 - 1)),
        ("u8", "<2Q", (1, 2**64 - 1)),
        ("f4", "<2f", (0.5, -2.0)),
        ("f8", "<2d", (0.5, float("nan"))),
    ]:
        dtype = ("|" if kind == "i1" else "<") + kind
        one_array(f"array-{kind}", "A typed array of one axis.", dtype, [2], packed(code, *values))


def one_array(
    name: str,
    about: str,
    dtype: str,
    shape: list[int],
    hexed: str,
    order: str = "C",
    flags: str = "",
) -> None:
    data_case(
        name,
        about,
        {"a": array(dtype, shape, hexed, order)},
        {"a": None},
        [binary(["a"], 0, "array", dtype=dtype, shape=shape, order=order)],
        [hexed],
        flags=flags,
    )


def valid_foreign_arrays() -> None:
    six = packed("<6i", *range(6))
    many = "foreign-array"
    one_array("array-empty", "An array without elements.", "<f8", [0], "")
    one_array("array-2d-c", "Rows are contiguous.", "<i4", [2, 3], six, flags=many)
    one_array("array-2d-f", "Columns are contiguous.", "<i4", [2, 3], six, "F", flags=many)
    one_array("array-3d-f", "Three axes, first one fastest.", "<i2", [1, 2, 3], six[:24], "F", many)
    one_array("array-2d-u1", "An image of bytes.", "|u1", [2, 2], "00ff7f01", flags=many)
    one_array("array-big-endian", "Big-endian values stay so.", ">f4", [1], "3fc00000", flags=many)
    one_array("array-float16", "Half floats.", "<f2", [2], "003c00c0", flags=many)
    one_array("array-bool", "Truth values are one byte each.", "|b1", [2], "0100", flags=many)
    one_array("array-0d", "No axis, one value.", "<f8", [], packed("<d", 1.5), flags=many)
    one_array("array-2d-empty", "Two axes, no elements.", "<f4", [0, 3], "", flags=many)


def invalid_given() -> None:
    for name, data, path, flags in [
        ("nan", {"a": [1, {"$float": "nan"}]}, "data.a[1]", ""),
        ("inf", {"a": {"$float": "inf"}}, "data.a", ""),
        ("minus-inf", {"a": {"b": {"$float": "-inf"}}}, "data.a.b", ""),
        ("65-bit-integer", {"a": [{"$int": str(2**64)}]}, "data.a[0]", ""),
        ("65-bit-negative", {"a": {"$int": str(-(2**63) - 1)}}, "data.a", ""),
        ("lone-surrogate", {"points": [{"t": {"$utf16": "d800"}}]}, "data.points[0].t", ""),
        ("too-deep", {"a": {"$nested": 201}}, "data.a", ""),
        ("array-root", [1], "data", ""),
        ("string-root", "text", "data", ""),
        ("bytes-root", {"$bytes": "00"}, "data", ""),
    ]:
        body = case("JSON cannot carry it: refused before anything is sent.", flags, SOURCE)
        error = {"type": "TypeError", "path": path}
        _made.append(
            (f"buffers/invalid/given-{name}", {**body, "given": {"data": data}, "error": error})
        )
    for name, metadata, path in [
        ("bytes", {"a": [{"$bytes": "00"}]}, "metadata.a[0]"),
        ("nan", {"a": {"$float": "nan"}}, "metadata.a"),
        ("lone-surrogate", {"a": {"$utf16": "dc00"}}, "metadata.a"),
    ]:
        body = case("Metadata is JSON without binary.", "", SOURCE)
        given = {"data": {}, "metadata": metadata}
        error = {"type": "TypeError", "path": path}
        _made.append(
            (f"buffers/invalid/given-metadata-{name}", {**body, "given": given, "error": error})
        )


def received_case(name: str, bins: object, *, data: Json | None = None, count: int = 1) -> None:
    body = case("A malformed entry of metadata.tsushin.bin is the peer's fault.", "", SOURCE)
    message = {
        "data": {"a": None, "n": 1, "l": [None, 2]} if data is None else data,
        "metadata": {"tsushin": {"bin": bins}},
        "buffers": ["00000000"] * count,
    }
    error = {"code": "remote_protocol_error"}
    _made.append((f"buffers/invalid/sent-{name}", {**body, "sent": message, "error": error}))


def invalid_sent() -> None:
    f4 = {"dtype": "<f4", "shape": [1], "order": "C"}
    for name, entry in {
        "buffer-past-end": binary(["a"], 1),
        "buffer-negative": binary(["a"], -1),
        "buffer-true": {**binary(["a"], 0), "buffer": True},
        "buffer-string": {**binary(["a"], 0), "buffer": "0"},
        "buffer-fraction": {**binary(["a"], 0), "buffer": 0.5},
        "kind-unknown": binary(["a"], 0, "blob"),
        "kind-number": {**binary(["a"], 0), "kind": 7},
        "path-empty": binary([], 0),
        "path-string": {**binary(["a"], 0), "path": "a"},
        "path-number": {**binary(["a"], 0), "path": 0},
        "path-object": {**binary(["a"], 0), "path": {"0": "a"}},
        "path-missing-key": binary(["b"], 0),
        "path-into-number": binary(["n", "x"], 0),
        "path-into-null": binary(["a", "x"], 0),
        "path-not-null": binary(["n"], 0),
        "path-past-end": binary(["l", 2], 0),
        "path-negative": binary(["l", -2], 0),
        "path-fraction": binary(["l", 0.5], 0),
        "path-true": binary(["l", False], 0),
        "path-key-for-position": binary(["l", "0"], 0),
        "path-position-for-key": binary([0], 0),
        "path-inherited": binary(["l", "length"], 0),
        "path-proto": binary(["__proto__", "polluted"], 0),
        "path-null-step": binary([None], 0),
        "dtype-unknown": binary(["a"], 0, "array", **{**f4, "dtype": "<c8"}),
        "dtype-object": binary(["a"], 0, "array", **{**f4, "dtype": "|O8"}),
        "dtype-number": binary(["a"], 0, "array", **{**f4, "dtype": 4}),
        "dtype-without-order": binary(["a"], 0, "array", **{**f4, "dtype": "f4"}),
        "dtype-any-order": binary(["a"], 0, "array", **{**f4, "dtype": "|f4"}),
        "dtype-trailing": binary(["a"], 0, "array", **{**f4, "dtype": "<f4\n"}),
        "shape-too-small": binary(["a"], 0, "array", **{**f4, "shape": [0]}),
        "shape-too-large": binary(["a"], 0, "array", **{**f4, "shape": [2]}),
        "shape-negative": binary(["a"], 0, "array", **{**f4, "shape": [-1, -1]}),
        "shape-fraction": binary(["a"], 0, "array", **{**f4, "shape": [0.5, 2]}),
        "shape-true": binary(["a"], 0, "array", **{**f4, "shape": [True]}),
        "shape-string": binary(["a"], 0, "array", **{**f4, "shape": "1"}),
        "shape-object": binary(["a"], 0, "array", **{**f4, "shape": {}}),
        "shape-33-axes": binary(["a"], 0, "array", **{**f4, "shape": [1] * 33}),
        "shape-huge": binary(["a"], 0, "array", **{**f4, "shape": [2**62, 2**62, 0, 2**62]}),
        "order-unknown": binary(["a"], 0, "array", **{**f4, "order": "K"}),
        "order-number": binary(["a"], 0, "array", **{**f4, "order": 1}),
        "entry-null": None,
        "entry-array": ["a", 0, "bytes"],
        "entry-string": "a",
        "entry-empty": {},
    }.items():
        received_case(name, [entry])
    for missing in ("dtype", "shape"):
        entry = binary(["a"], 0, "array", **{k: v for k, v in f4.items() if k != missing})
        received_case(f"{missing}-missing", [entry])
    for missing in ("path", "buffer", "kind"):
        entry = {k: v for k, v in binary(["a"], 0).items() if k != missing}
        received_case(f"{missing}-missing", [entry])
    received_case("same-path-twice", [binary(["a"], 0), binary(["a"], 0)])
    received_case("path-into-binary", [binary(["a"], 0), binary(["a", 0], 0)])
    received_case("bin-object", {"0": binary(["a"], 0)})
    received_case("bin-string", "a")
    received_case("bin-number", 7)
    received_case("no-buffers", [binary(["a"], 0)], count=0)


def all_cases() -> list[tuple[str, Json]]:
    """Return every case with its path."""
    _made.clear()
    valid_plain()
    valid_binary()
    valid_foreign_arrays()
    invalid_given()
    invalid_sent()
    return list(_made)
