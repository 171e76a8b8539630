"""A plain Python program that is given its blocks one after the other, as a reader types them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from time import monotonic

from docs.blocks import ROOT, Block

WAIT_S = (
    10  # for one block, or for one output of it; a busy machine is slow, a lost message never comes
)

_DONE = "\x1e"  # ASCII's record separator: no block prints it
_MAIN = f"""
import json, sys
sys.stderr = open(int(sys.argv[1]), "w", buffering=1)
names = {{"__name__": "__main__"}}
for line in sys.stdin:
    where, code = json.loads(line)
    exec(compile(code, where, "exec"), names)
    print(end={_DONE!r}, flush=True)
"""


class Program:
    """One process. Its output is what it printed; anything on its stderr is an error.

    What kernels that it starts write to theirs is not its own, and goes where the tests' goes.
    """

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by end())
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", _MAIN, str(self._errors.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self._errors.fileno()],
        )
        self._printed = b""

    def run(self, block: Block) -> None:
        """Run a block to its end; what is printed from now on is its output."""
        self._printed = b""
        # Line numbers in a traceback are those of the page.
        code = "\n" * (block.line - 1) + block.text
        line = json.dumps([block.page, code]) + "\n"
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()
        self._read_until(_DONE, block)

    def expect(self, text: str, block: Block) -> None:
        """Wait until ``text`` was printed."""
        self._read_until(text, block)

    def end(self) -> list[str]:
        """Let the program come to its end; return what was wrong with it."""
        with self._errors, self._process.stdout:
            self._process.stdin.close()
            try:
                status = self._process.wait(WAIT_S)
            finally:
                self._process.kill()
                self._process.wait()
            stderr = self._stderr()
        return [f"exit status {status}; stderr: {stderr}"] if status or stderr else []

    def _read_until(self, text: str, block: Block) -> None:
        until = monotonic() + WAIT_S
        while text.encode() not in self._printed:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, until - monotonic()))
            chunk = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                why = "the program ended" if ready else f"not within {WAIT_S} s"
                printed = self._printed.decode().replace(_DONE, "")
                raise AssertionError(
                    f"{block.where}: {why}; printed:\n{printed}\nstderr:\n{self._stderr()}"
                )
            self._printed += chunk

    def _stderr(self) -> str:
        self._errors.seek(0)
        return self._errors.read()
