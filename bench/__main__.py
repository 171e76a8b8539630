"""``python -m bench [FILE …] [--rounds N] [--out FILE]``: measure, show a table, write JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.harness import run_row
from bench.report import as_json, as_table, machine
from bench.row import load_rows, module_names

MIN_WIDTH = 120  # characters: a table that wraps its variants cannot be read


def main(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files of bench/rows to measure; all if none is named."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Batches per variant, interleaved.")] = 9,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("build/bench.json"),
) -> None:
    """Measure Tsushin beside the stock stack, interleaved; print tables and write JSON."""
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    figures = {}
    for module in files or list(module_names()):
        for name, row in load_rows(module).items():
            with console.status(module) as status:
                results = run_row(module, name, rounds=rounds, progress=status.update)
            figures[f"{module} {name}"] = as_json(row, results)
            console.print(as_table(row, results))
    date = datetime.now(UTC).isoformat(timespec="seconds")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"date": date, **machine(), "rows": figures}, indent=1) + "\n")
    console.print(f"[dim]figures written to {out}[/]")


if __name__ == "__main__":
    typer.run(main)
