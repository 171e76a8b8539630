"""Write docs/reference/frontends.md from the newest docs/results/*-frontends.json.

Run: python tools/make_support_table.py. `tests/docs/test_frontends.py` holds the page to what this makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "reference" / "frontends.md"

Run = dict[str, Any]  # Any: JSON; tests/browser/matrix_results.py says what it holds
NAMES = {"lab": "JupyterLab", "notebook": "Notebook", "nbclassic": "nbclassic"}
DASH = "\N{EN DASH}"

HEAD = """\
<!-- Written by tools/make_support_table.py from {file}; do not edit. -->
# Frontends

What of the classic page works where. Every mark was seen on {date} in Chromium {chromium}: `make matrix`
runs one notebook, the same letter for letter, in each frontend with each of these kernels: {kernels}.

| sign | means |
|---|---|
| yes | with every one of these kernels |
| with Tsushin | with every kernel that has Tsushin in it |
| {dash} | the frontend cannot do it; the reason is below |
| **no** | it failed; what was seen is below |

"""
TAIL = """
JupyterLab and Notebook 7 need Tsushin installed in the environment of the server; nbclassic has the classic
API of its own and needs nothing there.

## Expected, not run

| frontend | how |
|---|---|
| JupyterLite | as JupyterLab, whose API it has; there are no subshells |
| VS Code | no API for comms in displayed JavaScript: the bridge, in the kernel's environment |
| Google Colab | the same; each output is a frame of its own there |
"""


def newest() -> Path:
    """Return the newest results file; its name begins with the date."""
    return max(RESULTS.glob("*-frontends.json"))


def columns(runs: list[Run]) -> dict[str, list[Run]]:
    """Return the runs of each frontend and version, in order."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(f"{NAMES[run['frontend']]} {run['version']}", []).append(run)
    return found


def kernel_name(run: Run) -> str:
    """Return how a kernel is called in the text."""
    return f"ipykernel {run['kernel']} {'with' if run['tsushin'] else 'without'} Tsushin"


def mark(runs: list[Run], feature: str) -> str:
    """Return the sign of one feature in one frontend."""
    found = [run["results"][feature] for run in runs]
    if any(text.startswith("failed") for text in found):
        return "**no**"
    if all(text == "passed" for text in found):
        return "yes"
    with_tsushin = [run["results"][feature] == "passed" for run in runs if run["tsushin"]]
    return "with Tsushin" if with_tsushin and all(with_tsushin) else DASH


def row(cells: list[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |\n"


def table(features: list[dict[str, str]], frontends: dict[str, list[Run]]) -> str:
    """Return the support table: a row for each feature, a column for each frontend."""
    head = ["", *frontends]
    text = row(head) + row(["---"] * len(head))
    for feature in features:
        text += row(
            [feature["about"], *(mark(runs, feature["name"]) for runs in frontends.values())]
        )
    return text


def reasons(features: list[dict[str, str]], frontends: dict[str, list[Run]]) -> str:
    """Return why a sign is no "yes": once for each frontend and feature."""
    lines = []
    for feature in features:
        for frontend, runs in frontends.items():
            sign = mark(runs, feature["name"])
            if sign in {"yes", "with Tsushin"}:
                continue
            seen = {r["results"][feature["name"]]: r for r in runs}
            lines += [
                f"- {frontend}, {feature['about']}: {reason(text, run)}\n"
                for text, run in seen.items()
                if text.startswith("failed" if sign != DASH else "not there")
            ]
    return f"\n{''.join(lines)}" if lines else ""


def reason(text: str, run: Run) -> str:
    """Return a result as a sentence of the list."""
    kind, _, why = text.partition(": ")
    return why if kind == "not there" else f"`{why}` ({kernel_name(run)})"


def page(file: Path) -> str:
    """Return the page made from one results file."""
    results = json.loads(file.read_text("utf-8"))
    frontends = columns(results["runs"])
    kernels = dict.fromkeys(map(kernel_name, results["runs"]))
    head = HEAD.format(
        file=file.relative_to(ROOT).as_posix(),
        date=results["date"],
        chromium=results["chromium"],
        kernels=", ".join(kernels),
        dash=DASH,
    )
    features = results["features"]
    return head + table(features, frontends) + reasons(features, frontends) + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(newest()), "utf-8")
