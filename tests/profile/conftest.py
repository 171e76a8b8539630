"""A kernel end and two frontends, over memory links."""

from __future__ import annotations

import pytest

from lanes import Lanes, MemoryLane
from listening import listen
from tsushin.testing import comm_pair


@pytest.fixture
def pair():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    for frontend in pair.frontends:
        frontend.got = []
        frontend.register_target("t", listen(frontend.got))
    return pair


@pytest.fixture
def laned(pair):
    """The pair, both ends with lanes, and one between the kernel and the first frontend."""
    for end in pair.ends:
        end.sessions.use_lanes(Lanes())
    pair.join()
    pair.lane = MemoryLane(pair.kernel, pair.frontends[0])
    pair.lane.begin()
    return pair
