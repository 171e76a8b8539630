"""Comms in marimo, edited and run as an app, in a real Chromium: no ipykernel, no anywidget in the kernel."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest

from browser.bridge_page import OPEN_AND_SEND, REGISTER_ECHO, SEND_MANY, wait_for_log
from processes import START_S, environment, free_port, wait_listening

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TIMEOUT_MS = 30_000
SIZES = [0, 65536, 5 << 20]

# What a handler saw is shown by the page itself: the kernel sends it when asked.
NOTEBOOK = '''
import marimo

app = marimo.App()


@app.cell
def _():
    import sys

    import os
    import marimo as mo
    import tsushin
    from tsushin import Comm
    return Comm, mo, os, sys, tsushin


@app.cell
def _(Comm, os, sys, tsushin):
    log, comms = [], {}
    made = [os.urandom(size) for size in SIZES]

    def echo(comm, msg):
        log.append([msg["content"]["data"], msg["metadata"]])
        comms["last"] = comm
        comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))
        comm.on_close(lambda m: log.append(["close", m["content"]["data"]]))

    def tell(comm, msg):
        loaded = [name for name in ("anywidget", "ipykernel", "ipywidgets") if name in sys.modules]
        comm.send({"log": log, "comms": len(tsushin.comm_manager().comms), "loaded": loaded})

    def act(comm, msg):
        match msg["content"]["data"]["do"]:
            case "open":
                mine = comms["mine"] = Comm("page-echo", {"hello": 1})
                def on_msg(m):
                    same = [bytes(b) for b in m["buffers"]] == made
                    log.append([m["content"]["data"], m["metadata"], same])
                mine.on_msg(on_msg)
                mine.on_close(lambda m: log.append(["close", m["content"]["data"]]))
                mine.send({"n": 1}, {"m": [2]}, made)
            case "close mine":
                comms["mine"].close({"bye": 1})
            case "close last":
                comms["last"].close({"bye": 4})

    for name, target in [("kernel-echo", echo), ("tell", tell), ("act", act)]:
        tsushin.comm_manager().register_target(name, target)
    first = Comm("nobody")
    first
    return


@app.cell
def _(mo):
    slider = mo.ui.slider(0, 10, label="amount")
    slider
    return (slider,)


@app.cell
def _(mo):
    if WITH_ANYWIDGET:
        import anywidget, traitlets

        class Counter(anywidget.AnyWidget):
            _esm = """export default { render({ model, el }) {
              const b = document.createElement("button"); b.className = "mine";
              const show = () => { b.textContent = "count " + model.get("n"); };
              b.onclick = () => { model.set("n", model.get("n") + 1); model.save_changes(); };
              model.on("change:n", show); show(); el.append(b); } }"""
            n = traitlets.Int(0).tag(sync=True)

        counter = mo.ui.anywidget(Counter())
    else:
        counter = None
    counter
    return (counter,)


@app.cell
def _(counter, mo):
    mo.md(f"counter is {counter.n if counter else None}")
    return


@app.cell
def _(mo, slider):
    mo.md(f"slider is {slider.value}")
    return


if __name__ == "__main__":
    app.run()
'''

TELL = """() => new Promise((resolve) => {
  const comm = Jupyter.notebook.kernel.comm_manager.new_comm("tell");
  comm.on_msg((m) => { comm.close(); resolve(m.content.data); });
})"""

ACT = """(what) => {
  Jupyter.notebook.kernel.comm_manager.new_comm("act", { do: what });
}"""


@contextmanager
def marimo_server(folder, mode):
    """Run ``marimo edit`` or ``marimo run`` on the notebook; yields its URL."""
    file = folder / "notebook.py"
    text = NOTEBOOK.replace("SIZES", str(SIZES))
    file.write_text(text.replace("WITH_ANYWIDGET", str(mode == "edit")))
    # An edited notebook runs when it is opened, as an app does.
    settings = "[tool.marimo.runtime]\nauto_instantiate = true\n"
    (folder / "pyproject.toml").write_text(settings)
    port = free_port()
    command = [sys.executable, "-m", "marimo", "-q", mode, file, "--headless", "--no-token"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--skip-update-check"] if mode == "edit" else []
    own = {"XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    log = folder / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env={**environment(), **own}, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_listening("127.0.0.1", port, process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(START_S)


@pytest.fixture(scope="module", params=["run", "edit"])
def server(request, tmp_path_factory):
    with marimo_server(tmp_path_factory.mktemp(request.param), request.param) as url:
        yield url, request.param


@pytest.fixture
def open_page(browser, server):
    url, _ = server
    with browser.new_context() as context:

        def open_page():
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("[data-tsushin=connected]", timeout=TIMEOUT_MS)
            return page

        yield open_page


@pytest.fixture
def page(open_page):
    return open_page()


def wait_told(page, wanted):
    """Ask the kernel until its log ends with ``wanted``; each question is an answered round trip."""
    for _ in range(50):
        told = page.evaluate(TELL)
        if told["log"][-len(wanted) :] == wanted:
            return told
    raise AssertionError(told)


def test_the_kernel_opens_and_closes(page, server):
    page.evaluate(REGISTER_ECHO)
    page.evaluate(ACT, "open")
    told = wait_told(page, [[{"n": 1, "seen": True}, {"m": [2]}, True]])
    assert told["loaded"] == ([] if server[1] == "run" else ["anywidget", "ipywidgets"])
    page.evaluate(ACT, "close mine")
    assert wait_for_log(page, 2) == [["open", {"hello": 1}], ["close", {"bye": 1}]]


def test_the_kernel_opens_and_the_page_closes(page):
    page.evaluate(REGISTER_ECHO)
    page.evaluate(ACT, "open")
    wait_for_log(page, 1)
    page.evaluate("comm.close({ bye: 2 })")
    wait_told(page, [["close", {"bye": 2}]])


def test_the_page_opens_and_either_end_closes(page):
    for end in ("page", "kernel"):
        answer = page.evaluate(OPEN_AND_SEND, [SIZES])
        assert answer == {"data": {"n": 1}, "metadata": {"m": 2}, "sizes": SIZES, "same": True}
        if end == "page":
            page.evaluate("comm.close({ bye: 3 })")
            wait_told(page, [[{"x": 1}, {"opened": True}], ["close", {"bye": 3}]])
        else:
            page.evaluate(ACT, "close last")
    assert wait_for_log(page, 1) == [["close", {"bye": 4}]]


def test_500_messages_arrive_in_order_each_way(page):
    assert page.evaluate(SEND_MANY, [500]) == list(range(500))


def test_marimos_own_widgets_go_on_beside_it(page):
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=slider is 1", timeout=TIMEOUT_MS)
    assert page.evaluate(OPEN_AND_SEND, [[3]])["same"]


def test_an_anywidget_of_the_user_goes_on_beside_it(page, server):
    if server[1] == "run":
        return  # there the kernel does without anywidget
    page.click("button.mine")
    page.wait_for_selector("text=counter is 1", timeout=TIMEOUT_MS)
    assert page.evaluate(OPEN_AND_SEND, [[3]])["same"]


def test_each_session_has_comms_of_its_own(open_page, server):
    if server[1] == "edit":
        return  # an edited notebook has one session
    one, two = open_page(), open_page()
    one.evaluate(OPEN_AND_SEND, [[1]])
    assert one.evaluate(TELL)["log"] == [[{"x": 1}, {"opened": True}]]
    assert two.evaluate(TELL)["log"] == []
    assert one.evaluate(TELL)["comms"] == two.evaluate(TELL)["comms"] + 1


def test_open_comms_move_when_the_cell_runs_again(page, server):
    if server[1] == "run":
        return  # an app's cells run again with its inputs only
    assert page.evaluate(OPEN_AND_SEND, [[3]])["same"]
    page.evaluate("globalThis.before = Object.values(tsushin.bridges)[0]")
    # The editor holds only those lines of a cell that are in view.
    page.locator(".cm-content", has_text="os.urandom").click(position={"x": 50, "y": 10})
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-tsushin=connected]", timeout=TIMEOUT_MS)
    echoed = page.evaluate(
        """() => new Promise((resolve) => {
          comm.on_msg((m) => resolve(m.content.data));
          comm.send({ again: true });
        })"""
    )
    assert echoed == {"again": True}
    assert page.evaluate("Object.values(tsushin.bridges)[0] === before")


def test_running_code_over_the_bridge_is_refused_in_words(page):
    refused = page.evaluate(
        "Object.values(tsushin.bridges)[0].frontend.execute('1').catch((e) => e.message)"
    )
    assert "a marimo notebook, it has comms only" in refused
