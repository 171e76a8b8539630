"""A Chromium page that is loaded again, comes late, or goes for good, through a real Jupyter Server."""

from __future__ import annotations

import pytest

from browser.own_page import joined

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(60)]

HISTORY = 50
# The kernel sends from a thread, so that its main thread is free for handlers, and for the test to ask.
STREAM = f"""
import threading, time
from tsushin import Comm, comm_manager
c = Comm("burst", {{"hello": 1}}, history={HISTORY})
n, is_sending = -1, True
c.snapshot(lambda: {{"state": n}})
def send():
    global n
    while is_sending:
        n += 1
        c.send({{"n": n}})
        time.sleep(0.002)
sending = threading.Thread(target=send)
def stop():
    global is_sending
    is_sending = False
    sending.join()
    return n
"""
SECONDS = 20


@pytest.fixture
def kernel(site):
    with site.kernel() as kernel:
        kernel.side.run(STREAM)
        yield kernel


@pytest.fixture
def context(browser):
    with browser.new_context() as context:
        yield context


@pytest.fixture
def page(kernel, context):
    """A page to which the kernel sends."""
    page = kernel.page(context)
    kernel.side.run("sending.start()")
    until(page, "seen.count > 100")
    yield page
    kernel.side.run("stop()")


def until(page, condition, argument=None):
    page.wait_for_function(condition, arg=argument, timeout=SECONDS * 1000)


def sees_the_end(kernel, page):
    """Stop the sending and return what the page has seen once it has seen all."""
    last = kernel.side.value("stop()")
    until(page, "last => seen.last === last", last)
    return page.evaluate("seen")


def was_taken_up_and_goes_on(seen):
    """What it was opened with, its history, its snapshot, and then what is live, each once, in order."""
    assert seen["opens"] == [{"data": {"hello": 1}, "restored": True}]
    assert len(seen["history"]) == HISTORY
    assert (seen["disorder"], seen["gaps"], seen["closed"]) == ([], [], [])
    assert seen["first"] == seen["history"][0]
    assert seen["count"] == seen["last"] - seen["first"] + 1
    assert seen["count"] > 2 * HISTORY
    [snapshot] = seen["notes"]
    assert snapshot["snapshot"]
    at = seen["first"] + snapshot["at"] - 1  # the message that came just before it
    assert seen["history"][-1] <= snapshot["data"]["state"] <= at + 1


def test_a_page_reloaded_in_mid_stream_takes_the_comm_up_and_goes_on(kernel, page):
    page.reload()
    joined(page)
    assert page.evaluate("taken_up.length") == 1
    until(page, f"seen.count > {4 * HISTORY}")
    was_taken_up_and_goes_on(sees_the_end(kernel, page))


def test_a_request_that_a_reloaded_page_has_not_answered_ends(kernel, page):
    page.evaluate("() => { globalThis.hold = new Promise(() => {}); }")
    kernel.side.run("answer = c.request('who', timeout=60)")
    page.reload()
    joined(page)
    kernel.side.run(
        "try: result = answer.result(5)\nexcept BaseException as error: result = type(error).__name__"
    )
    assert kernel.side.value("result") == "NoPeer"
    kernel.side.run("result = c.request_sync('who', timeout=10)")
    assert kernel.side.value("result") == {"page": page.evaluate("performance.timeOrigin")}


def test_a_second_tab_that_comes_late_gets_what_was_and_then_the_same(kernel, page, context):
    second = kernel.page(context)
    until(second, f"seen.count > {4 * HISTORY}")
    late, whole = sees_the_end(kernel, second), sees_the_end(kernel, page)
    was_taken_up_and_goes_on(late)
    assert (whole["first"], whole["count"]) == (0, whole["last"] + 1)
    assert (whole["disorder"], whole["gaps"]) == ([], [])
    # It was the first page, and took the comm up before anything was sent; not when the second did.
    assert whole["notes"] == [{"data": {"state": -1}, "snapshot": True, "at": 0}]


OPENED_BY_THE_PAGE = """
opened, heard, closed = [], [], []
@comm_manager().register_target("mine")
def mine(comm, msg):
    opened.append(msg["content"]["data"])
    comm.on_msg(lambda m: heard.append(m["content"]["data"]))
    comm.on_close(lambda m: closed.append(m["metadata"]["tsushin"]["lost"]))
    globals()["theirs"] = comm
"""
OPEN_MINE = """() => {
  globalThis.mine = fe.comm_manager.new_comm("mine", { from: "the page" });
  mine.send({ n: 1 });
}"""


@pytest.fixture
def opener(kernel, context):
    """A page that has opened a comm."""
    page = kernel.page(context)
    kernel.side.run(OPENED_BY_THE_PAGE)
    page.evaluate(OPEN_MINE)
    assert kernel.side.wait_for("heard == [{'n': 1}]")
    return page


def test_a_comm_of_a_page_that_is_closed_for_good_is_lost_in_the_kernel(kernel, opener):
    kernel.side.run("import tsushin.taking_up; tsushin.taking_up.CLAIM_S = 3")  # 60 by default
    opener.close()
    assert kernel.side.wait_for("not comm_manager().peers")
    assert kernel.side.value("(closed, theirs.closed)") == ([], False)
    assert kernel.side.wait_for("closed")
    assert kernel.side.value("closed") == ["the page that opened it is gone for 3 s"]


def test_a_comm_of_a_page_that_is_reloaded_is_taken_up_in_the_same_tab(kernel, opener):
    kernel.side.run("import tsushin.taking_up; tsushin.taking_up.CLAIM_S = 3")
    opener.reload()
    joined(opener)
    ids = opener.evaluate("""async () => {
      fe.comm_manager.register_target("mine", (comm, msg) => {
        globalThis.mine = comm;
        globalThis.mine_opened = [msg.content.data, msg.metadata.tsushin?.restored];
      });
      return fe.restore();
    }""")
    assert ids == [kernel.side.value("theirs.comm_id")]
    assert opener.evaluate("mine_opened") == [{"from": "the page"}, True]
    opener.evaluate("() => { mine.send({ n: 2 }); globalThis.next = mine.expect_msg(10); }")
    assert kernel.side.wait_for("heard == [{'n': 1}, {'n': 2}]")
    kernel.side.run("theirs.send({'to': 'the page'})")
    assert opener.evaluate("next.then((m) => m.content.data)") == {"to": "the page"}
    kernel.side.run("import time; time.sleep(4)")  # longer than a page may stay away
    assert kernel.side.value("(closed, theirs.closed, len(opened))") == ([], False, 1)


def test_another_tab_does_not_get_a_comm_that_a_page_has_opened(kernel, opener, context):
    other = kernel.page(context)
    ids = other.evaluate("""async () => {
      fe.comm_manager.register_target("mine", () => {});
      return fe.restore();
    }""")
    assert kernel.side.value("theirs.comm_id") not in ids
    assert kernel.side.value("theirs.closed") is False
