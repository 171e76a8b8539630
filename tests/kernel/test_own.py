from __future__ import annotations

import subprocess
import sys

import pytest

import tsushin


def test_in_a_kernel_it_is_the_kernels(detached_kernel):
    assert (
        detached_kernel.value("tsushin.comm_manager().comms is kernel.comm_manager.comms") is True
    )


def test_in_a_plain_process_it_is_the_processs_own_and_always_the_same():
    manager = tsushin.comm_manager()
    assert isinstance(manager, tsushin.CommManager)
    assert tsushin.comm_manager() is manager


def test_a_comm_needs_something_served():
    # In a process of its own: this one has served, in other tests.
    code = """
import tsushin
from tsushin.kernel.own import process_kernel, process_manager
manager = process_manager()
try:
    tsushin.Comm("page")
except tsushin.NoHost:
    print("no host")
process_kernel().serving_begins()
print(tsushin.Comm("page").comm_id in manager.comms)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "no host\nTrue\n", done.stderr


@pytest.mark.interop
async def test_in_a_notebooks_kernel_a_comm_belongs_to_the_kernel_even_when_it_serves():
    code = """
import tsushin
serving = tsushin.serve(block=False, manager=tsushin.kernel.own.process_manager())
comm = tsushin.Comm("page")
tsushin.comm_manager().get_comm(comm.comm_id) is comm
"""
    async with tsushin.connect("python3") as fe:
        opened = fe.expect_open("page")
        assert (await fe.execute("import tsushin.kernel.own" + code)).result == "True"
        assert (await opened).target_name == "page"


def test_a_comm_without_kernel_or_endpoint_has_no_host():
    # In a process of its own: this one has served, in other tests.
    code = "import tsushin; tsushin.Comm('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "NoHost: a Comm needs a host" in done.stderr
