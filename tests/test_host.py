"""Whose comm a comm is when nobody says."""

from __future__ import annotations

import pytest

from tsushin import host
from tsushin.errors import NoHost
from tsushin.testing import comm_pair


@pytest.fixture(autouse=True)
def _no_finders(monkeypatch):
    monkeypatch.setattr(host, "_finders", [])


def test_without_finders_there_is_no_host():
    with pytest.raises(NoHost, match="expected a running kernel"):
        host.host_manager()


def test_a_finder_that_finds_nothing_leaves_it_to_the_next():
    manager = comm_pair().kernel
    host.add_finder(lambda: manager)
    host.add_finder(lambda: None)
    assert host.host_manager() is manager


def test_the_finder_added_last_is_asked_first():
    first, second = comm_pair().kernel, comm_pair().kernel
    host.add_finder(lambda: first)
    host.add_finder(lambda: second)
    assert host.host_manager() is second


def test_the_host_is_looked_for_each_time():
    found = []
    host.add_finder(lambda: found[0] if found else None)
    with pytest.raises(NoHost):
        host.host_manager()
    found.append(comm_pair().kernel)
    assert host.host_manager() is found[0]
