"""Write docs/explanation/performance.md and its plots from docs/results/*-bench*.json of one day.

Run: python tools/make_performance_page.py [FILE …]. Without files: those of the newest date. Several
files are several runs: every figure is the median of theirs, with the lowest and the highest.
`tests/tools` and `tests/docs` hold the page to what this makes; no figure in it is typed.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
IMAGES = ROOT / "docs" / "images"

Json = dict[str, Any]  # Any: JSON; bench/report.py says what it holds
DASH = "\N{EN DASH}"
MIB = 1024 * 1024
PERCENT = 100
MICRO = 1e6
MANY = 1e4  # from here on no decimals

HEAD = """\
<!-- Written by tools/make_performance_page.py from {files}; do not edit. -->
# Performance

What `make bench` measured on {date}: {runs} of the whole{note}, {cores} cores, {system}, Python {python};
{versions}.

Each row asks one question. Its variants run in the same minutes, in turn, one batch each, every one in
processes of its own; the first batch is thrown away, except in the bursts. A figure is the median of
the batches' medians{of_runs}. *Ratio* is against the stock stack in the same run, below 1 is faster.
CPU is that of all processes of a variant, its client included, while it was measured; memory is what they had
resident at their highest, summed.

## What this does not show

- The machine is shared and nothing is pinned to a core. A fixed piece of work, timed before every
round, took up to
  {noise} times as long in one round as in another of the same row. Believe ratios, and of those only
  what is far from 1.
- Everything is on loopback: a network adds its own time to every route, and takes the lane's away
where the kernel is
  on another machine.
- Client and kernel share the cores. With more of them, stock stack and Tsushin both get faster, not by
the same factor.
- *Limit* is what the machine does with nothing of Jupyter in the way; what it leaves out is said with
the row.
- A 99th percentile is given from {min_p99} measured values on.
"""


def number(value: float | None) -> str:
    """Return a figure with three digits that count; a dash where there is none."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    if abs(value) >= 100:  # noqa: PLR2004 (three digits)
        return f"{value:,.0f}"
    return f"{value:.3g}"


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of what is there."""
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def newest() -> list[Path]:
    """Return the files of the newest date; a name begins with it."""
    files = sorted(file for file in RESULTS.glob("*-bench*.json") if is_whole(file))
    if not files:
        return []
    day = files[-1].name[: len("2026-01-01")]
    return [file for file in files if file.name.startswith(day)]


def is_whole(file: Path) -> bool:
    """Return whether a file says what a page needs: earlier ones had fewer figures."""
    return "took_s" in json.loads(file.read_text("utf-8"))


# -------------------------------------------------------------------------------- several runs


def joined(runs: Sequence[Json]) -> Json:
    """Return the rows of several runs as one: each figure the median of theirs, with its range."""
    names = list(dict.fromkeys(name for run in runs for name in run["rows"]))
    return {
        name: joined_row([run["rows"][name] for run in runs if name in run["rows"]])
        for name in names
    }


def joined_row(rows: Sequence[Json]) -> Json:
    """Return one row."""
    variants = {
        name: joined_variant([row["variants"][name] for row in rows if name in row["variants"]])
        for name in rows[-1]["variants"]
    }
    targets = [
        {**target, "value": median(row["targets"][index]["value"] for row in rows)}
        for index, target in enumerate(rows[-1]["targets"])
    ]
    noise = max(row["weather"]["loop_ms"][1] / row["weather"]["loop_ms"][0] for row in rows)
    return {**rows[-1], "variants": variants, "targets": targets, "noise": noise}


def joined_variant(variants: Sequence[Json]) -> Json:
    """Return one variant; where no run has figures, why."""
    there = [each for each in variants if "median" in each]
    if not there:
        return variants[-1]
    figures = ("median", "ratio", "p99", "lost", "cpu_s", "peak_bytes")
    medians = [each["median"] for each in there if each["median"] is not None]
    return {
        **there[-1],
        **{figure: median(each[figure] for each in there) for figure in figures},
        "runs": len(there),
        "range": [min(medians), max(medians)] if medians else None,
        "lost_most": max(
            (each["lost"] for each in there if each["lost"] is not None), default=None
        ),
    }


# -------------------------------------------------------------------------------- the page


def page(files: Sequence[Path]) -> str:
    """Return the page made from some runs."""
    runs = [json.loads(file.read_text("utf-8")) for file in files]
    rows = joined(runs)
    text = head(files, runs, rows) + summary(rows)
    for name, row in rows.items():
        text += section(name, row)
    return text


def head(files: Sequence[Path], runs: Sequence[Json], rows: Json) -> str:
    """Return what stands above the figures."""
    last = runs[-1]
    versions = (f"{name} {v}" for name, v in last["versions"].items() if v is not None)
    count = len(runs)
    return HEAD.format(
        files=", ".join(file.name for file in files),
        date=last["date"][: len("2026-01-01")],
        runs="one run" if count == 1 else f"{count} runs",
        note=f" ({last['note']})" if last.get("note") else "",
        of_runs="" if count == 1 else ", and of those the median of the runs",
        cores=last["cores"],
        system=last["system"],
        python=last["python"],
        versions=", ".join(versions),
        noise=number(max(row["noise"] for row in rows.values())),
        min_p99=500,
    )


def row_text(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |\n"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table: text on the left, figures on the right."""
    marks = ["---", *["--:"] * (len(head) - 1)]
    return "\n" + row_text(head) + row_text(marks) + "".join(map(row_text, lines))


