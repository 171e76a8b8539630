"""Where the programs are that the tests run in Node."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "node"
