"""Run the variants of a row side by side: every round asks each for one batch, in a rotating order.

Timings on a shared machine drift by a factor of two within minutes. Interleaving puts every variant
under the same weather, so ratios of medians mean something where absolute figures do not.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from bench.row import load_rows


@dataclass(slots=True)
class Result:
    """What one variant gave.

    Attributes:
        values: everything measured, in the row's unit.
        medians: the median of each round's batch.
        p99: the 99th percentile over all rounds.
        cost: CPU seconds and peak bytes of its processes.
    """

    values: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median of the rounds' medians."""
        return statistics.median(self.medians)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and highest median of a round."""
        return min(self.medians), max(self.medians)

    @property
    def p99(self) -> float:
        """The 99th percentile over everything measured."""
        return statistics.quantiles(self.values, n=100)[98]


class Worker:
    """A variant's process."""

    def __init__(self, module: str, row_name: str, variant: str) -> None:
        self.name = f"{module} {row_name}/{variant}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", module, row_name, variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def batch(self) -> list[float]:
        """Ask for one batch."""
        stdin = self._pipe(self._process.stdin)
        stdin.write("go\n")
        stdin.flush()
        values: list[float] = self._read()["values"]
        return values

    def finish(self) -> dict[str, float]:
        """End the process and return what it cost."""
        self._pipe(self._process.stdin).close()
        cost: dict[str, float] = self._read()
        self._process.wait(30)
        return cost

    def kill(self) -> None:
        """End the process whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def _read(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"bench worker {self.name} ended early; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("a worker is opened with pipes")
        return pipe


@contextmanager
def worker(module: str, row_name: str, variant: str) -> Iterator[Worker]:
    """Start a worker and make sure that it ends."""
    started = Worker(module, row_name, variant)
    try:
        yield started
    finally:
        started.kill()


def run_row(
    module: str, row_name: str, *, rounds: int, progress: Callable[[str], None]
) -> dict[str, Result]:
    """Measure every variant of a row, ``rounds`` batches each, interleaved; the first is warm-up."""
    row = load_rows(module)[row_name]
    results = {name: Result() for name in row.variants}
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(worker(module, row_name, name)) for name in row.variants
        }
        order = list(workers)
        for number in range(rounds + 1):
            progress(f"{module} {row_name}: round {number}/{rounds}")
            for name in order:
                values = workers[name].batch()
                if number > 0:
                    results[name].values += values
                    results[name].medians.append(statistics.median(values))
            order.append(order.pop(0))
        for name, each in workers.items():
            results[name].cost = each.finish()
    return results