def summary(rows: Json) -> str:
    """Return what was asked for beside what was reached."""
    lines = []
    for row in rows.values():
        for target in row["targets"]:
            value = target["value"]
            sign = DASH if value is None else "yes" if value <= target["at_most"] else "**no**"
            of = f"{target['figure']} of {target['variant']}"
            unit = f" x {target['of']}" if target["of"] else asked_unit(row, target)
            lines.append(
                [row["question"], of, number(target["at_most"]) + unit, number(value), sign]
            )
    heading = ["question", "figure", "at most", "measured", "reached"]
    return "\n## What was asked for\n" + table(heading, lines)


def asked_unit(row: Json, target: Json) -> str:
    """Return the unit of a target that is no ratio."""
    return "" if target["figure"] == "lost" else f" {row['unit']}"


def section(name: str, row: Json) -> str:
    """Return one row's part of the page."""
    text = f"\n## {row['question']}\n"
    counts = any(each.get("sent") for each in row["variants"].values())
    heading = ["variant", f"median, {row['unit']}", "range", "ratio", "p99"]
    heading += ["a second"] if row["per_s"] else []
    heading += ["lost, % (most)"] if counts else []
    heading += ["CPU s", "MiB"]
    there = {key: each for key, each in row["variants"].items() if "median" in each}
    text += table(
        heading, [variant_line(row, key, each, counts=counts) for key, each in there.items()]
    )
    for key, each in row["variants"].items():
        if key not in there:
            why = each.get("unavailable") or f"failed: {each['failed']}"
            text += f"\n*{key}* has no figures: {why}.\n"
    if there:
        light, dark = plot_names(name)
        alt = f"{row['question']}, {row['unit']}; the figures are in the table above"
        text += f"\n```{{image}} ../images/{light}\n:alt: {alt}\n:class: only-light\n```\n"
        text += f"```{{image}} ../images/{dark}\n:alt: {alt}\n:class: only-dark\n```\n"
    return text


def variant_line(row: Json, name: str, each: Json, *, counts: bool) -> list[str]:
    """Return one line of a row's table."""
    mark = " (stock)" if name == row["baseline"] else " (limit)" if name == row["limit"] else ""
    low, high = each.get("range") or (None, None)
    if each.get("runs", 1) == 1 and each["spread"]:
        low, high = each["spread"]  # of the rounds, where there is one run only
    line = [
        name + mark,
        number(each["median"]),
        f"{number(low)} to {number(high)}",
        number(each["ratio"]),
        number(each["p99"]),
    ]
    if row["per_s"]:
        per_s = None if not each["median"] else MICRO / each["median"]
        line.append(number(per_s))
    if counts:
        lost, most = each["lost"], each["lost_most"]
        percents = [number(None if v is None else v * PERCENT) for v in (lost, most)]
        line.append(f"{percents[0]} ({percents[1]})")
    return [*line, number(each["cpu_s"]), number(each["peak_bytes"] / MIB)]


def plot_names(row_name: str) -> tuple[str, str]:
    """Return the files of a row's plot, for light and for dark pages."""
    slug = re.sub(r"[^a-z0-9]+", "-", row_name.lower()).strip("-")
    return f"bench-{slug}-light.svg", f"bench-{slug}-dark.svg"


# -------------------------------------------------------------------------------- plots

