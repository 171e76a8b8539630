"""One page of documentation, read as its reader reads it: block after block, each at its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import takewhile
from typing import Self

from docs.blocks import OUTPUTS, Block
from docs.notebook import Kernel, Page
from docs.program import Program


class Reading:
    """Runs the blocks of one page. A context manager: leaving it ends what runs, and checks how.

    Args:
        browser: gives a Chromium; asked for only if a block needs a page.
    """

    def __init__(self, browser: Callable[[], object]) -> None:
        self._browser = browser
        self._ends: dict[str, Program | Kernel | Page] = {}
        self._last = ""
        self._problems: list[str] = []

    def take(self, block: Block) -> None:
        """Run a block, or wait for the output that it shows."""
        if block.is_output:
            self._ends[OUTPUTS[block.info] or self._last].expect(block.text.strip(), block)
        elif block.end is not None:
            if block.end == "program" and _begins_program(block):
                self._end("program")
                self._check()
            self._last = block.end
            self._begin(block.end).run(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        with ExitStack() as ending:  # backwards, and each whatever the others come to
            for name in ("kernel", "page", "program"):
                ending.callback(self._end, name)
        if error is None:
            self._check()

    def _begin(self, name: str) -> Program | Kernel | Page:
        if name not in self._ends:
            self._ends[name] = self._new(name)
        return self._ends[name]

    def _new(self, name: str) -> Program | Kernel | Page:
        match name:
            case "program":
                return Program()
            case "kernel":
                return Kernel()
        return Page(self._begin("kernel"), self._browser())

    def _end(self, name: str) -> None:
        if name in self._ends:
            self._problems += self._ends.pop(name).end()

    def _check(self) -> None:
        if self._problems:
            raise AssertionError("\n".join(self._problems))


def _begins_program(block: Block) -> bool:
    """Say whether the reader starts a new file here: the block begins by importing, tsushin included."""
    lines = block.text.splitlines()
    head = list(takewhile(lambda line: line.startswith(("import ", "from ")) or not line, lines))
    return any(line.split()[1:2] == ["tsushin"] for line in head)
