from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import EXTENDED, environment, jupyter_server
from server.jupyter.others import MODULES
from server.jupyter.pages import running

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A folder with the modules of others."""
    folder = tmp_path_factory.mktemp("modules")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def run_server(tmp_path_factory, modules):
    """Run servers that tests look into; takes what ``jupyter_server`` takes."""

    @contextmanager
    def run(*, extensions=EXTENDED, env=None, **options):
        env = {**environment(), **(env or {})}
        env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(HERE), str(modules)])
        root = tmp_path_factory.mktemp("server")
        extensions = {**extensions, "observer": True}
        with jupyter_server(root, extensions=extensions, env=env, **options) as server:
            yield server

    return run


@pytest.fixture(scope="module")
def server(run_server):
    """A server with our extension and its default limits."""
    with run_server() as server:
        yield server


@pytest.fixture
async def kernel_id(server):
    """A kernel of that server."""
    async with running(server) as kernel_id:
        yield kernel_id
