"""Each decoder's fuzz target runs without a finding; ``make fuzz`` selects this, ``make test`` does not.

``TSUSHIN_FUZZ_SECONDS`` is the time per target in seconds (600 unless set).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import node as node_tools

TARGETS = sorted((Path(__file__).resolve().parents[1] / "fuzz").glob("fuzz_*.py"))
SECONDS = int(os.environ.get("TSUSHIN_FUZZ_SECONDS", "600"))


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_no_finding(target, capsys):
    done = subprocess.run(
        [sys.executable, target, "--seconds", str(SECONDS)],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs, done.stderr[-4000:]
    with capsys.disabled():
        sys.stdout.write(f"\n{target.stem}: {runs[1]} runs in {SECONDS} s\n")


@pytest.mark.fuzz
@pytest.mark.timeout(20 * SECONDS + 120)
def test_no_finding_in_typescript(capsys):
    node_tools.install()
    command = ["node", "packages/core/fuzz/run.mjs", "--seconds", str(SECONDS)]
    folder = node_tools.find_node()
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=node_tools.JS,
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
