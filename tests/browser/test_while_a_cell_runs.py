"""The stop button: a page is heard while a plain cell runs, in a real JupyterLab notebook."""

from __future__ import annotations

import pytest

from browser.hosts import WITH, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(90)]

NAME = "train.ipynb"
MOST = 100_000  # steps; far more than there is time for

BUTTON = """%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('train', function(comm, msg) {
    const button = document.createElement('button');
    button.className = 'stop';
    button.textContent = 'stop';
    button.onclick = () => comm.send({'stop': true});
    element.append(button);
    comm.handle('name', () => 'the page');
});
"""
POLLS = f"""
import time
from tsushin import Comm
ctl, stop = Comm('train'), False
for step in range({MOST}):
    time.sleep(0.001)
    for msg in ctl.poll():
        stop = msg['content']['data']['stop']
    if stop:
        break
print('stopped' if stop else 'never heard', step < {MOST} - 1)
"""
THREAD = f"""
ctl, stop = Comm('train', run='thread'), False
@ctl.on_msg
def on_msg(msg):
    global stop
    stop = msg['content']['data']['stop']
for step in range({MOST}):
    sum(range(2000))
    if stop:
        break
print('stopped' if stop else 'never heard')
"""
ASKS = "ctl = Comm('train'); print(ctl.request_sync('name', timeout=10))"
CELLS = [BUTTON, POLLS, "from tsushin import Comm\n" + THREAD, "from tsushin import Comm\n" + ASKS]

BUSY = f"panelOf('{NAME}').sessionContext.kernelDisplayStatus"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), [WITH]) as host:
        yield host


@pytest.fixture
def notebook(browser, host):
    host.write_notebook(NAME, CELLS, WITH)
    with browser.new_context() as context:
        notebook = NotebookPage(context.new_page(), host, "lab", NAME).open()
        notebook.run(0)
        yield notebook
        notebook.stop_kernel()


def start(notebook, index):
    """Start a cell and return while it runs."""
    notebook.page.evaluate(
        "([n, i]) => { globalThis.over = hosted.run(n, i).then(() => { globalThis.over = true; }); }",
        [notebook.name, index],
    )


@pytest.mark.parametrize("index", [1, 2], ids=["poll", "thread"])
def test_a_button_in_the_page_stops_a_plain_loop(notebook, index):
    start(notebook, index)
    notebook.page.click("button.stop")
    assert notebook.wait_for("globalThis.over === true")
    assert notebook.outputs(index)[0].startswith("stopped")


@pytest.mark.parametrize("index", [1, 2], ids=["poll", "thread"])
def test_the_kernel_shows_busy_until_the_cell_is_done(notebook, host, index):
    start(notebook, index)
    notebook.page.wait_for_selector("button.stop")
    for _ in range(3):
        notebook.page.evaluate(f"""
          globalThis.handled = panelOf('{NAME}').sessionContext.session.kernel
            .requestCommInfo({{}}).then(() => {{ globalThis.handled = true; }})""")
        assert notebook.wait_for("globalThis.handled === true")  # answered while the cell runs
    assert notebook.wait_for(f"{BUSY} === 'busy'")
    assert notebook.value(BUSY) == "busy"
    notebook.page.click("button.stop")
    assert notebook.wait_for(f"{BUSY} === 'idle'")


def test_a_plain_cell_gets_an_answer_from_the_page(notebook):
    notebook.run(3)
    assert notebook.outputs(3) == ["the page\n"]


def test_messages_of_before_and_after_the_cell_are_all_heard(notebook, host):
    with kernel_side(host, NAME) as kernel:
        start(notebook, 1)
        notebook.page.click("button.stop")
        assert notebook.wait_for("globalThis.over === true")
        notebook.page.click("button.stop")
        assert kernel.wait_for("len(ctl.poll()) == 1")
