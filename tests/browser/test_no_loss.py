"""Nothing is lost between a kernel and a Chromium page; the Jupyter Server has its default limits."""

from __future__ import annotations

import time

import pytest

from browser.kernel_side import WAIT_S

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

# The server passes on so many messages a second and drops the rest: a burst cannot be here sooner than so.
SERVER_PER_S = 1000
MANY = 20_000
MOST = 100_000
# Messages of the comm that left the kernel, besides its open.
LEFT = "comm_manager().sessions._profile._outbox.number[c.comm_id] - 1"
OPEN = "from tsushin import Comm; c = Comm('burst', {'hello': 1})"


@pytest.fixture
def kernel(site):
    with site.kernel() as kernel:
        kernel.side.run("from tsushin import Comm, comm_manager; comm_manager()")
        yield kernel


@pytest.fixture
def context(browser):
    with browser.new_context() as context:
        yield context


@pytest.fixture
def page(kernel, context):
    """A page with the kernel's comm."""
    page = kernel.page(context)
    kernel.side.run(OPEN)
    page.wait_for_function("seen.opens.length === 1 && fe.comm_manager.peers.length")
    return page


def burst(count, print_bytes, arguments=""):
    """Return code that sends so many messages in a tight loop, and prints so much beside."""
    return f"""
import time
begun = time.monotonic()
for n in range({count}):
    c.send({{"n": n}}{arguments})
    if n % {count // 100} == 0:
        print("x" * {print_bytes // 100})
took = time.monotonic() - begun
"""


def until(page, condition, seconds):
    page.wait_for_function(condition, timeout=seconds * 1000, polling=100)


def arrives_whole(kernel, page, count):
    """Send a burst beside 10 MB of prints; return seconds until all of it was here."""
    begun = time.monotonic()
    kernel.side.start(burst(count, 10_000_000))
    until(page, f"seen.count >= {count}", 100 + count / 400)
    took = time.monotonic() - begun
    seen = page.evaluate("seen")
    assert (seen["first"], seen["last"], seen["count"]) == (0, count - 1, count)
    assert (seen["disorder"], seen["gaps"], seen["closed"]) == ([], [], [])
    return took


def test_a_burst_arrives_whole_and_in_order_beside_prints(kernel, page):
    arrives_whole(kernel, page, MANY)


@pytest.mark.matrix
@pytest.mark.timeout(600)
def test_a_hundred_thousand_arrive_whole_and_in_order_beside_prints(kernel, page):
    took = arrives_whole(kernel, page, MOST)
    loop = kernel.side.value("took")
    figures = f"{MOST:,} messages: sent in {loop:.1f} s, here after {took:.1f} s"
    print(f"\n{figures}")  # noqa: T201 (run for its figures)


@pytest.mark.timeout(180)
def test_of_values_that_replace_each_other_the_last_arrives_and_the_loop_is_over_soon(kernel, page):
    # Soon: before the server could have passed all of it on.
    kernel.side.run(burst(MOST, 10_000_000, ", coalesce='k'"), timeout_s=0.8 * MOST / SERVER_PER_S)
    until(page, f"seen.last === {MOST - 1}", 30)
    seen = page.evaluate("seen")
    # How many are replaced is a matter of two speeds; what was not has arrived, and nothing else was sent.
    assert seen["count"] == kernel.side.value(LEFT)
    assert seen["count"] < MOST / 2
    assert all(before < after for before, after in seen["disorder"])
    assert seen["gaps"] == []


class Asleep:
    """A page whose JavaScript stands still, as one behind a long computation, until ``wake``."""

    def __init__(self, page):
        self._debugger = page.context.new_cdp_session(page)
        paused = []
        self._debugger.on("Debugger.paused", lambda event: paused.append(event))  # noqa: PLW0108 (it is marked)
        self._debugger.send("Debugger.enable")
        page.evaluate("() => { setTimeout(() => { debugger; }); }")
        until = time.monotonic() + 10
        while not paused:
            assert time.monotonic() < until
            page.wait_for_timeout(20)  # lets events in

    def wake(self):
        self._debugger.send("Debugger.resume")
        self._debugger.detach()


def test_a_page_that_sleeps_holds_up_neither_the_kernel_nor_another_page(kernel, page, context):
    kernel.side.run("c.snapshot(lambda: {'state': n})")
    other = kernel.page(context)
    sleeper, begun = Asleep(other), time.monotonic()
    kernel.side.run(burst(8000, 0), timeout_s=60)
    until(page, "seen.count === 8000", 60)
    assert time.monotonic() - begun > 10  # it slept long enough to lag
    assert page.evaluate("[seen.disorder, seen.gaps]") == [[], []]
    sleeper.wake()
    until(other, "seen.last === 7999", 60)
    sees_all_or_is_told(other, 8000)


def sees_all_or_is_told(page, count):
    """What is not here was told as missing, in its place, and made up for by the kernel's snapshot."""
    until(page, "!seen.gaps.length || seen.notes.some(({ snapshot }) => snapshot)", WAIT_S)
    seen = page.evaluate("seen")
    missed = [(before, after - before - 1) for before, after in seen["disorder"]]
    assert seen["count"] + sum(n for _, n in missed) == count
    assert sum(n for n, _ in seen["gaps"]) == sum(n for _, n in missed)
    assert all(n > 0 for _, n in missed)
    assert bool(missed) == any(note["snapshot"] for note in seen["notes"])


def test_a_page_that_sleeps_alone_gets_what_is_kept_and_the_snapshot_for_the_rest(kernel, page):
    kernel.side.run("c.snapshot(lambda: {'state': n})")
    sleeper = Asleep(page)
    kernel.side.run(burst(MANY, 0), timeout_s=60)
    # A lane is left when it was silent for 7 s; then the page has 1 s by the standard route.
    queued = "c._manager.sessions._profile.queued_bytes()"
    assert kernel.side.wait_for(f"not {queued}", seconds=8 + WAIT_S)
    sleeper.wake()
    until(page, f"seen.last === {MANY - 1}", 60)
    sees_all_or_is_told(page, MANY)
