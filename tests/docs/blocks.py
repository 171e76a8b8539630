"""The fenced blocks of a Markdown page, and what each of them asks for (CONTRIBUTING, "Docs")."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Info string -> which end runs the block; None is shown only.
ENDS = {
    "python": "program",
    "python kernel": "kernel",
    "javascript page": "page",
    "html page": "page",
    "console": None,
    "css": None,
    "json": None,
    "mermaid": None,
    "text": None,
}
# Info string -> whose output the block shows; None is the end that ran the block before.
OUTPUTS = {"text output": None, "text output kernel": "kernel", "text output page": "page"}

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: path from the root of the repository.
        line: number of its first line of text.
        info: the info string.
        end: which end runs it: "program", "kernel", "page"; None if it is not run.
    """

    page: str
    line: int
    info: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def end(self) -> str | None:
        return ENDS.get(self.info)

    @property
    def is_output(self) -> bool:
        return self.info in OUTPUTS

    @property
    def is_directive(self) -> bool:
        """A MyST directive, as a toctree: for Sphinx."""
        return self.info.startswith("{")


def pages() -> list[str]:
    """Return every page whose blocks are executed, as paths from the root."""
    found = [*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(p.relative_to(ROOT).as_posix() for p in found if "_build" not in p.parts)


def read_blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order.

    Raises:
        ValueError: an info string says nothing of what is to be done with the block.
    """
    return parse_blocks((ROOT / page).read_text("utf-8"), page)


def parse_blocks(text: str, page: str) -> list[Block]:
    blocks = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        info, body = match["info"].strip(), textwrap.dedent(match["body"])
        block = Block(page, line, info, body)
        if not (info in ENDS or block.is_output or block.is_directive):
            raise ValueError(
                f"{block.where}: info string {info!r}: expected one of {[*ENDS, *OUTPUTS]}"
            )
        blocks.append(block)
    return blocks
