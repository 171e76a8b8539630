"""``tsushin.bridge()`` in JupyterLab and Notebook 7 without an extension of ours, in a real Chromium."""

from __future__ import annotations

import ast

import pytest

from browser.bridge_page import OPEN_AND_SEND, REGISTER_ECHO, SEND_MANY, wait_for_log
from browser.notebooks import TIMEOUT_MS, Notebook, lab_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SIZES = [0, 65536, 5 << 20]

KERNEL = f"""
import asyncio, os, tsushin
from tsushin import Comm
made = [os.urandom(size) for size in {SIZES}]
log = []
tsushin.bridge()
"""

# Notebook 7.6 throws one error of its own while it loads.
HOSTS_OWN = "/static/"

ECHO_TARGET = """
def echo(comm, msg):
    global last
    last = comm
    log.append((msg["content"]["data"], msg["metadata"]))
    comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))
    comm.on_close(lambda m: log.append(("close", m["content"]["data"])))
f = get_ipython().kernel.comm_manager.register_target("kernel-echo", echo)
"""


# Notebook 7 is made of the same parts: one feature after the other is tried in both by test_every_frontend.
APPS = ("lab", pytest.param("notebook", marks=pytest.mark.matrix))


@pytest.fixture(scope="module", params=APPS)
def server(request, tmp_path_factory):
    with lab_server(tmp_path_factory.mktemp(request.param), request.param) as url:
        yield url, request.param


@pytest.fixture
def open_notebook(browser, server):
    url, app = server
    errors = []
    with browser.new_context() as context:

        def open_notebook(name, *, before=None):
            page = context.new_page()
            page.on("pageerror", lambda error: HOSTS_OWN in error.stack or errors.append(error))
            if before:
                page.add_init_script(before)
            notebook = Notebook(page, url, app)
            notebook.open(f"{name}.ipynb")
            return notebook

        yield open_notebook
    assert errors == []


@pytest.fixture
def notebook(open_notebook, request):
    """A notebook whose page is connected by the bridge."""
    notebook = open_notebook(request.node.originalname)
    notebook.run(KERNEL)
    connected(notebook)
    return notebook


def connected(notebook):
    notebook.page.wait_for_selector("[data-tsushin=connected]", timeout=TIMEOUT_MS)
    notebook.page.evaluate("globalThis.log ??= []")


def value(notebook, expression):
    return ast.literal_eval(notebook.run(f"print(repr(({expression})))"))


def test_the_kernel_opens_and_closes(notebook):
    page = notebook.page
    page.evaluate(REGISTER_ECHO)
    notebook.run("c = Comm('page-echo', {'hello': 1})\nanswer = c.expect_msg(20)")
    notebook.run("c.send({'n': 1}, {'m': [2]}, made)\nback = await answer")
    assert value(notebook, "back['content']['data'], back['metadata']") == (
        {"n": 1, "seen": True},
        {"m": [2]},
    )
    assert value(notebook, "[bytes(b) for b in back['buffers']] == made")
    notebook.run("c.close({'bye': 1})")
    assert wait_for_log(page, 2) == [["open", {"hello": 1}], ["close", {"bye": 1}]]


def test_the_kernel_opens_and_the_page_closes(notebook):
    page = notebook.page
    page.evaluate(REGISTER_ECHO)
    notebook.run(
        "closed = asyncio.Event()\n"
        "c = Comm('page-echo')\n"
        "c.on_close(lambda m: (log.append(m['content']['data']), closed.set()))"
    )
    wait_for_log(page, 1)
    page.evaluate("comm.close({ bye: 2 })")
    notebook.run("await asyncio.wait_for(closed.wait(), 20)")
    assert value(notebook, "log, c.closed_by") == ([{"bye": 2}], "there")


def test_the_page_opens_and_either_end_closes(notebook):
    page = notebook.page
    notebook.run(ECHO_TARGET)
    for end in ("page", "kernel"):
        answer = page.evaluate(OPEN_AND_SEND, [SIZES])
        assert answer == {"data": {"n": 1}, "metadata": {"m": 2}, "sizes": SIZES, "same": True}
        if end == "page":
            page.evaluate("comm.close({ bye: 3 })")
        else:
            notebook.run("last.close({'bye': 4})")
    assert wait_for_log(page, 1) == [["close", {"bye": 4}]]
    opened = ({"x": 1}, {"opened": True})
    assert value(notebook, "log") == [opened, ("close", {"bye": 3}), opened]


def test_500_messages_arrive_in_order_each_way(notebook):
    page = notebook.page
    notebook.run(ECHO_TARGET)
    assert page.evaluate(SEND_MANY, [500]) == list(range(500))


