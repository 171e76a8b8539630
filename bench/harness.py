"""Run the variants of a row side by side: every round asks each for one batch, in a rotating order.

Timings on a shared machine drift by a factor of two within minutes. Interleaving puts every variant
under the same weather, so ratios of medians mean something where absolute figures do not. Nothing is
pinned to a core. What the weather was is measured too: a fixed piece of work, timed before each round.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from bench import ROOT
from bench.row import load_rows

STARTS = 4  # at a time: each is a kernel, or a server and a kernel
READY_S = 120.0
BATCH_S = 120.0
END_S = 30.0
MIN_ROUNDS = 3
MIN_FOR_P99 = 500  # below that it would be the mean of fewer than five values
LOOP = 20_000  # sums of ten numbers: some milliseconds


@dataclass(slots=True)
class Result:
    """What one variant gave.

    Attributes:
        values: everything measured, in the row's unit.
        medians: the median of each round's batch.
        sent, arrived: counts of messages, in rows that count them.
        cpu_s: CPU seconds of its processes while it was measured.
        peak_bytes: what they had resident at their highest, summed.
        why_not: empty, or why there are no figures.
        has_failed: whether that is an error rather than something this machine lacks.
    """

    values: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    sent: int = 0
    arrived: int = 0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    why_not: str = ""
    has_failed: bool = False

    def add(self, answer: dict[str, Any]) -> None:
        """Take in one batch."""
        self.sent += answer["sent"]
        self.arrived += answer["arrived"]
        self.cpu_s += answer["cpu_s"]
        if answer["values"]:
            self.values += answer["values"]
            self.medians.append(statistics.median(answer["values"]))

    @property
    def median(self) -> float | None:
        """The median of the rounds' medians."""
        return statistics.median(self.medians) if self.medians else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and highest median of a round."""
        return (min(self.medians), max(self.medians)) if self.medians else None

    @property
    def p99(self) -> float | None:
        """The 99th percentile over everything measured; None where that is too little."""
        if len(self.values) < MIN_FOR_P99:
            return None
        return statistics.quantiles(self.values, n=100)[98]

    @property
    def lost(self) -> float | None:
        """The share of messages that did not arrive; None in rows that do not count them."""
        return 1 - self.arrived / self.sent if self.sent else None

    def figure(self, name: str) -> float | None:
        """Return one figure: "median", "p99" or "lost"."""
        figures = {"median": self.median, "p99": self.p99, "lost": self.lost}
        return figures[name]


@dataclass(slots=True)
class Weather:
    """What else went on while a row was measured.

    Attributes:
        load: the system's load average over a minute, at the beginning and the end.
        loop_ms: how long the same work took before each round.
    """

    load: tuple[float, float] = (0.0, 0.0)
    loop_ms: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Time the fixed work once."""
        begun = time.perf_counter()
        for _ in range(LOOP):
            sum(range(10))
        self.loop_ms.append((time.perf_counter() - begun) * 1e3)


class WorkerEnded(RuntimeError):
    """A worker ended, or was ended, where an answer was expected."""


class Worker:
    """A variant's process."""

    def __init__(self, module: str, row_name: str, variant: str) -> None:
        self.name = f"{module} {row_name}/{variant}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", module, row_name, variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ready(self) -> dict[str, Any]:
        """Wait until it is set up, or says why it cannot be."""
        return self._read(READY_S)

    def batch(self) -> dict[str, Any]:
        """Ask for one batch."""
        stdin = self._pipe(self._process.stdin)
        stdin.write("go\n")
        stdin.flush()
        return self._read(BATCH_S)

    def no_more(self) -> None:
        """Tell it that no batch is asked for any more; it begins to tear down."""
        self._pipe(self._process.stdin).close()

    def finish(self) -> int:
        """Wait for its end and return the most memory it had."""
        answer = self._read(END_S)
        if "failed" in answer:
            raise WorkerEnded(f"could not tear down: {answer['failed']}")
        peak: int = answer["peak_bytes"]
        self._process.wait(END_S)
        return peak

    def end(self) -> None:
        """End the process whatever it does: first so that it can tear down what it started."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                self._pipe(pipe).close()

    def _read(self, timeout_s: float) -> dict[str, Any]:
        watch = threading.Timer(timeout_s, self._process.terminate)
        watch.start()
        try:
            line = self._pipe(self._process.stdout).readline()
        finally:
            watch.cancel()
        if not line:
            raise WorkerEnded(f"ended, or gave no answer within {timeout_s:g} s")
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
        started.end()


@dataclass(slots=True)
class Running:
    """One variant while its row is measured."""

    worker: Worker
    result: Result

    def is_up(self) -> bool:
        """Wait until it is set up; where it cannot be, keep why."""
        try:
            answer = self.worker.ready()
        except WorkerEnded as why:
            answer = {"failed": f"its worker {why}"}
        self.result.why_not = answer.get("unavailable") or answer.get("failed") or ""
        self.result.has_failed = "failed" in answer
        return not self.result.why_not

    def measure(self, *, keep: bool) -> bool:
        """Take one batch; return whether there can be another."""
        try:
            answer = self.worker.batch()
        except (WorkerEnded, BrokenPipeError) as why:
            self.fail(f"its worker {why}")
            return False
        if "failed" in answer:
            self.fail(answer["failed"])
            return False
        if keep:
            self.result.add(answer)
        return True

    def finish(self) -> None:
        """End it and keep what memory it had."""
        try:
            self.result.peak_bytes = self.worker.finish()
        except (WorkerEnded, BrokenPipeError, subprocess.TimeoutExpired) as why:
            self.fail(f"its worker {why}")

    def fail(self, why: str) -> None:
        """It has no figures: those taken before something broke are not shown either."""
        self.result.why_not = why
        self.result.has_failed = True


def run_row(
    module: str,
    row_name: str,
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> tuple[dict[str, Result], Weather]:
    """Measure every variant of a row, interleaved.

    Args:
        rounds: batches of each variant at most.
        seconds: no round begins after so many, once there are three.
    """
    row = load_rows(module)[row_name]
    results = {name: Result() for name in row.variants}
    weather = Weather()
    begin = os.getloadavg()[0]
    with ExitStack() as stack:
        running: list[Running] = []
        for names in groups(list(row.variants), STARTS):
            progress(f"{module} {row_name}: starting {', '.join(names)}")
            new = [
                Running(stack.enter_context(worker(module, row_name, name)), results[name])
                for name in names
            ]
            running += [each for each in new if each.is_up()]
        last = min(rounds, row.rounds or rounds)
        begun = time.monotonic()
        for number in range(1 - row.warm_up, 1 + last):
            weather.look()
            progress(f"{module} {row_name}: {f'round {number} of {last}' if number else 'warm-up'}")
            running = [each for each in running if each.measure(keep=number > 0)]
            running = running[1:] + running[:1]  # none is always first, or always after the same
            if number >= MIN_ROUNDS and time.monotonic() - begun > seconds:
                break
        for each in running:
            each.worker.no_more()
        for each in running:
            each.finish()
    weather.load = (begin, os.getloadavg()[0])
    return results, weather


def groups(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the names, so many at a time."""
    for begin in range(0, len(names), size):
        yield names[begin : begin + size]
