from __future__ import annotations

import pytest

import tsushin


def test_in_a_plain_process_there_is_nothing_to_bridge():
    with pytest.raises(tsushin.NoHost, match="there is neither"):
        tsushin.bridge()


def test_every_call_in_a_kernel_returns_the_same_bridge(detached_kernel):
    assert detached_kernel.value("tsushin.bridge() is tsushin.bridge()") is True
