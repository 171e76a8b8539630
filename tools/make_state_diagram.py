"""Draw ``spec/comm-states.json``: docs/reference/comm-states.md with its table, and comm-states.svg.

Deterministic: running it again changes nothing. ``--check`` writes nothing and says whether both are current.

Run: python tools/make_state_diagram.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec" / "comm-states.json"
FOLDER = ROOT / "docs" / "reference"

Table = dict[str, dict[str, str | None]]
Edges = dict[tuple[str, str], list[str]]

WIDTH, HEIGHT = 150, 54  # of a state's box, in px
GAP = 190
TOP, LEFT, LINE = 100, 20, 17

HEAD = """\
# The states of a comm

One table for both ends and both languages: `spec/comm-states.json`, from which this page is made. A comm is
open as soon as its `comm_open` has left, because Jupyter messages have no acknowledgement; who opened it and
who closed it are facts about a comm, not states.

![The states of a comm: {about}](comm-states.svg)
"""
TAIL = """
A dash is a move nobody may make. Under a `SEND` or `ADOPT` it raises a `LocalProtocolError` and nothing is
sent; under a `RECV` it is reported as a fault of the peer and nothing changes. A message for an id that was
never open here is about somebody else's comm and never reaches the table. *late* is a message that crossed a
close on its way: normal, and only counted.

| input | what happens |
|---|---|
| `SEND_OPEN`, `SEND_MSG`, `SEND_CLOSE` | this end sends the message |
| `RECV_OPEN`, `RECV_MSG`, `RECV_CLOSE` | the peer's message arrives |
| `ADOPT` | this end takes over a comm that `comm_info` listed |
| `LOSE` | the kernel or the link is gone |
"""


def edges(table: Table) -> Edges:
    """Return the inputs of each arrow, in the order of the table; ``late`` stays where it is."""
    found: Edges = {}
    for state, row in table.items():
        for given, outcome in row.items():
            if outcome is not None:
                target = state if outcome == "late" else outcome
                label = f"{given} (late)" if outcome == "late" else given
                found.setdefault((state, target), []).append(label)
    return found


def page(spec: dict[str, list[str] | Table], table: Table) -> str:
    inputs = spec["inputs"]
    about = "; ".join(
        f"{a} to {b} by {', '.join(labels)}" for (a, b), labels in edges(table).items()
    )
    rows = [
        f"| {given} | " + " | ".join(cell(table[state][given]) for state in table) + " |"
        for given in inputs
    ]
    head = ["", "| | " + " | ".join(table) + " |", "|---|" + "---|" * len(table)]
    return HEAD.format(about=about) + "\n".join([*head, *rows, ""]) + TAIL


def cell(outcome: str | None) -> str:
    return {None: "\N{EN DASH}", "late": "*late*"}.get(outcome, str(outcome))


# --- the drawing -------------------------------------------------------------------------------------

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2430; }
.state { font-weight: 600; font-size: 15px; }
rect { fill: #eef3fb; stroke: #3a5a97; stroke-width: 1.5; }
path { fill: none; stroke: #5b6475; stroke-width: 1.5; marker-end: url(#head); }
#head path { fill: #5b6475; stroke: none; marker-end: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9f0; }
  rect { fill: #1f2a40; stroke: #8fb0ee; }
  path { stroke: #a7b0c2; }
  #head path { fill: #a7b0c2; }
}
"""


MARKER = """\
<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 L10 5 L0 10 z"/></marker>"""


def drawing(table: Table) -> str:
    states = list(table)
    boxes = [box(i, state) for i, state in enumerate(states)]
    arrows = [
        arrow(states.index(a), states.index(b), labels) for (a, b), labels in edges(table).items()
    ]
    width = 2 * LEFT + len(states) * WIDTH + (len(states) - 1) * GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + 130}" role="img">',
            "<title>The states of a comm</title>",
            f"<style>\n{STYLE}</style>",
            MARKER,
            *boxes,
            *arrows,
            "</svg>",
            "",
        ]
    )


def left(place: int) -> int:
    return LEFT + place * (WIDTH + GAP)


def box(place: int, state: str) -> str:
    x = left(place)
    return (
        f'<rect x="{x}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" rx="10"/>'
        f'<text class="state" x="{x + WIDTH // 2}" y="{TOP + 32}" text-anchor="middle">{state}</text>'
    )


def arrow(start: int, end: int, labels: list[str]) -> str:
    """Draw one arrow with its inputs: a loop above, a line between neighbours, an arc below."""
    middle = TOP + HEIGHT // 2
    if start == end:
        x, y = left(start) + WIDTH // 2, TOP
        path = f"M{x - 25} {y} C{x - 45} {y - 45} {x + 45} {y - 45} {x + 25} {y}"
        return drawn(path, x, y - 42, labels)
    if end - start == 1:
        x, y = left(start) + WIDTH, middle
        return drawn(f"M{x} {y} L{x + GAP} {y}", x + GAP // 2, y - 10, labels)
    x, y, to = left(start) + WIDTH // 2, TOP + HEIGHT, left(end) + WIDTH // 2
    path = f"M{x} {y} C{x} {y + 70} {to} {y + 70} {to} {y}"
    return drawn(path, (x + to) // 2, y + 68, labels)


def drawn(path: str, x: int, y: int, labels: list[str]) -> str:
    lines = [
        f'<text x="{x}" y="{y - LINE * (len(labels) - 1 - i)}" text-anchor="middle">{label}</text>'
        for i, label in enumerate(labels)
    ]
    return f'<path d="{path}"/>' + "".join(lines)


def made() -> dict[Path, str]:
    """Return what belongs into each file."""
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    table: Table = spec["table"]
    return {
        FOLDER / "comm-states.md": page(spec, table),
        FOLDER / "comm-states.svg": drawing(table),
    }


def stale() -> list[Path]:
    """Return the files that are missing or not what would be made now."""
    return [
        path
        for path, text in made().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or check them; return the exit status."""
    if arguments == ["--check"]:
        for path in stale():
            print(f"{path.relative_to(ROOT)}: not current; run python tools/make_state_diagram.py")
        return len(stale())
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
