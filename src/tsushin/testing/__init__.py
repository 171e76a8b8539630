"""For tests of your own: ends that run in one process and happen step by step."""

from __future__ import annotations

from tsushin.testing.pairs import Choice, CommPair, End, comm_pair
from tsushin.testing.runtimes import Clock, Gate, StepRuntime

__all__ = ["Choice", "Clock", "CommPair", "End", "Gate", "StepRuntime", "comm_pair"]
