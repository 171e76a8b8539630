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


def test_in_a_plain_process_there_is_nothing_to_bridge():
    with pytest.raises(tsushin.NoHost, match="there is neither"):
        tsushin.bridge()


def test_every_call_in_a_kernel_returns_the_same_bridge(detached_kernel):
    assert detached_kernel.value("tsushin.bridge() is tsushin.bridge()") is True


def test_a_comm_without_kernel_or_endpoint_has_no_host():
    # In a process of its own: this one has served, in other tests.
    code = "import tsushin; tsushin.Comm('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "NoHost: a Comm needs a host" in done.stderr
