"""Displayed JavaScript elsewhere than in a notebook's cells: code consoles, and new views of an output.

Both are bound to the kernel they belong to, whatever is in front.
"""

from __future__ import annotations

import re

import pytest

from browser.hosts import EXTENSION_NAME, WITH, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(90)]

NAME, OTHER = "views.ipynb", "other.ipynb"

REGISTER = """%%javascript
Jupyter.notebook.kernel.comm_manager.register_target('same', function(comm, msg) {
    comm.on_msg(function(msg) { comm.send({'back': msg.content.data.n}); });
});
element.append(document.createTextNode('ran for ' + Jupyter.notebook.kernel.id));
"""
OPEN = """
import tsushin
heard = []
comm = tsushin.Comm('same')
comm.on_msg(lambda msg: heard.append(msg['content']['data']))
comm.send({'n': 1})
"""
SHOWN = (
    "[...document.querySelectorAll('{where} .jp-OutputArea-child')].map((e) => e.innerText).join()"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), [WITH]) as host:
        for name in (NAME, OTHER):
            host.write_notebook(name, [REGISTER, OPEN], WITH)
        yield host


@pytest.fixture
def notebook(browser, host):
    with browser.new_context() as context:
        notebook = NotebookPage(context.new_page(), host, "lab", NAME).open()
        yield notebook
        for session in host.request("api/sessions"):
            host.request(f"api/sessions/{session['id']}", "DELETE")


def command(notebook, name, arguments):
    """Run a command of JupyterLab's."""
    notebook.page.evaluate(
        "([name, args]) => bounded(jupyterapp.commands.execute(name, args).then(() => null), 20000)",
        [name, arguments],
    )


CONSOLE = """
globalThis.consoleShown = async () => {
  const { console } = [...jupyterapp.shell.widgets("main")].find((widget) => widget.console);
  await console.sessionContext.ready;
  return { path: console.sessionContext.path, kernel_id: console.sessionContext.session.kernel.id };
}
"""


def open_console(notebook):
    """Open a code console; returns its path and the id of its kernel."""
    preference = {"kernelPreference": {"name": WITH.name}, "activate": True}
    command(notebook, "console:create", preference)
    notebook.page.evaluate(CONSOLE)
    return notebook.page.evaluate("bounded(consoleShown(), 20000)")


def test_a_code_consoles_scripts_belong_to_its_own_kernel(notebook, host):
    console = open_console(notebook)
    for code in (REGISTER, OPEN):
        command(notebook, "console:inject", {"path": console["path"], "code": code})
    shown = SHOWN.format(where=".jp-CodeConsole")
    assert notebook.wait_for(f"{shown}.includes('ran for {console['kernel_id']}')")
    with kernel_side(host, console["path"]) as kernel:
        assert kernel.wait_for("globals().get('heard') == [{'back': 1}]")
    assert host.session(NAME)["kernel"]["id"] != console["kernel_id"]


def test_a_new_view_of_an_output_belongs_to_its_notebooks_kernel(notebook, host):
    notebook.run(0)
    other = notebook.beside(OTHER)
    other.run(0)
    kernel_id = host.session(NAME)["kernel"]["id"]
    notebook.bring_to_front(NAME)
    notebook.page.evaluate("n => { panelOf(n).content.activeCellIndex = 0; }", NAME)
    command(notebook, "notebook:create-output-view", {})
    shown = SHOWN.format(where=".jp-LinkedOutputView")
    assert notebook.wait_for(f"{shown}.includes('ran for {kernel_id}')")
    notebook.bring_to_front(OTHER)
    with kernel_side(host, NAME) as kernel:
        kernel.value(f"exec({OPEN!r})")
        assert kernel.wait_for("heard == [{'back': 1}]")


def console_of_a_load(browser, folder, disabled):
    """Return errors and warnings of a page that opened and ran a notebook, without numbers in them."""
    folder.mkdir()
    with running_host(folder, [WITH], disabled=disabled) as host, browser.new_context() as context:
        host.write_notebook(NAME, ["1"], WITH)
        page = NotebookPage(context.new_page(), host, "lab", NAME).open()
        page.run(0)
        lines = [line for line in page.console if line.startswith(("error", "warning"))]
        # JupyterLab times each plugin itself, and names those that were slow on a busy machine.
        return page.errors, {
            re.sub(r"\b[0-9a-f-]{8,}\b|\d+", "", x) for x in lines if "to activate" not in x
        }


def test_loading_adds_no_error_and_no_warning(browser, tmp_path):
    errors, lines = console_of_a_load(browser, tmp_path / "with", [])
    _, lines_without = console_of_a_load(browser, tmp_path / "without", [EXTENSION_NAME])
    assert errors == []
    assert lines - lines_without == set()
    assert [line for line in lines if "tsushin" in line.lower()] == []
