from __future__ import annotations

import fcntl
import shutil

import pytest

import node as node_tools
from node import TEST_FOLDER as FOLDER
from processes import jupyter_server
from tsushin.frontend.rest import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Jupyter Server with its default limits."""
    with jupyter_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def kernel_id(server):
    """A kernel of that server."""
    rest = Server(server.url, token=server.token)
    kernel_id = await rest.start("python3")
    yield kernel_id
    await rest.shutdown(kernel_id)


@pytest.fixture(scope="session")
def node():
    """Path of ``node``, after installing what the lock file names."""
    folder = node_tools.find_node()
    assert folder is not None, "no Node on PATH: make test installs one"
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of tests that run side by side, one installs
        node_tools.install_for_tests()
    return shutil.which("node", path=str(folder))
