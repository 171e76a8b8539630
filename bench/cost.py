"""What this process and its descendants have cost: CPU time, and memory at its highest."""

from __future__ import annotations

from pathlib import Path

import psutil

KIB = 1024  # /proc gives KiB


def tree() -> list[psutil.Process]:
    """Return this process and all below it: kernels, servers, browsers."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def cpu_s() -> float:
    """Return the CPU seconds spent so far by all that live; the clock ticks every 10 ms."""
    total = 0.0
    for process in tree():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def peak_bytes() -> int:
    """Return the sum of what each process had resident at its highest; without /proc, what it has now."""
    return sum(map(_peak, tree()))


def _peak(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace")
    except OSError:
        try:
            return int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0
    return peak_in(status)


def peak_in(status: str) -> int:
    """Return the bytes of ``VmHWM`` in a text of ``/proc/<pid>/status``; 0 if it is a zombie's."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KIB
    return 0
