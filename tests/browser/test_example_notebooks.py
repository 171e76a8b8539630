"""The notebooks of ``examples/``, used as their first cells say, in JupyterLab and Notebook 7."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from browser.hosts import ROOT, Kernel, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(90)]

EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))
FRONTENDS = ("lab", pytest.param("notebook", marks=pytest.mark.matrix))
# As `pip install tsushin` leaves it: nothing is attached before a cell asks for it.
PLAIN = Kernel("plain", is_attached=False)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), [PLAIN]) as host:
        yield host


@pytest.fixture(scope="module")
def context(browser):
    """One for all, so that the frontend is fetched once."""
    with browser.new_context() as context:
        yield context


@pytest.fixture(params=FRONTENDS)
def running(request, context, host):
    """Open an example and have all its cells run; yields its page and its kernel."""

    @contextmanager
    def running(name):
        text = (ROOT / "examples" / name).read_text("utf-8")
        (host.notebooks / name).write_text(text.replace('"python3"', f'"{PLAIN.name}"'))
        notebook = NotebookPage(context.new_page(), host, request.param, name).open()
        try:
            with kernel_side(host, name) as kernel:
                notebook.start_all()
                yield notebook, kernel
        finally:
            notebook.page.close()
            notebook.stop_kernel()

    return running


def shows(notebook, text):
    """Wait until some output has the text."""
    outputs = notebook.page.locator(".jp-OutputArea-child")
    outputs.filter(has_text=text).first.wait_for()


def move_to(notebook, value):
    """Move the only slider, as a mouse does."""
    slider = notebook.page.locator(".jp-OutputArea-child input[type=range]")
    slider.evaluate(
        """(slider, value) => {
            slider.value = value;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        value,
    )


def press(notebook, name):
    notebook.page.locator(".jp-OutputArea-child").get_by_role("button", name=name).click()


def test_training(running):
    with running("training.ipynb") as (notebook, kernel):
        shows(notebook, "loss 0.")
        move_to(notebook, "0.01")
        press(notebook, "Stop")
        shows(notebook, "stopped at step")
        assert kernel.value("knobs") == {"lr": 0.01, "stop": True}


def test_training_is_stopped_by_the_button_after_a_reload(running):
    with running("training.ipynb") as (notebook, kernel):
        shows(notebook, "loss 0.")
        notebook.save()
        notebook.reload()
        shows(notebook, "loss 0.")
        press(notebook, "Stop")
        assert kernel.wait_for("knobs.get('stop')")


def test_map(running):
    last = 3
    with running("map.ipynb") as (notebook, _):
        shows(notebook, "bbox: [0, 0, 8, 8]")
        assert notebook.outputs(last) == ["layers: ['roads', 'rivers']\nbbox: [0, 0, 8, 8]\n"]
        press(notebook, "Zoom in")
        notebook.page.get_by_label("roads").uncheck()
        notebook.run(last)
        assert notebook.outputs(last) == ["layers: ['rivers']\nbbox: [0, 0, 4, 4]\n"]
        notebook.save()
        notebook.reload()
        notebook.page.get_by_label("roads").wait_for()
        notebook.run(last)
        assert notebook.outputs(last) == ["layers: ['roads', 'rivers']\nbbox: [0, 0, 8, 8]\n"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_kept_as_it_is_before_it_was_run(path):
    notebook = json.loads(path.read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert f"test_{path.stem}" in globals()