# Few colours, the same everywhere, told apart also by those who see few of them (Okabe and Ito).
COLOURS = {
    "light": {
        "text": "#222222",
        "stock": "#767676",
        "ours": "#0072b2",
        "lane": "#d55e00",
        "limit": "#009e73",
    },
    "dark": {
        "text": "#dddddd",
        "stock": "#9a9a9a",
        "ours": "#56b4e9",
        "lane": "#e69f00",
        "limit": "#2fc79b",
    },
}
FAR = 20  # largest over smallest: from here on a logarithmic axis


def kind(row: Json, name: str) -> str:
    """Return which colour a variant has."""
    if name.startswith("raw ") or name == row["limit"]:
        return "limit"
    if "lane" in name:
        return "lane"
    return "ours" if "tsushin" in name or "extension" in name else "stock"


def plot(row: Json, theme: str, file: Path) -> None:
    """Draw one row: bars, or lines where it is a curve."""
    import matplotlib as mpl  # noqa: PLC0415 (only drawing needs it)
    from matplotlib.figure import Figure  # noqa: PLC0415

    colours = COLOURS[theme]
    style = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "tsushin",  # the same file for the same figures
        "text.color": colours["text"],
        "axes.labelcolor": colours["text"],
        "axes.edgecolor": colours["text"],
        "xtick.color": colours["text"],
        "ytick.color": colours["text"],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    there = {name: v for name, v in row["variants"].items() if v.get("median")}
    with mpl.rc_context(style):
        height = 3.2 if row["axis"] else 0.9 + 0.34 * len(there)
        figure = Figure(figsize=(7, height), layout="constrained")
        axes = figure.add_subplot()
        (draw_lines if row["axis"] else draw_bars)(axes, row, there, colours)
        figure.savefig(file, transparent=True, metadata={"Date": None})


def draw_bars(
    axes: Any, row: Json, there: Json, colours: dict[str, str]
) -> None:  # Any: matplotlib
    """A bar for each variant, with the range of its medians."""
    names = list(there)
    medians = [there[name]["median"] for name in names]
    ranges = [range_of(there[name]) for name in names]
    low = [max(m - r[0], 0) for m, r in zip(medians, ranges, strict=True)]
    high = [max(r[1] - m, 0) for m, r in zip(medians, ranges, strict=True)]
    bars = axes.barh(
        names,
        medians,
        xerr=(low, high),
        color=[colours[kind(row, name)] for name in names],
        ecolor=colours["text"],
        error_kw={"linewidth": 0.8},
    )
    is_far = max(medians) / min(medians) >= FAR
    if is_far:
        axes.set_xscale("log")
    axes.bar_label(bars, [f"  {number(m)}" for m in medians], padding=6, color=colours["text"])
    axes.margins(x=0.15)
    axes.invert_yaxis()
    scale = ", logarithmic" if is_far else ""
    axes.set_xlabel(f"{row['unit']}{scale}; less is better")


def draw_lines(
    axes: Any, row: Json, there: Json, colours: dict[str, str]
) -> None:  # Any: matplotlib
    """A line for each stack."""
    lines: dict[str, list[Json]] = {}
    for each in there.values():
        lines.setdefault(each["line"], []).append(each)
    for line, points in lines.items():
        xs = [each["x"] for each in points]
        ys = [each["median"] for each in points]
        colour = colours[kind(row, line)]
        axes.plot(xs, ys, marker="o", markersize=4, color=colour, label=line)
        low, high = zip(*map(range_of, points), strict=True)
        axes.fill_between(xs, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"{row['axis']}, logarithmic")
    axes.set_ylabel(f"{row['unit']}, logarithmic")
    axes.legend(frameon=False, labelcolor=colours["text"])


def range_of(each: Json) -> list[float]:
    """Return the lowest and the highest: of the runs, or of the rounds where there is one run."""
    found = each["spread"] if each.get("runs", 1) == 1 else each["range"]
    return list(found)


def write(files: Sequence[Path]) -> None:
    """Write the page and all plots."""
    rows = joined([json.loads(file.read_text("utf-8")) for file in files])
    PAGE.write_text(page(files), "utf-8")
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("bench-*.svg"):
        old.unlink()
    for name, row in rows.items():
        if any(each.get("median") for each in row["variants"].values()):
            for theme, file in zip(COLOURS, plot_names(name), strict=True):
                plot(row, theme, IMAGES / file)


if __name__ == "__main__":
    write([Path(name) for name in sys.argv[1:]] or newest())
