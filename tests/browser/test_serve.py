"""A Chromium page and a plain Python process by ``tsushin.serve``: both documented flows."""

from __future__ import annotations

import os
import threading

import pytest

from tsushin.kernel.process import ProcessKernel
from tsushin.server import serve
from tsushin.server.static_files import STATIC

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

TIMEOUT_S = 15
BUFFERS = [b"", bytes(range(256)) * 256, os.urandom(5 << 20)]

CONNECT = """async ([token]) => {
  const { connect } = await import(new URL("tsushin.js", location.href).href);
  globalThis.fe = await connect(new URL(".", location.href).href, { token });
  globalThis.log = [];
}"""

# The page answers each message with the same data, metadata and buffers, and one key more.
REGISTER_ECHO = """() => {
  fe.comm_manager.register_target("page-echo", (comm, msg) => {
    globalThis.comm = comm;
    log.push(["open", msg.content.data]);
    comm.on_msg((m) => {
      comm.send({ ...m.content.data, seen: true }, m.metadata, m.buffers);
    });
    comm.on_close((m) => log.push(["close", m.content.data]));
  });
}"""

OPEN_AND_SEND = """async ([sizes]) => {
  const buffers = sizes.map((size) => new Uint8Array(size).map((_, i) => (i * 7) & 255));
  globalThis.comm = fe.comm_manager.new_comm("kernel-echo", { x: 1 }, { opened: true });
  comm.on_close((m) => log.push(["close", m.content.data]));
  const answer = comm.expect_msg(10);
  comm.send({ n: 1 }, { m: 2 }, buffers);
  const { content, metadata, buffers: back } = await answer;
  const same = back.every((view, i) => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return bytes.length === buffers[i].length && bytes.every((b, k) => b === buffers[i][k]);
  });
  return { data: content.data, metadata, sizes: back.map((view) => view.byteLength), same };
}"""


class Once:
    """Collects calls from the serving thread; ``wait`` is bounded."""

    def __init__(self):
        self.calls = []
        self._called = threading.Event()

    def __call__(self, message):
        self.calls.append(message["content"]["data"])
        self._called.set()

    def wait(self):
        assert self._called.wait(TIMEOUT_S)
        return self.calls


@pytest.fixture
def manager():
    return ProcessKernel().manager


@pytest.fixture
def open_page(browser, manager):
    """Open one more page that is connected."""
    assert (STATIC / "tsushin.js").is_file(), "build the page first: python tools/node.py build"
    errors = []
    with serve(manager, block=False) as serving, browser.new_context() as context:

        def open_page():
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (playwright marks it)
            # A document of the endpoint's own origin without scripts of its own.
            page.goto(f"{serving.url}icon.svg")
            page.evaluate(CONNECT, [serving.token])
            return page

        yield open_page
    assert errors == []


@pytest.fixture
def page(open_page):
    return open_page()


def wait_for_log(page, length):
    page.wait_for_function("n => log.length >= n", arg=length, timeout=TIMEOUT_S * 1000)
    return page.evaluate("log")


def test_the_process_opens_and_closes(page, manager):
    page.evaluate(REGISTER_ECHO)
    comm = manager.new_comm("page-echo", {"hello": 1})
    answer = comm.expect_msg(TIMEOUT_S)
    comm.send({"n": 1}, {"m": [2]}, BUFFERS)
    back = answer.result()
    assert back["content"]["data"] == {"n": 1, "seen": True}
    assert back["metadata"] == {"m": [2]}
    assert [bytes(buffer) for buffer in back["buffers"]] == BUFFERS
    comm.close({"bye": 1})
    assert wait_for_log(page, 2) == [["open", {"hello": 1}], ["close", {"bye": 1}]]
    assert page.evaluate("comm.closed")


def test_the_process_opens_and_the_page_closes(page, manager):
    page.evaluate(REGISTER_ECHO)
    closed = Once()
    comm = manager.new_comm("page-echo")
    comm.on_close(closed)
    wait_for_log(page, 1)
    page.evaluate("comm.close({ bye: 2 }), comm.close({ again: true })")
    assert closed.wait() == [{"bye": 2}]
    assert comm.closed_by == "there"
    assert page.evaluate("log") == [["open", {}]]  # on_close is not for one's own close


def test_the_page_opens_and_closes(page, manager):
    opened, closed = [], Once()

    @manager.register_target("kernel-echo")
    def echo(comm, msg):
        opened.append((msg["content"]["data"], msg["metadata"]))
        comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))
        comm.on_close(closed)

    sizes = [len(buffer) for buffer in BUFFERS]
    answer = page.evaluate(OPEN_AND_SEND, [sizes])
    assert answer == {"data": {"n": 1}, "metadata": {"m": 2}, "sizes": sizes, "same": True}
    assert opened == [({"x": 1}, {"opened": True})]
    page.evaluate("comm.close({ bye: 3 })")
    assert closed.wait() == [{"bye": 3}]
    assert manager.comms == {}


def test_the_page_opens_and_the_process_closes(page, manager):
    @manager.register_target("kernel-echo")
    def echo(comm, msg):
        comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))

    page.evaluate(OPEN_AND_SEND, [[1]])
    [comm] = manager.comms.values()
    comm.close({"bye": 4})
    assert wait_for_log(page, 1) == [["close", {"bye": 4}]]
    assert page.evaluate("comm.closed")


def test_a_target_unknown_to_the_process_is_refused_with_the_reason(page, manager):
    reason = page.evaluate(
        """() => new Promise((resolve) => {
          fe.comm_manager.new_comm("nobody").on_close((m) => resolve(m.metadata.tsushin.error));
        })"""
    )
    assert reason["code"] == "unknown_target"


def test_a_second_page_that_lacks_the_target_does_not_disturb_the_first(page, open_page, manager):
    page.evaluate(REGISTER_ECHO)
    other = open_page()
    comm = manager.new_comm("page-echo", {"hello": 1})
    answer = comm.expect_msg(TIMEOUT_S)
    comm.send({"n": 1})
    assert answer.result()["content"]["data"] == {"n": 1, "seen": True}
    assert not comm.closed
    other.close()
