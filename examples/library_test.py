"""Test the Python half of a comm library without a browser.

    pytest examples/library_test.py

The kernel is real and shared; each test opens comms of its own. Replace LIBRARY by ``import your_library``.
"""

# ruff: noqa: S101  (a test asserts)
from __future__ import annotations

from collections.abc import Iterator

import pytest

import tsushin

LIBRARY = """
from tsushin import Comm

class Slider:
    def __init__(self, value):
        self.value = value
        self.comm = Comm("slider", {"value": value})
        self.comm.on_msg(self.moved)

    def moved(self, msg):
        value = msg["content"]["data"]["value"]
        if not 0 <= value <= 100:
            raise ValueError(f"value: expected 0 to 100, got {value}")
        self.value = value
        self.comm.send({"accepted": value})

    def pixels(self):
        return self.comm.request_sync("width", {"unit": "px"}, timeout=5)
"""


@pytest.fixture(scope="module")
def fe() -> Iterator[tsushin.frontend.SyncFrontend]:
    """Start a kernel that has the library."""
    with tsushin.connect_sync("python3") as fe:
        fe.execute(LIBRARY)
        yield fe


@pytest.fixture
def comm(fe: tsushin.frontend.SyncFrontend) -> tsushin.Comm:
    """Return the frontend's end of a new slider."""
    opened = fe.expect_open("slider")
    fe.execute("slider = Slider(10)")
    return opened.result()


def test_opens_with_its_value(comm: tsushin.Comm) -> None:
    assert comm.open_msg["content"]["data"] == {"value": 10}


def test_move_reaches_the_kernel(fe: tsushin.frontend.SyncFrontend, comm: tsushin.Comm) -> None:
    comm.send({"value": 42})
    assert comm.expect_msg().result()["content"]["data"] == {"accepted": 42}
    assert fe.execute("slider.value").result == "42"


def test_asks_the_page_how_wide_it_is(
    fe: tsushin.frontend.SyncFrontend, comm: tsushin.Comm
) -> None:
    comm.handle("width", lambda msg: {"px": 300}[msg["content"]["data"]["unit"]])
    assert fe.execute("slider.pixels()").result == "300"


@pytest.mark.usefixtures("comm")
def test_a_page_that_cannot_say_is_an_error(fe: tsushin.frontend.SyncFrontend) -> None:
    with pytest.raises(tsushin.ExecutionError, match="NoPeer"):
        fe.execute("slider.pixels()")


def test_bad_value_changes_nothing(fe: tsushin.frontend.SyncFrontend, comm: tsushin.Comm) -> None:
    comm.send({"value": 101})  # the handler raises, which is reported to whoever watches the kernel
    assert fe.execute("slider.value").result == "10"
