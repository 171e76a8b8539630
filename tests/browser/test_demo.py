"""A Chromium page and a real ipykernel through ``tsushin demo``: both documented flows."""

from __future__ import annotations

import pytest

from demo_process import Demo
from tsushin.server.static_files import has_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

WAIT_MS = 20_000
SIZES = [0, 64 * 1024, 5 << 20]

CONNECT = """async ([token]) => {
  const { connect } = await import(new URL("tsushin.js", location.href).href);
  globalThis.fe = await connect(new URL(".", location.href).href, { token });
  globalThis.make = (sizes) => sizes.map((n) => new Uint8Array(n).map((_, i) => (i * 7) & 255));
  globalThis.bytes = (v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  globalThis.same = (views, made) => views.length === made.length && views.every((view, i) => {
    const got = bytes(view);
    return got.length === made[i].length && got.every((b, k) => b === made[i][k]);
  });
}"""

KERNEL = """
from ipykernel.kernelapp import IPKernelApp
log = []
def made(sizes):
    return [bytes((i * 7) & 255 for i in range(256)) * (n // 256) for n in sizes]
def echo(comm, msg):
    log.append(("open", msg["content"]["data"], msg["metadata"]))
    def back(m):
        if m["content"]["data"].get("close"):
            comm.close({"bye": 3})
        else:
            comm.send(m["content"]["data"], m["metadata"], m["buffers"])
    comm.on_msg(back)
    comm.on_close(lambda m: log.append(("close", m["content"]["data"])))
IPKernelApp.instance().kernel.comm_manager.register_target("kernel-echo", echo)
"""

KERNEL_OPENS = """async ([code]) => {
  const seen = [];
  const closed = new Promise((resolve) => {
    fe.comm_manager.register_target("page-echo", (comm, msg) => {
      seen.push(["open", msg.content.data, msg.metadata]);
      comm.on_msg((m) => {
        seen.push(["msg", m.content.data, m.metadata, same(m.buffers, make([0, 65536, 5 << 20]))]);
        comm.send({ back: true }, { m: 3 }, m.buffers);
      });
      comm.on_close((m) => { seen.push(["close", m.content.data]); resolve(); });
    });
  });
  await fe.execute(code);
  await closed;
  return { seen, log: (await fe.execute("log")).result };
}"""

OPEN_FROM_KERNEL = """
import warnings; warnings.simplefilter("ignore")
from ipykernel.comm import Comm
c = Comm(target_name="page-echo", data={"x": 1}, metadata={"m": 1})
@c.on_msg
def on_msg(m):
    same = [bytes(b) for b in m["buffers"]] == made([0, 65536, 5 << 20])
    log.append((m["content"]["data"], m["metadata"], same))
    c.close({"bye": 1})
c.send({"n": 1}, {"m": 2}, made([0, 65536, 5 << 20]))
"""

PAGE_OPENS = """async ([sizes]) => {
  const comm = fe.comm_manager.new_comm("kernel-echo", { x: 1 }, { m: 1 });
  const answer = comm.expect_msg(15);
  comm.send({ n: 1 }, { m: 2 }, make(sizes));
  const { content, metadata, buffers } = await answer;
  comm.close({ bye: 2 });
  comm.close({ bye: 3 });
  const log = (await fe.execute("log")).result;
  return { data: content.data, metadata, same: same(buffers, make(sizes)), log };
}"""

PAGE_CLOSES = """async ([code]) => {
  fe.comm_manager.register_target("page-closes", (comm) => {
    comm.on_close(() => { throw new Error("on_close is not for one's own close"); });
    comm.close({ bye: 4 });
  });
  await fe.execute(code);
  return (await fe.execute("await closed.wait(); log")).result;
}"""

OPEN_TO_BE_CLOSED = """
import asyncio
from tsushin import Comm
closed = asyncio.Event()
d = Comm("page-closes")
@d.on_close
def on_close(m):
    log.append((m["content"]["data"], d.closed_by))
    closed.set()
"""

KERNEL_CLOSES = """async () => {
  const comm = fe.comm_manager.new_comm("kernel-echo");
  const closes = [];
  const closed = new Promise((resolve) => {
    comm.on_close((m) => { closes.push(m.content.data); resolve(); });
  });
  comm.send({ close: true });
  await closed;
  return { closes, closed_by: comm.closed_by };
}"""

OPEN_BY_MODULE = """
import asyncio
from urllib.parse import quote
from tsushin import Comm
source = "define([], function () { return function (comm) { comm.send({by: 'module'}); }; });"
answered = asyncio.get_running_loop().create_future()
e = Comm("nobody", target_module="data:text/javascript," + quote(source))
e.on_msg(lambda m: answered.set_result(m["content"]["data"]))
await asyncio.wait_for(answered, 15)
"""


