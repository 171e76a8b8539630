"""Running the classic notebook in one page: setup, then any feature, and what both ends noted."""

from __future__ import annotations

import json
from contextlib import contextmanager

from browser import classic_notebook
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage


@contextmanager
def opened(browser, host, frontend, kernel, *, name="classic.ipynb"):
    """Open the classic notebook in a context of its own, its setup run; yields a ``Journey``."""
    host.write_notebook(name, classic_notebook.cells(), kernel)
    for file, text in classic_notebook.FILES.items():
        (host.notebooks / file).write_text(text)
    with browser.new_context() as context:
        notebook = NotebookPage(context.new_page(), host, frontend, name).open()
        with kernel_side(host, name) as side:
            journey = Journey(notebook, side)
            journey.setup()
            yield journey


class Journey:
    """The classic notebook, open."""

    def __init__(self, notebook, kernel):
        self.notebook, self.kernel = notebook, kernel

    def setup(self):
        for index in range(len(classic_notebook.SETUP)):
            self.notebook.run(index)

    def run(self, feature):
        """Run a feature's cells, waiting after each for its effects; end where they do not come."""
        first = classic_notebook.first_cell(feature)
        for index, cell in enumerate(feature.cells, first):
            self.notebook.run(index)
            page, kernel = page_notes(feature), kernel_notes(feature)
            if cell.page and not self.notebook.wait_for(f"({page}).length >= {cell.page}"):
                break
            if cell.kernel and not self.kernel.wait_for(f"len({kernel}) >= {cell.kernel}"):
                break

    def outputs(self, feature):
        """Return the text of all outputs of a feature."""
        first = classic_notebook.first_cell(feature)
        indexes = range(first, first + len(feature.cells))
        return "\n".join(text for index in indexes for text in self.notebook.outputs(index))

    def seen(self, feature):
        """Return what both ends noted."""
        return {
            "page": self.notebook.value(page_notes(feature)),
            "kernel": self.kernel.value(kernel_notes(feature)),
        }


def page_notes(feature):
    return f"window.seen[{json.dumps(feature.name)}] || []"


def kernel_notes(feature):
    return f"seen.get({feature.name!r}, [])"
