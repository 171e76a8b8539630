"""The libraries that live on comms behave the same in JupyterLab with our extension and without it.

Bokeh needs care, for it asks for a global ``Jupyter`` and then takes itself to be in the classic notebook
(bokeh 3.9.2, jupyter_bokeh 4.1.0):

- bokehjs, ``embed/notebook.js``: with ``Jupyter.notebook.kernel`` it registers the target of
  ``push_notebook`` by ``Jupyter.notebook.kernel.comm_manager.register_target``, else by the kernel that
  jupyter_bokeh stored for this very plot. A global that stands for the notebook in front registers at the
  wrong kernel when the plot's own notebook is not in front: the kernel's ``comm_open`` is refused, and every
  ``push_notebook`` is lost in silence. With ``Jupyter.notebook`` missing it throws.
- the handler reads ``msg.buffers[0].buffer``: a view must own all of its ArrayBuffer.
- jupyter_bokeh, constructor of ``BokehView``: with ``window.Jupyter.notebook`` it calls
  ``window.require("base/js/events")``, which throws in JupyterLab, and no BokehModel is shown.
- ``output_notebook`` sends JavaScript for the classic notebook (``require('base/js/events')`` again) beside
  ``application/vnd.bokehjs_load.v0+json``: a renderer of JavaScript must not outrank that one.
"""

from __future__ import annotations

import pytest

from browser.hosts import EXTENSION_NAME, WITH, running_host
from browser.kernel_side import kernel_side
from browser.neighbours_notebook import NEIGHBOURS, cells
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(90)]

NAME = "neighbours.ipynb"


# Without our extension only the libraries themselves are tried, so `make test` leaves it out.
@pytest.fixture(
    scope="module",
    params=["with our extension", pytest.param("without it", marks=pytest.mark.matrix)],
)
def host(request, tmp_path_factory):
    disabled = [EXTENSION_NAME] if request.param == "without it" else []
    with running_host(tmp_path_factory.mktemp("host"), [WITH], disabled=disabled) as host:
        yield host


@pytest.fixture(scope="module")
def notebook(browser, host):
    """One notebook in JupyterLab with the cells of all."""
    host.write_notebook(NAME, cells(), WITH)
    with browser.new_context() as context:
        yield NotebookPage(context.new_page(), host, "lab", NAME).open()


@pytest.fixture(scope="module")
def kernel(host, notebook):
    with kernel_side(host, NAME) as kernel:
        yield kernel


def take(notebook, kernel, neighbour):
    """Take a neighbour's steps; fails at the first that does not lead to what it should."""
    index = cells().index(neighbour.steps[0].cell)
    for number, step in enumerate(neighbour.steps):
        if step.cell is not None:
            notebook.run(index)
            index += 1
        if step.act is not None:
            step.act(notebook)
        where = f"step {number}"
        assert step.page is None or notebook.wait_for(step.page), where
        assert step.kernel is None or kernel.wait_for(step.kernel), where


def is_about_us(line):
    """Whether we are named, other than by JupyterLab's own timing of slow machines."""
    return "tsushin" in line.lower() and "ms to activate" not in line


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=lambda n: n.name)
def test_neighbour_behaves_as_ever(notebook, kernel, neighbour):
    take(notebook, kernel, neighbour)
    assert [line for line in notebook.console if is_about_us(line)] == []
    assert notebook.errors == []