@pytest.fixture(scope="module")
def client():
    assert has_page(), "build the page first: python tools/node.py build"
    demo = Demo()
    with demo.process:
        yield demo.client()
        demo.kill()


@pytest.fixture
def page(browser, client):
    errors = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (playwright marks it)
        yield page
    assert errors == []


@pytest.fixture
def connected(page, client):
    """A page without scripts of its own, connected to a kernel with an empty log."""
    page.goto(f"{client.url}icon.svg")
    page.evaluate(CONNECT, [client.token])
    page.evaluate("async ([code]) => { await fe.execute(code); }", [KERNEL])
    return page


def test_the_kernel_opens_and_closes(connected):
    result = connected.evaluate(KERNEL_OPENS, [OPEN_FROM_KERNEL])
    assert result["seen"] == [
        ["open", {"x": 1}, {"m": 1}],
        ["msg", {"n": 1}, {"m": 2}, True],
        ["close", {"bye": 1}],
    ]
    assert result["log"] == "[({'back': True}, {'m': 3}, True)]"


def test_the_page_opens_and_closes(connected):
    result = connected.evaluate(PAGE_OPENS, [SIZES])
    assert result.pop("log") == "[('open', {'x': 1}, {'m': 1}), ('close', {'bye': 2})]"
    assert result == {"data": {"n": 1}, "metadata": {"m": 2}, "same": True}


def test_the_page_closes_what_the_kernel_opened(connected):
    log = connected.evaluate(PAGE_CLOSES, [OPEN_TO_BE_CLOSED])
    assert log == "[({'bye': 4}, 'there')]"


def test_the_kernel_closes_what_the_page_opened(connected):
    result = connected.evaluate(KERNEL_CLOSES)
    assert result == {"closes": [{"bye": 3}], "closed_by": "there"}


# What each documented flow sends, by direction, and the last line of each cell's output.
SENT = {
    "kernel": {
        "kernel-to-page": [
            'open {"foo":1}',
            'msg {"foo":2}',
            'msg {"foo":3}',
            'close {"bye":"from the kernel"}',
        ],
        "page-to-kernel": ['msg {"foo":0}', 'msg {"foo":20}', 'msg {"foo":30}'],
    },
    "page": {
        "page-to-kernel": [
            'open {"foo":6}',
            'msg {"foo":7}',
            'msg {"foo":8}',
            'close {"bye":"from the page"}',
        ],
        "kernel-to-page": ['msg {"foo":5}', 'msg {"foo":70}', 'msg {"foo":80}'],
    },
}
LAST_LINES = {"kernel": ("received 30", "closed with"), "page": ("received 8", "80")}
ROWS = """(direction) => [...document.querySelectorAll('#timeline-rows .timeline-row')]
  .filter((row) => row.dataset.direction === direction)
  .map((row) => `${row.dataset.type} ${row.querySelector(".row-data").textContent}`)"""


@pytest.fixture
def playground(page, client):
    """The page of the demo, connected."""
    page.goto(f"{client.url}?token={client.token}")
    page.wait_for_selector("#connection-text:has-text('Connected')", timeout=WAIT_MS)
    assert client.token not in page.url
    return page


def wait_for_text(page, selector, text):
    page.wait_for_selector(f"{selector}:has-text('{text}')", timeout=WAIT_MS)
    return page.inner_text(selector)


@pytest.mark.parametrize("flow", ["kernel", "page"])
def test_the_page_of_the_demo_runs_each_documented_flow(playground, flow):
    playground.click(f"#flow-{flow}-opens")
    playground.click("#run-flow")
    wait_for_text(playground, "#timeline", "bye")
    for cell, line in zip(("python", "javascript"), LAST_LINES[flow], strict=True):
        wait_for_text(playground, f"#{cell}-output", line)
    assert {way: playground.evaluate(ROWS, way) for way in SENT[flow]} == SENT[flow]


def test_the_page_of_the_demo_shows_buffers_byte_equal(playground):
    playground.select_option("#example-menu", "buffers")
    playground.click("#run-flow")
    shown = wait_for_text(playground, "#javascript-output", "5242880 B: byte-equal")
    assert shown.count("byte-equal") == len(SIZES)
    assert "DIFFERENT" not in shown


def test_the_page_of_the_demo_shows_closes_of_either_side(playground):
    playground.select_option("#example-menu", "closing")
    playground.click("#run-flow")
    wait_for_text(playground, "#javascript-output", "the page closes")
    wait_for_text(playground, "#python-output", "the page closed with")
    assert "nothing more to say" in playground.inner_text("#javascript-output")


def test_the_page_of_the_demo_finds_targets_by_their_module(playground):
    run = "async (code) => (await tsushin.frontend.execute(code)).result"
    assert playground.evaluate(run, OPEN_BY_MODULE) == "{'by': 'module'}"
