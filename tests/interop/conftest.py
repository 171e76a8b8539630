from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import node as node_tools
from interop.node_folder import FOLDER
from processes import jupyter_server
from tsushin.frontend.rest import Server

INSTALLED = FOLDER / "node_modules" / ".package-lock.json"
LOCK = FOLDER / "package-lock.json"


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
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime:
        npm = shutil.which("npm", path=path)
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-progress"], cwd=FOLDER, check=True)
    return shutil.which("node", path=path)
