"""A page of one's own in Chromium with a lane to its kernel; the Jupyter Server is as installed."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

SETUP = """
from tsushin import Comm, comm_manager
heard = []
c = Comm("burst")
c.on_msg(lambda m: heard.append(m["content"]["data"]["n"]))
"""
HAS_LANE = "globalThis.fe && fe.has_lane"
WAIT_MS = 60_000


@pytest.fixture
def kernel(site):
    with site.kernel() as kernel:
        yield kernel


@pytest.fixture
def page(kernel, browser):
    """A page that has a lane, and the kernel's comm."""
    with browser.new_context() as context:
        kernel.side.run("from tsushin import comm_manager; comm_manager()")
        page = context.new_page()
        page.goto(kernel.address)
        page.wait_for_function(HAS_LANE, timeout=WAIT_MS)
        kernel.side.run(SETUP)
        page.wait_for_function("seen.opens.length === 1", timeout=WAIT_MS)
        page.evaluate(
            """() => {
              const [comm] = fe.comm_manager.comms.values();
              globalThis.comm = comm;
              globalThis.got = [];
              comm.on_msg((msg) => got.push(msg.content.data.n));
            }"""
        )
        yield page


def both_ways(kernel, page, numbers):
    page.evaluate("numbers => numbers.forEach((n) => comm.send({ n }))", numbers)
    kernel.side.run(f"for n in {numbers}: c.send({{'n': n}})")


def test_messages_come_in_order_while_lanes_end_and_come_back(kernel, page):
    numbers = list(range(600))
    for first in range(0, 600, 200):
        both_ways(kernel, page, numbers[first : first + 200])
        kernel.side.run("for s in list(comm_manager().sessions._ways): comm_manager().lanes.end(s)")
    page.wait_for_function("got.length >= 600", timeout=WAIT_MS)
    assert page.evaluate("got") == numbers
    assert kernel.side.wait_for(f"heard == {numbers}")
    page.wait_for_function(HAS_LANE, timeout=WAIT_MS)


def test_a_page_that_is_loaded_again_has_one_again(kernel, page):
    wrong = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.reload()
    page.wait_for_function(HAS_LANE, timeout=WAIT_MS)
    assert kernel.side.wait_for("len(comm_manager().sessions._ways) == 1")
    assert wrong == []  # in normal use nothing is said on the console
