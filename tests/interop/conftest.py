from __future__ import annotations

import pytest

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
