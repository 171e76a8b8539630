from __future__ import annotations

import pytest

import tsushin
from tsushin import NoHost


def test_in_a_kernel_it_is_the_kernels(detached_kernel):
    assert detached_kernel.value("tsushin.comm_manager() is kernel.comm_manager") is True


def test_in_a_plain_process_it_is_the_processs_own_and_always_the_same():
    manager = tsushin.comm_manager()
    assert isinstance(manager, tsushin.CommManager)
    assert tsushin.comm_manager() is manager


def test_a_comm_without_kernel_or_endpoint_has_no_host():
    with pytest.raises(NoHost, match="a Comm needs a host"):
        tsushin.Comm("x")