def test_a_target_that_the_page_does_not_know_is_not_closed(notebook):
    notebook.run("c = Comm('nobody')\nc.send({'n': 1})")
    page = notebook.page
    # What the page says afterwards has arrived, so a close would have.
    listed = page.evaluate("Object.values(tsushin.bridges)[0].frontend.comms()")
    assert [entry["target_name"] for entry in listed.values() if "nobody" in str(entry)] == [
        "nobody"
    ]
    assert value(notebook, "c.closed") is False


def test_running_code_over_the_bridge_is_refused_in_words(notebook):
    refused = notebook.page.evaluate(
        "Object.values(tsushin.bridges)[0].frontend.execute('1').catch((e) => e.message)"
    )
    assert "NotSupported" in refused


def test_what_a_handler_sends_has_the_pages_message_as_its_parent(notebook):
    notebook.run(ECHO_TARGET)
    same = notebook.page.evaluate(
        """() => new Promise((resolve) => {
          const comm = Jupyter.notebook.kernel.comm_manager.new_comm("kernel-echo");
          let sent;
          comm.on_msg((msg) => resolve(msg.parent_header.msg_id === sent));
          sent = comm.send({ n: 1 });
        })"""
    )
    assert same


def test_widgets_of_others_go_on_beside_it(notebook):
    notebook.run(
        "import ipywidgets, anywidget, traitlets\n"
        "class Counter(anywidget.AnyWidget):\n"
        "    _esm = '''export default { render({ model, el }) {\n"
        "      const b = document.createElement('button'); b.className = 'mine';\n"
        "      const show = () => { b.textContent = 'count ' + model.get('n'); };\n"
        "      b.onclick = () => { model.set('n', model.get('n') + 1); model.save_changes(); };\n"
        "      model.on('change:n', show); show(); el.append(b); } }'''\n"
        "    n = traitlets.Int(0).tag(sync=True)\n"
        "counter, text = Counter(), ipywidgets.Text('a')\n"
        "ipywidgets.VBox([counter, text])"
    )
    page = notebook.page
    page.click("button.mine")
    page.wait_for_selector("text=count 1")
    page.fill(".widget-text input", "b")
    page.press(".widget-text input", "Enter")
    assert value(notebook, "counter.n, text.value") == (1, "b")


def test_a_second_view_shares_the_connection(notebook):
    notebook.run("tsushin.bridge()")
    notebook.page.wait_for_function("document.querySelectorAll('[data-tsushin]').length === 2")
    assert value(notebook, "tsushin.bridge().pages") == 1


@pytest.mark.parametrize("imported", ["", "import ipywidgets"], ids=["alone", "ipywidgets"])
def test_after_a_reload_the_page_is_connected_again(open_notebook, request, imported):
    notebook = open_notebook(f"reload-{len(imported)}")
    notebook.run(f"{imported}\n{KERNEL}")
    connected(notebook)
    notebook.run(ECHO_TARGET)
    notebook.page.evaluate(OPEN_AND_SEND, [[1]])
    notebook.reload()
    connected(notebook)
    answer = notebook.page.evaluate(OPEN_AND_SEND, [[3]])
    assert answer["same"]
    notebook.page.evaluate(REGISTER_ECHO)
    notebook.run("c = Comm('page-echo', {'hello': 2})")
    assert wait_for_log(notebook.page, 1) == [["open", {"hello": 2}]]


def test_a_script_that_ran_before_the_bridge_hears_of_it(open_notebook, request):
    script = "addEventListener('tsushin:ready', ({ detail }) => { globalThis.early = detail; });"
    notebook = open_notebook("early", before=script)
    notebook.run(KERNEL)
    connected(notebook)
    assert notebook.page.evaluate(
        "early.Jupyter === Jupyter && tsushin.ready.then((link) => link.Jupyter === Jupyter)"
    )


def test_it_yields_to_the_extension_and_comms_go_on_iopub(open_notebook):
    notebook = open_notebook("yields", before="globalThis.tsushin = { extension: '0' };")
    notebook.run(KERNEL)
    notebook.page.wait_for_selector("[data-tsushin=yielded]", timeout=TIMEOUT_MS)
    notebook.page.evaluate(
        """() => {
          globalThis.log = [];
          const { kernel } = panel.sessionContext.session;
          kernel.registerCommTarget("stock", (comm, msg) => log.push(msg.content.data));
        }"""
    )
    notebook.run("c = Comm('stock', {'hello': 3})")
    assert wait_for_log(notebook.page, 1) == [{"hello": 3}]
    assert notebook.page.evaluate("typeof Jupyter") == "undefined"


def test_the_view_says_when_the_kernel_shuts_down(notebook):
    notebook.page.evaluate("panel.sessionContext.shutdown()")
    notebook.page.wait_for_selector("[data-tsushin=gone]", timeout=TIMEOUT_MS)
