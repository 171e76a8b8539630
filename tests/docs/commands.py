"""Shell commands in the documentation: not run, but they must exist, with the options they are given."""

from __future__ import annotations

import re
import shlex

import typer.testing

from docs.blocks import ROOT, Block
from tsushin.cli.main import app


def commands(block: Block) -> list[list[str]]:
    """Return the words of each command of a transcript, without comments."""
    lines = [line for line in block.text.splitlines() if line.startswith("$ ")]
    return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]


def problems(words: list[str]) -> list[str]:
    """Return what is wrong with a command; only ``tsushin`` and ``make`` are known here."""
    match words:
        case ["tsushin", *rest]:
            return _tsushin_problems(rest)
        case ["make", *targets]:
            known = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
            return [
                f"make {name}: there is no such target" for name in targets if name not in known
            ]
    return []


def _tsushin_problems(words: list[str]) -> list[str]:
    names = [word for word in words if not word.startswith("-")][:1]
    shown = typer.testing.CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    if shown.exit_code:
        return [f"tsushin {' '.join(names)} --help: {shown.output}"]
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [
        f"tsushin {' '.join(words)}: no {o} in its help" for o in options if o not in shown.output
    ]
