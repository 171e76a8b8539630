from __future__ import annotations

import pytest

from kernel.peer import RESET, started


@pytest.fixture(scope="session")
def shared_kernel():
    with started() as peer:
        yield peer


@pytest.fixture
def kernel(shared_kernel):
    """A client of the shared kernel, attached, without comms and targets."""
    shared_kernel.run(RESET)
    shared_kernel.kept.clear()
    return shared_kernel


@pytest.fixture
def detached_kernel(kernel):
    """The same, with ipykernel's own comms."""
    kernel.run("tsushin.kernel.detach()")
    return kernel


@pytest.fixture
def fresh_kernel():
    """A kernel of its own, not attached: for tests that change or end it."""
    with started() as peer:
        yield peer
