"""Check that every path in CONTRIBUTING's map exists, and that no folder is missing from it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = "## The map"
PACKAGE = Path("src/tsushin")

_FIRST_CELL = re.compile(r"^\| *(`[^|]*) *\|", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


def paths(text: str) -> list[str]:
    """Return the paths in the first column of the map's table, in order.

    Raises:
        ValueError: the text has no map.
    """
    _, found, rest = text.partition(f"{HEADING}\n")
    if not found:
        raise ValueError(f"CONTRIBUTING.md: expected a section {HEADING!r}, it is missing")
    section = rest.partition("\n## ")[0]
    return [path for cell in _FIRST_CELL.findall(section) for path in _CODE.findall(cell)]


def tracked_folders(root: Path) -> set[str]:
    """Return the top folders under version control, and those inside ``src/tsushin``."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True
    )
    files = [Path(line) for line in listed.stdout.splitlines()]
    folders = {folder.as_posix() for file in files for folder in file.parents}
    return {f"{f}/" for f in folders if "/" not in f or Path(f).parent == PACKAGE} - {"./", "src/"}


def problems(root: Path) -> list[str]:
    """Return one line for each path that does not exist and each folder that is not on the map."""
    named = paths((root / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    gone = [
        f"{path}: on the map, but does not exist" for path in named if not (root / path).exists()
    ]
    unnamed = sorted(
        folder
        for folder in tracked_folders(root)
        if not any(path.startswith(folder) or folder == path for path in named)
    )
    return gone + [f"{folder}: not on the map" for folder in unnamed]


def main() -> int:
    """Print the problems; return the exit status."""
    found = problems(ROOT)
    print("\n".join(found) or "the map is right")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
