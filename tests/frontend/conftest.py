from __future__ import annotations

import pytest

from processes import jupyter_server, running_kernel
from tsushin import connect


@pytest.fixture(scope="session")
def shared_kernel():
    """A kernel of all tests of this folder that do not end it."""
    with running_kernel() as manager:
        yield manager


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    with jupyter_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def fe(shared_kernel):
    """A frontend attached to the shared kernel."""
    async with connect(connection_file=shared_kernel.connection_file) as fe:
        yield fe


@pytest.fixture
async def own():
    """A frontend with a kernel of its own."""
    async with connect("python3") as fe:
        yield fe
