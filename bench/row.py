"""What a row is: a question, and variants that answer it in the same unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files

# Takes one batch of measurements and returns them, in the row's unit.
Batch = Callable[[], list[float]]
# Sets a variant up, gives its batch function, and tears everything down.
Setup = Callable[[], AbstractContextManager[Batch]]


@dataclass(frozen=True, slots=True)
class Row:
    """One question.

    Attributes:
        question: what a reader wants to know, one line.
        unit: of every figure; smaller is better.
        baseline: the variant that ratios are taken against: the stock stack.
        limit: the variant that shows what the machine can do, if there is one.
        target: largest ratio against the baseline that the design asks for, if it names one.
        variants: name -> setup, in the order of the table.
    """

    question: str
    unit: str
    baseline: str
    variants: dict[str, Setup]
    limit: str | None = None
    target: float | None = None


def load_rows(module: str) -> dict[str, Row]:
    """Return the rows of one file of ``rows/`` by name."""
    rows: dict[str, Row] = import_module(f"bench.rows.{module}").ROWS
    return rows


def module_names() -> Iterator[str]:
    """Yield the names of the files of ``rows/``, sorted."""
    for entry in sorted(files("bench.rows").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py") and not entry.name.startswith("_"):
            yield entry.name.removesuffix(".py")
