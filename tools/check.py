"""Run every check of ``make check``, all of them even when one fails, and say which failed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from node import ROOT, say

BIN = Path(sys.executable).parent
TOOLS = ROOT / "tools"
TYPING_TESTS = ROOT / "tests" / "typing"

CHECKS: dict[str, list[str | Path]] = {
    "ruff check": [BIN / "ruff", "check", "--output-format", "concise"],
    "ruff format": [BIN / "ruff", "format", "--check", "--output-format", "concise"],
    "mypy strict": [BIN / "mypy", "src", *([TYPING_TESTS] if TYPING_TESTS.exists() else [])],
    "pyright verifytypes": [
        BIN / "pyright",
        "--pythonpath",
        sys.executable,
        "--verifytypes",
        "tsushin",
        "--ignoreexternal",
    ],
    **({"pyright typing tests": [BIN / "pyright", TYPING_TESTS]} if TYPING_TESTS.exists() else {}),
    "import contracts": [BIN / "lint-imports", "--no-logo"],
    "tests mirror src": [sys.executable, TOOLS / "check_mirror.py"],
    "map in CONTRIBUTING": [sys.executable, TOOLS / "check_map.py"],
    "js: tsc, eslint": [sys.executable, TOOLS / "node.py", "check"],
}


def run(name: str) -> bool:
    """Run one check with its output shown; return whether it passed."""
    started = time.monotonic()
    say(name)
    # `pyright --verifytypes` follows no .pth file of an editable install, and knows no environment.
    places = (str(ROOT / "src"), sysconfig.get_path("purelib"))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    passed = subprocess.run(CHECKS[name], cwd=ROOT, env=env, check=False).returncode == 0
    say(f"{name}: {'ok' if passed else 'FAILED'} ({time.monotonic() - started:.1f} s)")
    return passed


def main(names: list[str]) -> int:
    """Run the named checks, or all; return how many failed."""
    failed = [name for name in names or CHECKS if not run(name)]
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
