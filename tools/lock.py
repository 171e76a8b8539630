"""Write ``tools/constraints.txt``: the one version of each Python package that ``make`` installs.

Run it by hand (``.venv/bin/python tools/lock.py``) and commit the result. Releases younger than a week
are not taken: most bad ones are withdrawn by then. The wheel's own requirements stay ranges.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import Any

from node import ROOT

COOLDOWN = "P7D"
CONSTRAINTS = ROOT / "tools" / "constraints.txt"


def resolve() -> list[dict[str, Any]]:  # Any: pip's installation report, JSON
    """Let pip choose versions for everything pyproject.toml names, without installing it."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = ["-e", ".[test]", *(word for group in groups for word in ("--group", group))]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    done = subprocess.run(
        [*pip, "--uploaded-prior-to", COOLDOWN, "--report", "-", *wanted],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    chosen: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return chosen


def main() -> None:
    """Resolve and write, in alphabetical order."""
    packages = (item["metadata"] for item in resolve())
    pins = sorted(
        f"{p['name'].lower()}=={p['version']}" for p in packages if p["name"] != "tsushin"
    )
    head = "# Written by tools/lock.py; do not edit.\n"
    CONSTRAINTS.write_text(head + "\n".join(pins) + "\n")
    print(f"{len(pins)} versions in {CONSTRAINTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
