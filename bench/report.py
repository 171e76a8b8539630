"""The figures as a table for people and as JSON for everything else."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.table import Table

from bench.harness import Result
from bench.row import Row

PACKAGES = (
    "tsushin",
    "ipykernel",
    "jupyter_client",
    "jupyter_server",
    "comm",
    "pyzmq",
    "msgspec",
    "orjson",
)
MIB = 1024 * 1024


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
        "python": platform.python_version(),
        "versions": versions,
    }


def as_json(row: Row, results: dict[str, Result]) -> dict[str, Any]:
    """Return one row's figures as JSON values."""
    base = results[row.baseline].median
    return {
        "question": row.question,
        "unit": row.unit,
        "baseline": row.baseline,
        "limit": row.limit,
        "target": row.target,
        "variants": {
            name: {
                "median": result.median,
                "ratio": result.median / base,
                "p99": result.p99,
                "spread": list(result.spread),
                "rounds": len(result.medians),
                "measured": len(result.values),
                **result.cost,
            }
            for name, result in results.items()
        },
    }


def as_table(row: Row, results: dict[str, Result]) -> Table:
    """Return one row's figures as a table; the ratio is against the baseline, smaller is better."""
    table = Table(title=row.question, title_justify="left", title_style="bold")
    table.add_column("variant")
    for heading in (f"median {row.unit}", "ratio", "rounds' range", "p99", "peak MiB", "CPU s"):
        table.add_column(heading, justify="right")
    base = results[row.baseline].median
    for name, result in results.items():
        low, high = result.spread
        mark = " (stock)" if name == row.baseline else " (limit)" if name == row.limit else ""
        table.add_row(
            name + mark,
            f"{result.median:.1f}",
            f"{result.median / base:.3f}",
            f"{low:.1f} to {high:.1f}",
            f"{result.p99:.1f}",
            f"{result.cost['peak_bytes'] / MIB:.0f}",
            f"{result.cost['cpu_s']:.1f}",
        )
    if row.target is not None:
        table.caption = f"the design asks for a ratio of at most {row.target:g}"
    return table
