"""JupyterLab as it comes, without our extension, at a kernel with Tsushin: a plain peer."""

from __future__ import annotations

import json

import pytest

import plain
from browser.hosts import WITH, running_host
from browser.kernel_side import kernel_side
from browser.neighbours_notebook import WIDGETS
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

NAME = "plain.ipynb"

# What the page registers is JupyterLab's own; what its kernel connection hears is kept as it came, and so are
# the ids of the comms that either end opens: the page's widgets opened one before, which is answered.
LISTEN = f"""() => {{
  Object.assign(globalThis, {{ heard: [], told: [], opened: [] }});
  const {{ kernel }} = panelOf("{NAME}").sessionContext.session;
  kernel.anyMessage.connect((_, {{ direction, msg }}) => {{
    const {{ channel, header, parent_header, metadata, content }} = msg;
    const kinds = [header.msg_type, parent_header.msg_type];
    if (kinds.includes("comm_open")) opened.push(content.comm_id);
    const isHeard = direction === "recv" && channel === "iopub" && header.msg_type.startsWith("comm_");
    if (isHeard) heard.push({{ header, metadata, content }});
  }});
  kernel.registerCommTarget("page", (comm, {{ content }}) => {{
    told.push(["open", content.data]);
    comm.onMsg = ({{ content }}) => told.push(["msg", content.data]);
    comm.onClose = ({{ content }}) => told.push(["close", content.data]);
    comm.send({{ from: "the page" }});
  }});
}}"""
OPEN = """
import time, tsushin, tsushin.kernel
tsushin.kernel.detach()  # so that the page hears how it attaches
manager = tsushin.kernel.attach()
comm, noted = tsushin.Comm("page", {"hello": 1}), []
comm.on_msg(lambda msg: noted.append(msg["content"]["data"]))
comm.on_gap(noted.append)
"""
SAY = """
import numpy
said = tsushin.Comm("page", {"n": 0})
said.send({"n": 1}, {"of": "mine"}, [b"abc"])
said.send({"array": numpy.arange(6, dtype="f4")})
for n in range(3):
    said.send({"n": n}, coalesce="n")
said.close({"why": "done"})
"""
# Until then a page may say hello; afterwards what it cannot answer fails at once.
EARLY = """
try:
    comm.request_sync("early")
except tsushin.errors.NoPeer as error:
    print("nobody")
"""
FEATURES = plain.features("kernel")
WIDGET_CELLS = [step.cell for step in WIDGETS.steps if step.cell is not None]
CELLS = [OPEN, SAY, EARLY, *map(plain.cell, FEATURES), *WIDGET_CELLS]
SAID = [
    ["open", {"n": 0}],
    ["msg", {"n": 1}],
    ["msg", {"array": None}],
    *(["msg", {"n": n}] for n in range(3)),
    ["close", {"why": "done"}],
]


def shown(notebook, index):
    """Return what a cell printed, in view or not."""
    outputs = f"panelOf('{NAME}').content.widgets[{index}].model.outputs.toJSON()"
    return notebook.value(f"{outputs}.map(({{ text }}) => text).join('')")


@pytest.fixture(scope="module")
def notebook(browser, tmp_path_factory):
    """The notebook in JupyterLab, its first cells run: both comms are open or closed again."""
    folder = tmp_path_factory.mktemp("host")
    with running_host(folder, [WITH], extension=None) as host, browser.new_context() as context:
        host.write_notebook(NAME, CELLS, WITH)
        notebook = NotebookPage(context.new_page(), host, "lab", NAME).open()
        notebook.page.evaluate(LISTEN)
        for index in range(CELLS.index(EARLY) + 1):
            notebook.run(index)
        yield notebook


@pytest.fixture(scope="module")
def uses(notebook):
    """What each feature printed, once all of them have been used."""
    cells = range(CELLS.index(EARLY) + 1, CELLS.index(WIDGET_CELLS[0]))
    for index in cells:
        notebook.run(index)
    return [json.loads(shown(notebook, index)) for index in cells]


@pytest.fixture(scope="module")
def kernel(notebook):
    with kernel_side(notebook.host, NAME) as kernel:
        yield kernel


def test_our_extension_is_not_there(notebook):
    assert (
        notebook.value("Object.keys(globalThis._JUPYTERLAB).filter((n) => /tsushin/.test(n))") == []
    )
    assert notebook.value("typeof globalThis.Jupyter") == "undefined"


def test_the_page_is_told_what_was_sent_once_and_in_order(notebook):
    assert notebook.wait_for("told.some(([kind]) => kind === 'close')")
    assert (
        notebook.value("told.filter(([, data]) => data.hello === undefined)")[: len(SAID)] == SAID
    )


def test_the_kernel_is_told_what_the_page_sent(kernel):
    assert kernel.wait_for("noted == [{'from': 'the page'}]")


def test_each_feature_gives_what_is_documented_in_time(notebook, uses):
    assert shown(notebook, CELLS.index(EARLY)) == "nobody\n"
    for feature, use in zip(FEATURES, uses, strict=True):
        assert plain.wrong(feature, *use) == [], feature.name


def test_widgets_work(notebook, kernel):
    index = CELLS.index(WIDGET_CELLS[0])
    for number, step in enumerate(WIDGETS.steps):
        if step.cell is not None:
            notebook.run(index)
            index += 1
        if step.act is not None:
            step.act(notebook)
        assert step.page is None or notebook.wait_for(step.page), number
        assert step.kernel is None or kernel.wait_for(step.kernel), number


def test_all_that_the_page_heard_is_valid_and_nothing_was_complained_about(notebook, uses):
    heard = notebook.value("heard")
    assert [found for message in heard for found in plain.faults(message)] == []
    opened = notebook.value("opened")
    others = [m["content"] for m in heard if m["content"]["comm_id"] not in opened]
    assert others == [{"comm_id": "tsushin.session", "data": {"profile": 1}}]
    assert [line for line in notebook.console if is_complaint(line)] == []
    assert notebook.errors == []


def is_complaint(line):
    """Whether the console shows an error or a warning about comms, or names us."""
    kind, _, text = line.partition(": ")
    about_comms = "comm" in text.lower() and kind in ("error", "warning")
    return about_comms or "tsushin" in text.lower()
