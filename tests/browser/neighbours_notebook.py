"""What users of comms do with their libraries: cells, and what is seen of them in the page.

Each neighbour: the cells, what a user does in the page, and what is shown and known after each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from browser.hosts import WITH


@dataclass(frozen=True)
class Step:
    """One thing that happens, and what is true some time after.

    Attributes:
        cell: source of a cell to run, or None.
        act: what a user does; called with the `NotebookPage`.
        page: JavaScript expression that becomes true in the page.
        kernel: Python expression that becomes true in the kernel.
    """

    cell: str | None = None
    act: Callable | None = None
    page: str | None = None
    kernel: str | None = None


@dataclass(frozen=True)
class Neighbour:
    """A library by its steps, in order."""

    name: str
    steps: list[Step] = field(default_factory=list)


def readout(index):
    return f"document.querySelectorAll('.widget-slider .widget-readout')[{index}]"


def edit_readout(notebook):
    """Type a number beside the first slider."""
    field = notebook.page.locator(".widget-slider .widget-readout").first
    field.fill("9")
    field.press("Enter")


WIDGETS = Neighbour(
    "ipywidgets",
    [
        Step(
            cell="""
import ipywidgets
slider = ipywidgets.IntSlider(value=3)
linked = ipywidgets.IntSlider(value=0)
link = ipywidgets.jslink((slider, 'value'), (linked, 'value'))
out = ipywidgets.Output()
ipywidgets.VBox([slider, linked, out])
""",
            page=f"{readout(0)}?.textContent === '3' && {readout(1)}?.textContent === '3'",
        ),
        Step(cell="slider.value = 7", page=f"{readout(0)}.textContent === '7'"),
        Step(act=edit_readout, kernel="slider.value == 9 and linked.value == 9"),
        Step(page=f"{readout(1)}.textContent === '9'"),
        Step(
            cell="""
with out:
    print('written ' + 'inside')
""",
            page="document.querySelector('.widget-output')?.textContent.includes('written inside')",
        ),
    ],
)

ANYWIDGET = Neighbour(
    "anywidget",
    [
        Step(
            cell='''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "counter";
      const show = () => { button.textContent = `count ${model.get("count")}`; };
      button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
      model.on("change:count", show);
      model.on("msg:custom", (msg, buffers) => {
        button.title = `${msg.text} ${buffers[0].getUint8(1)}`;
        model.send({ answer: msg.text });
      });
      show();
      el.append(button);
    } };
    """
    count = traitlets.Int(5).tag(sync=True)

counter = Counter()
answers = []
counter.on_msg(lambda widget, content, buffers: answers.append(content))
counter
''',
            page="document.querySelector('.counter')?.textContent === 'count 5'",
        ),
        Step(act=lambda notebook: notebook.page.click(".counter"), kernel="counter.count == 6"),
        Step(
            cell="counter.count = 40",
            page="document.querySelector('.counter').textContent === 'count 40'",
        ),
        Step(
            cell="counter.send({'text': 'hello'}, buffers=[bytes([1, 2])])",
            page="document.querySelector('.counter').title === 'hello 2'",
            kernel="answers == [{'answer': 'hello'}]",
        ),
    ],
)


def bokeh_shows(values):
    """Whether the data of bokehjs's source named "src" are these."""
    return f"""Bokeh.documents.map((document) => document.get_model_by_name("src")).filter(Boolean)
      .some((source) => [...source.data.y].join() === "{values}")"""


def open_another_in_front(notebook):
    notebook.host.write_notebook("front.ipynb", ["1"], WITH)
    notebook.bring_to_front("front.ipynb")


BOKEH = Neighbour(
    "bokeh",
    [
        Step(
            cell="""
from bokeh.io import output_notebook, push_notebook, show
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.resources import INLINE
output_notebook(INLINE)
""",
            page="globalThis.Bokeh !== undefined",
        ),
        Step(
            cell="""
source = ColumnDataSource({'x': [1, 2], 'y': [1, 2]}, name='src')
plot = figure(width=200, height=200)
plot.line('x', 'y', source=source)
handle = show(plot, notebook_handle=True)
""",
            page=bokeh_shows("1,2"),
        ),
        Step(
            cell="""
source.data = {'x': [1, 2], 'y': [3, 4]}
push_notebook(handle=handle)
""",
            page=bokeh_shows("3,4"),
        ),
        Step(
            cell="""
from jupyter_bokeh.widgets import BokehModel
shown = figure(width=200, height=200, name='shown')
shown.line([1, 2], [1, 2])
BokehModel(shown)
""",
            page="globalThis.Bokeh?.documents.some((d) => d.get_model_by_name('shown'))",
        ),
        Step(
            cell="shown.title.text = 'a new title'",
            page="""Bokeh.documents.map((d) => d.get_model_by_name('shown')).filter(Boolean)
              .some((figure) => figure.title.text === 'a new title')""",
        ),
        Step(act=open_another_in_front),
        Step(kernel="(source.data.update(y=[5, 6]), push_notebook(handle=handle))"),
        Step(page=bokeh_shows("5,6")),
        Step(act=lambda notebook: notebook.bring_to_front(notebook.name)),
    ],
)

PLOTLY = Neighbour(
    "plotly",
    [
        Step(
            cell="""
import plotly.graph_objects as go
widget = go.FigureWidget(data=[go.Bar(y=[2, 1])])
widget
""",
            page="document.querySelector('.js-plotly-plot')?.data?.[0]?.y?.length === 2",
        ),
        Step(
            cell="widget.data[0].y = [5, 6, 7]",
            page="document.querySelector('.js-plotly-plot')?.data?.[0]?.y?.length === 3",
        ),
    ],
)

IPYCANVAS = Neighbour(
    "ipycanvas",
    [
        Step(
            cell="""
import ipycanvas
canvas = ipycanvas.Canvas(width=40, height=30)
pressed = []
canvas.on_mouse_down(lambda x, y: pressed.append((round(x), round(y))))
canvas
""",
            page="document.querySelector('canvas[width=\"40\"]') !== null",
        ),
        Step(
            cell="""
canvas.fill_style = '#ff0000'
canvas.fill_rect(0, 0, 20, 30)
""",
            page="""[...document.querySelector('canvas[width="40"]').getContext('2d')
              .getImageData(5, 5, 1, 1).data].join() === '255,0,0,255'""",
        ),
        Step(
            act=lambda notebook: notebook.page.click(
                'canvas[width="40"]', position={"x": 10, "y": 12}
            ),
            kernel="[x in (9, 10) and y in (11, 12) for x, y in pressed] == [True]",
        ),
    ],
)

NEIGHBOURS = [WIDGETS, ANYWIDGET, BOKEH, PLOTLY, IPYCANVAS]


def cells():
    """Every cell of the notebook, in order."""
    return [step.cell for each in NEIGHBOURS for step in each.steps if step.cell is not None]
