"""Every vector has the shape that the README gives it, and every folder of vectors is read by a suite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vectors import ROOT, load

HERE = Path(__file__).parent
CARRIERS = ("zmq", "ws-v1", "ws-default")
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.json"))
FOLDERS = sorted({path.parent.as_posix() for path in FILES})
FLAGS = {"canonical", "large-int", "json-parser"}
WIRE = load(*(f"{carrier}/{kind}" for carrier in CARRIERS for kind in ("valid", "invalid")))


def by_path(vector):
    return vector.path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_is_named_by_a_suite(folder):
    suites = [path for path in HERE.rglob("test_*.py") if path != Path(__file__)]
    assert any(f'"{folder}"' in suite.read_text(encoding="utf-8") for suite in suites)


def test_the_wire_suites_read_every_wire_file():
    read = {vector.path.relative_to(ROOT) for vector in WIRE}
    assert read == {path for path in FILES if path.parts[0] in CARRIERS}


@pytest.mark.parametrize("vector", WIRE, ids=by_path)
def test_a_case_says_what_it_shows_and_where_it_comes_from(vector):
    raw = vector.raw
    assert raw["about"].endswith(".")
    assert raw["source"]
    assert set(raw["flags"]) <= FLAGS
    assert ("frames" in raw) != ("text" in raw)


@pytest.mark.parametrize("vector", WIRE, ids=by_path)
def test_a_case_is_either_ok_or_an_error(vector):
    raw, kind = vector.raw, vector.path.parent.name
    if kind == "valid":
        assert raw["ok"] is True
        assert "message" in raw
        assert "error" not in raw
    else:
        wanted = (
            {"code", "limit"}
            if raw["error"]["code"] == "limit_exceeded"
            else {"code", "part", "offset"}
        )
        assert set(raw["error"]) == wanted
        assert "ok" not in raw


def test_the_generator_still_makes_the_generated_cases(tmp_path):
    tool = HERE.parent / "tools" / "make_vectors.py"
    subprocess.run([sys.executable, tool, tmp_path], check=True)
    made = {
        path.relative_to(tmp_path): json.loads(path.read_text())
        for path in tmp_path.rglob("*.json")
    }
    kept = {
        vector.path.relative_to(ROOT): vector.raw
        for vector in WIRE
        if vector.raw["source"] == "tools/make_vectors.py"
    }
    assert made == kept
