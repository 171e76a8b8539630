"""The figures as a table for people and as JSON for everything else."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.markup import escape
from rich.table import Table

from bench.harness import Result, Weather
from bench.row import Row, Target

PACKAGES = (
    "tsushin",
    "ipykernel",
    "jupyter_client",
    "jupyter_server",
    "jupyterlab",
    "comm",
    "pyzmq",
    "tornado",
    "msgspec",
    "orjson",
    "websockets",
    "uvicorn",
    "picows",
)
MIB = 1024 * 1024
PERCENT = 100


def machine() -> dict[str, Any]:
    """Return what the figures were made on: cores, system, versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "pinned": False,
        "python": platform.python_version(),
        "versions": versions,
    }


def ratio(value: float | None, base: float | None) -> float | None:
    """Return how many times the base a value is; None where either is missing."""
    return None if value is None or not base else value / base


def as_json(row: Row, results: dict[str, Result], weather: Weather) -> dict[str, Any]:
    """Return one row's figures as JSON values."""
    return {
        "question": row.question,
        "unit": row.unit,
        "baseline": row.baseline,
        "limit": row.limit,
        "per_s": row.per_s,
        "axis": row.axis,
        "weather": {
            "load": list(weather.load),
            "loop_ms": [min(weather.loop_ms), max(weather.loop_ms)],
        },
        "targets": [target_json(target, results) for target in row.targets],
        "variants": {
            name: {
                **variant_json(result, results[row.baseline]),
                **dict(zip(("line", "x"), row.points.get(name, ()), strict=False)),
            }
            for name, result in results.items()
        },
    }


def variant_json(result: Result, baseline: Result) -> dict[str, Any]:
    """Return one variant's figures, or why it has none."""
    if result.why_not:
        return {"failed" if result.has_failed else "unavailable": result.why_not}
    return {
        "median": result.median,
        "ratio": ratio(result.median, baseline.median),
        "p99": result.p99,
        "spread": None if result.spread is None else list(result.spread),
        "rounds": len(result.medians),
        "measured": len(result.values),
        "sent": result.sent,
        "arrived": result.arrived,
        "lost": result.lost,
        "cpu_s": result.cpu_s,
        "peak_bytes": result.peak_bytes,
    }


def target_json(target: Target, results: dict[str, Result]) -> dict[str, Any]:
    """Return what was asked for and what was reached; ``value`` is None where it was not measured."""
    value = reached(target, results)
    return {
        "variant": target.variant,
        "figure": target.figure,
        "of": target.of,
        "at_most": target.at_most,
        "value": value,
        "met": None if value is None else value <= target.at_most,
    }


def reached(target: Target, results: dict[str, Result]) -> float | None:
    """Return the figure that a target is about; None where it was not measured."""
    if results[target.variant].why_not:
        return None
    value = results[target.variant].figure(target.figure)
    if target.of is None:
        return value
    return None if results[target.of].why_not else ratio(value, results[target.of].median)


def number(value: float | None, digits: int = 1) -> str:
    """Return a figure as text; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.{digits}f}" if value < 1e4 else f"{value:,.0f}"  # noqa: PLR2004 (five digits are enough)


def as_table(row: Row, results: dict[str, Result]) -> Table:
    """Return one row's figures as a table; the ratio is against the baseline, smaller is better."""
    table = Table(title=row.question, title_justify="left", title_style="bold")
    table.add_column("variant")
    counts = any(result.sent for result in results.values())
    headings = [f"median {row.unit}", "ratio", "rounds' range", "p99", "CPU s", "peak MiB"]
    for heading in [*headings[:4], *(["lost %"] if counts else []), *headings[4:]]:
        table.add_column(heading, justify="right")
    base = results[row.baseline].median
    for name, result in results.items():
        table.add_row(*cells(row, name, result, base, counts=counts))
    captions = [caption(target, reached(target, results)) for target in row.targets]
    captions += [
        f"{name}: {escape(each.why_not)}" for name, each in results.items() if each.why_not
    ]
    table.caption = "\n".join(captions) or None
    table.caption_justify = "left"
    return table


def cells(row: Row, name: str, result: Result, base: float | None, *, counts: bool) -> list[str]:
    """Return one line of the table."""
    mark = " (stock)" if name == row.baseline else " (limit)" if name == row.limit else ""
    if result.why_not:
        return [name + mark, "[red]failed[/]" if result.has_failed else "[yellow]n/a[/]"]
    low, high = result.spread or (None, None)
    lost = result.lost
    colour = "red" if lost else "green"
    share = number(None if lost is None else lost * PERCENT)
    return [
        name + mark,
        number(result.median),
        number(ratio(result.median, base), 3),
        f"{number(low)} to {number(high)}",
        number(result.p99),
        *([f"[{colour}]{share}[/]"] if counts else []),
        number(result.cpu_s),
        number(result.peak_bytes / MIB, 0),
    ]


def caption(target: Target, value: float | None) -> str:
    """Return what the design asks for, and whether it is reached."""
    asked = f"{target.variant}, {target.figure}: at most {target.at_most:.3g}"
    asked += f" x {target.of}" if target.of else ""
    if value is None:
        return f"[yellow]? {asked}: not measured[/]"
    sign, colour = (
        ("\N{CHECK MARK}", "green") if value <= target.at_most else ("\N{BALLOT X}", "red")
    )
    return f"[{colour}]{sign} {asked}: {value:.3g}[/]"
