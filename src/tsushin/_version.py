"""The version, in one place: the wheel reads it here, and every npm package must equal it."""

from __future__ import annotations

__version__ = "0.1.0"
