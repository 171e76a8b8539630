"""Two notebooks in one JupyterLab window, the same target name in both: nothing crosses."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from browser.hosts import WITH, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

NAMES = ("one.ipynb", "two.ipynb")
MESSAGES = 200  # each way and notebook
BATCH = 20  # messages of one kernel between two of the other's

# The page has one `window` for both; a script knows whose it is by what stands in it.
REGISTER = """%%javascript
window.arrived = window.arrived || {{}};
window.arrived['{name}'] = [];
Jupyter.notebook.kernel.comm_manager.register_target('same', function(comm, msg) {{
    comm.on_msg(function(msg) {{
        window.arrived['{name}'].push([msg.content.data.of, msg.content.data.n]);
        comm.send({{'of': '{name}', 'n': msg.content.data.n}});
    }});
}});
"""
OPEN = """
import tsushin
arrived = []
comm = tsushin.Comm('same')
comm.on_msg(lambda msg: arrived.append(tuple(msg['content']['data'].values())))
def send(numbers):
    for n in numbers:
        comm.send({{'of': '{name}', 'n': n}})
"""


@pytest.fixture
def host(tmp_path):
    with running_host(tmp_path, [WITH]) as host:
        for name in NAMES:
            cells = [text.format(name=name) for text in (REGISTER, OPEN)]
            host.write_notebook(name, cells, WITH)
        yield host


@pytest.fixture
def notebooks(browser, host):
    """Both notebooks, run; the second is in front."""
    with browser.new_context() as context:
        one = NotebookPage(context.new_page(), host, "lab", NAMES[0]).open()
        notebooks = [one, one.beside(NAMES[1])]
        for notebook in notebooks:
            notebook.run(0)
            notebook.run(1)
        yield notebooks


@pytest.fixture
def kernels(host, notebooks):
    with ExitStack() as stack:
        yield [stack.enter_context(kernel_side(host, name)) for name in NAMES]


def send_interleaved(kernels, numbers):
    for start in numbers[::BATCH]:
        for kernel in kernels:
            kernel.value(f"send(range({start}, {start + BATCH}))")


def test_nothing_crosses_whichever_tab_is_in_front(notebooks, kernels):
    half = MESSAGES // 2
    send_interleaved(kernels, range(half))
    notebooks[0].bring_to_front(NAMES[0])
    send_interleaved(kernels, range(half, MESSAGES))
    for name, notebook, kernel in zip(NAMES, notebooks, kernels, strict=True):
        expected = [[name, n] for n in range(MESSAGES)]
        kernel.wait_for(f"len(arrived) >= {MESSAGES}")
        assert notebook.value(f"window.arrived['{name}']") == expected
        assert kernel.value("list(map(list, arrived))") == expected
