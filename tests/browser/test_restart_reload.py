"""Comms over a restart of the kernel and a reload of the page, in JupyterLab and Notebook 7."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from browser.hosts import WITH, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

FRONTENDS = ("lab", pytest.param("notebook", marks=pytest.mark.matrix))

# `kept` outlives no reload: what is in it was noted by this document.
REGISTER = """%%javascript
window.kept = window.kept || [];
Jupyter.notebook.kernel.comm_manager.register_target('kept', function(comm, msg) {
    const restored = (msg.metadata.tsushin || {}).restored;
    window.kept.push(['open', msg.content.data, Boolean(restored)]);
    comm.on_msg(function(msg) {
        window.kept.push(['msg', msg.content.data]);
        comm.send({'echo': msg.content.data});
    });
    comm.on_close(function(msg) {
        window.kept.push(['close', typeof (msg.metadata.tsushin || {}).lost]);
    });
});
"""
OPEN = """
import tsushin
echoed = []
comm = tsushin.Comm('kept', data={'opened': 1})
comm.on_msg(lambda msg: echoed.append(msg['content']['data']))
comm.send({'n': 1})
"""
KERNEL_TARGET = """
import tsushin
opened, received = [], []
def target(comm, msg):
    opened.append(msg['content']['data'])
    comm.on_msg(lambda msg: received.append(msg['content']['data']))
get_ipython().kernel.comm_manager.register_target('in-kernel', target)
"""
NEW_COMM = """%%javascript
window.mine = Jupyter.notebook.kernel.comm_manager.new_comm('in-kernel', {'opened': 2});
window.mine.send({'after': 'opening'});
"""
# Threads that ipykernel starts for subshells; a comm must not leave one behind.
THREADS = "sum('ubshell' in thread.name for thread in __import__('threading').enumerate())"
OPEN_FOUR = """
for name in ('kept', 'kept', 'unknown', 'unknown'):
    tsushin.Comm(name)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), [WITH]) as host:
        yield host


@pytest.fixture(scope="module")
def context(browser):
    """One for all, so that the frontend is fetched once."""
    with browser.new_context() as context:
        yield context


@pytest.fixture(params=FRONTENDS)
def opened(request, context, host):
    """Open a notebook of some cells; yields its page and its kernel, closed after."""

    @contextmanager
    def opened(*cells):
        name = f"{request.node.originalname}-{request.param}.ipynb"
        host.write_notebook(name, cells, WITH)
        notebook = NotebookPage(context.new_page(), host, request.param, name).open()
        with kernel_side(host, name) as kernel:
            yield notebook, kernel
        notebook.page.close()

    return opened


def run(notebook, *indexes):
    for index in indexes:
        notebook.run(index)


def kept(notebook, length):
    """Wait for that many notes of this document, and return all."""
    notebook.wait_for(f"(window.kept || []).length >= {length}")
    return notebook.value("window.kept")


OPENED = ["open", {"opened": 1}, False]
RESTORED = ["open", {"opened": 1}, True]


def test_restart_runs_on_close_with_the_reason_and_keeps_targets(opened):
    with opened(REGISTER, OPEN) as (notebook, _):
        run(notebook, 0, 1)
        assert kept(notebook, 2) == [OPENED, ["msg", {"n": 1}]]
        notebook.restart()
        assert kept(notebook, 3)[2:] == [["close", "string"]]
        run(notebook, 1)
        assert kept(notebook, 5)[3:] == [OPENED, ["msg", {"n": 1}]]


def test_reload_delivers_the_open_comm_again(opened):
    with opened(REGISTER, OPEN, "comm.send({'n': 2})") as (notebook, kernel):
        run(notebook, 0, 1)
        kernel.wait_for("echoed")
        notebook.save()
        notebook.reload()
        assert kept(notebook, 1) == [RESTORED]
        run(notebook, 2)
        assert kept(notebook, 2)[1:] == [["msg", {"n": 2}]]
        kernel.wait_for("len(echoed) >= 2")
        assert kernel.value("echoed") == [{"echo": {"n": 1}}, {"echo": {"n": 2}}]


def test_reload_does_not_open_again_what_a_saved_script_opened(opened):
    with opened(KERNEL_TARGET, NEW_COMM, "1") as (notebook, kernel):
        run(notebook, 0, 1)
        kernel.wait_for("received")
        notebook.save()
        notebook.reload()
        notebook.wait_for("window.mine !== undefined")
        notebook.page.evaluate("window.mine.send({ after: 'reload' })")
        kernel.wait_for("{'after': 'reload'} in received")
        assert kernel.value("opened") == [{"opened": 2}]
        assert kernel.value("received[-1]") == {"after": "reload"}
        open_comms = "[c.target_name for c in tsushin.comm_manager().comms.values()]"
        assert kernel.value(open_comms).count("in-kernel") == 1


def test_a_comm_opened_before_its_target_is_registered_is_delivered_then(opened):
    with opened(OPEN, REGISTER) as (notebook, kernel):
        run(notebook, 0, 1)
        [open_note, *messages] = kept(notebook, 2)
        assert open_note[:2] == OPENED[:2]
        assert messages == [["msg", {"n": 1}]]
        assert kernel.wait_for("echoed == [{'echo': {'n': 1}}]")


def test_a_saved_script_registers_before_the_kernel_is_up(opened):
    with opened(REGISTER, OPEN) as (notebook, _):
        run(notebook, 0)
        notebook.save()
        notebook.stop_kernel()
        notebook.reload()
        run(notebook, 1)
        assert kept(notebook, 2) == [OPENED, ["msg", {"n": 1}]]


def test_comms_leave_no_subshell_behind(opened):
    with opened(REGISTER, "import tsushin", OPEN_FOUR) as (notebook, kernel):
        run(notebook, 0, 1)
        before = kernel.value(THREADS)
        run(notebook, 2)
        kept(notebook, 2)
        notebook.run(1)  # a turn of the shell queue after the page's answers
        assert kernel.value(THREADS) == before
