"""``python -m bench [FILE …] [--row NAME] [--rounds N] [--out FILE]``: measure, show a table, write JSON."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.harness import run_row
from bench.report import as_json, as_table, machine
from bench.row import load_rows, module_names

MIN_WIDTH = 130  # characters: a table that wraps its variants cannot be read


def main(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files of bench/rows to measure; all if none is named."),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Only rows of this name; may be repeated.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Batches per variant, interleaved.")] = 5,
    seconds: Annotated[
        float, typer.Option(min=0, help="No round begins after so long, once a row has three.")
    ] = 5,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("build/bench.json"),
) -> None:
    """Measure Tsushin beside the stock stack, interleaved; print tables and write JSON."""
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    wanted = [
        (module, name)
        for module in files or list(module_names())
        for name in load_rows(module)
        if not row or name in row
    ]
    figures: dict[str, Any] = {}  # Any: JSON, as report.as_json makes it
    begun = time.monotonic()
    for count, (module, name) in enumerate(wanted, 1):
        with console.status("") as status:
            head = f"[bold]{count}/{len(wanted)}[/] "
            started = time.monotonic()
            results, weather = run_row(
                module,
                name,
                rounds=rounds,
                seconds=seconds,
                progress=lambda text: status.update(head + text),  # noqa: B023 (called in this turn only)
            )
            took = time.monotonic() - started
        definition = load_rows(module)[name]
        figures[f"{module} {name}"] = {"took_s": took, **as_json(definition, results, weather)}
        console.print(as_table(definition, results))
        slow, fast = max(weather.loop_ms), min(weather.loop_ms)
        console.print(
            f"[dim]{took:.0f} s; load {weather.load[0]:.1f} to {weather.load[1]:.1f}; "
            f"the same work took up to {slow / fast:.1f} times as long in another round[/]\n"
        )
    date = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"date": date, "took_s": time.monotonic() - begun, **machine(), "rows": figures}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(whole, indent=1) + "\n")
    console.print(f"[dim]{whole['took_s']:.0f} s in all; figures written to {out}[/]")
    failed = [
        row for row in figures if any("failed" in v for v in figures[row]["variants"].values())
    ]
    if failed:
        console.print(f"[red]failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
