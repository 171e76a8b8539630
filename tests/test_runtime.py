"""What every ``Runtime`` has: the protocol itself, held by those of this package."""

from __future__ import annotations

import inspect

import pytest

from tsushin.loop_runtime import LoopRuntime
from tsushin.runtime import Runtime
from tsushin.testing import StepRuntime

MEMBERS = {name for name in vars(Runtime) if not name.startswith("_")}


def test_a_runtime_has_nine_members():
    told = {"report", "fault"}
    assert {"run", "soon", "later", "spawn", "parent", "poll", "wait", *told} == MEMBERS


@pytest.mark.parametrize("kind", [LoopRuntime, StepRuntime])
@pytest.mark.parametrize("member", sorted(MEMBERS))
def test_each_implementation_takes_the_same_parameters(kind, member):
    wanted = list(inspect.signature(getattr(Runtime, member)).parameters)
    assert list(inspect.signature(getattr(kind, member)).parameters) == wanted
