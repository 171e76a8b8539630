"""What a row is: a question, and variants that answer it in the same unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from typing import Literal

Figure = Literal["median", "p99", "lost"]


class NotAvailable(Exception):
    """This variant cannot run here; the text says why. Nothing is measured in its place."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch of a row in which messages may be lost.

    Attributes:
        values: what was measured, in the row's unit, of what arrived.
        sent: count of messages.
        arrived: count of them that reached the other end, each counted once.
    """

    values: Sequence[float]
    sent: int
    arrived: int


# Takes one batch of measurements and returns them, in the row's unit.
Batch = Callable[[], Sequence[float] | Sample]
# Sets a variant up, gives its batch function, and tears everything down.
Setup = Callable[[], AbstractContextManager[Batch]]


@dataclass(frozen=True, slots=True)
class Target:
    """What the design asks of a variant (DESIGN 11).

    Attributes:
        variant: of whom.
        at_most: the largest value that is good enough.
        of: the variant whose figure is the measure, for a ratio; None: ``at_most`` is in the row's unit,
            or, of ``lost``, a share.
        figure: which of its figures.
    """

    variant: str
    at_most: float
    of: str | None = None
    figure: Figure = "median"


@dataclass(frozen=True, slots=True)
class Row:
    """One question.

    Attributes:
        question: what a reader wants to know, one line.
        unit: of every figure; smaller is better.
        baseline: the variant that ratios are taken against: the stock stack.
        limit: the variant that shows what the machine can do, if there is one.
        targets: what the design asks for.
        variants: name -> setup, in the order of the table.
        rounds: at most so many, where a batch takes long.
        warm_up: whether the first round is thrown away; where not, the setup has warmed up by itself.
        per_s: whether the page shows a rate beside the time: the unit is µs for one of something.
        axis: of a row that is a curve: what varies, with its unit.
        points: of a curve: variant -> its line, and where on the axis it is.
    """

    question: str
    unit: str
    baseline: str
    variants: dict[str, Setup]
    limit: str | None = None
    targets: tuple[Target, ...] = ()
    rounds: int | None = None
    warm_up: bool = True
    per_s: bool = False
    axis: str | None = None
    points: dict[str, tuple[str, float]] = field(default_factory=dict)


def load_rows(module: str) -> dict[str, Row]:
    """Return the rows of one file of ``rows/`` by name."""
    rows: dict[str, Row] = import_module(f"bench.rows.{module}").ROWS
    return rows


def module_names() -> Iterator[str]:
    """Yield the names of the files of ``rows/``, sorted."""
    for entry in sorted(files("bench.rows").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".py") and not entry.name.startswith("_"):
            yield entry.name.removesuffix(".py")
