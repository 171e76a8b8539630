from __future__ import annotations

import pytest

from endpoint_client import Client
from tsushin.kernel.process import ProcessKernel
from tsushin.server import serve


@pytest.fixture
def kernel():
    return ProcessKernel()


@pytest.fixture
def serving(kernel):
    with serve(kernel.manager, block=False) as serving:
        yield serving


@pytest.fixture
def client(serving):
    return Client.of(serving)
