"""A Jupyter Server that culls idle kernels: an open comm keeps none alive, a running cell does."""

from __future__ import annotations

import asyncio
import time

import pytest

from processes import jupyter_server
from tsushin import CommClosed, TransportError, connect

pytestmark = [pytest.mark.interop, pytest.mark.timeout(90)]

IDLE_S = 2
CULLS = {
    "MappingKernelManager.cull_idle_timeout": IDLE_S,
    "MappingKernelManager.cull_interval": 1,
    "MappingKernelManager.cull_connected": True,
}
LONG = 4 * IDLE_S  # seconds that a cell runs

COMM = """
import time
from tsushin import Comm
c, n = Comm("x", run={run!r}), [0]
@c.on_msg
def on_msg(msg):
    n[0] += 1
"""
CELL = f"""
until = time.monotonic() + {LONG}
while time.monotonic() < until:
    time.sleep(0.05)
    c.poll()
print(n[0])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with jupyter_server(tmp_path_factory.mktemp("server"), settings=CULLS) as server:
        yield server


@pytest.fixture
async def fe(server):
    try:
        async with connect(server.url, token=server.token, kernel_name="python3") as fe:
            yield fe
    except TransportError:
        pass  # its kernel was culled; there is none to end


async def test_an_idle_kernel_with_an_open_comm_is_culled(fe):
    opened = fe.expect_open("x", timeout=10)
    await fe.execute(COMM.format(run="main"))
    comm = await opened
    with pytest.raises(CommClosed):  # a kernel that shuts down closes its comms
        await comm.expect_msg(timeout=60)


@pytest.mark.parametrize("run", ["main", "thread"])
async def test_a_kernel_in_a_long_cell_is_spared_though_messages_were_handled(fe, run):
    opened = fe.expect_open("x", timeout=10)
    await fe.execute(COMM.format(run=run))
    comm = await opened
    cell = asyncio.ensure_future(fe.execute(CELL))
    await asyncio.sleep(0.3)
    comm.send({})  # busy and idle of this, and then nothing is heard of the cell for long
    begun = time.monotonic()
    result = await cell
    assert time.monotonic() - begun > 2 * IDLE_S
    assert result.stdout == "1\n"
