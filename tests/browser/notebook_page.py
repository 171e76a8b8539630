"""One notebook in a page, driven the same way in every frontend.

JupyterLab and Notebook 7 show the same object as ``jupyterapp`` and run its commands; nbclassic has its
own ``Jupyter``. What runs a cell is what its button runs.
"""

from __future__ import annotations

from copy import copy

from browser.hosts import PATHS

TIMEOUT_MS = 20_000
WAIT_MS = 10_000
OPEN_MS = 60_000  # the first page of a server fetches and compiles all of the frontend

# Playwright does not bound `evaluate`.
BOUNDED = """
globalThis.bounded = (promise, ms) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(reject, ms, new Error(`not done after ${ms} ms`))),
]);
"""

LAB = """
globalThis.panelOf = (name) => {
  const widgets = globalThis.jupyterapp ? [...jupyterapp.shell.widgets("main")] : [];
  return widgets.find((widget) => widget.context && widget.context.path === name && widget.content);
};
// The commands act on the notebook that has the focus, which follows an activation some time later.
globalThis.focused = (panel) => new Promise((resolve) => {
  jupyterapp.shell.activateById(panel.id);
  const look = () => panel.node.contains(document.activeElement) ? resolve() : requestAnimationFrame(look);
  look();
});
globalThis.hosted = {
  isReady: (name) => {
    const session = globalThis.panelOf(name)?.sessionContext;
    return session?.isReady && session.session?.kernel?.connectionStatus === "connected";
  },
  run: async (name, index) => {
    const panel = panelOf(name);
    await focused(panel);
    panel.content.activeCellIndex = index;
    await jupyterapp.commands.execute("notebook:run-cell");
  },
  startAll: async (name) => {
    await focused(panelOf(name));
    void jupyterapp.commands.execute("notebook:run-all-cells");
  },
  restart: (name) => panelOf(name).sessionContext.session.kernel.restart(),
  save: (name) => panelOf(name).context.save(),
  bringToFront: async (name) => {
    await jupyterapp.commands.execute("docmanager:open", { path: name });
    const panel = panelOf(name);
    await panel.sessionContext.ready;
    await focused(panel);
  },
  outputs: (name, index) => {
    const node = panelOf(name).content.widgets[index].node;
    return [...node.querySelectorAll(".jp-OutputArea-child")].map((part) => part.innerText);
  },
};
"""

NBCLASSIC = """
globalThis.hosted = {
  isReady: () => {
    const notebook = globalThis.Jupyter?.notebook;
    return Boolean(notebook?._fully_loaded && notebook.kernel?.is_connected()
      && notebook.kernel.info_reply?.protocol_version);
  },
  run: (name, index) => new Promise((resolve) => {
    const cell = Jupyter.notebook.get_cell(index);
    const done = (event, { cell: finished }) => {
      if (finished !== cell) return;
      Jupyter.notebook.events.off("finished_execute.CodeCell", done);
      resolve();
    };
    Jupyter.notebook.events.on("finished_execute.CodeCell", done);
    cell.execute();
  }),
  restart: () => new Promise((resolve) => {
    Jupyter.notebook.events.one("kernel_ready.Kernel", () => resolve());
    Jupyter.notebook.kernel.restart();
  }),
  save: () => Jupyter.notebook.save_notebook(),
  outputs: (name, index) => {
    const node = Jupyter.notebook.get_cell(index).element[0];
    return [...node.querySelectorAll(".output_area")].map((part) => part.innerText);
  },
};
"""


class NotebookPage:
    """A notebook that is open in a Playwright page, its kernel connected.

    Attributes:
        page: Playwright's.
        frontend: one of ``browser.hosts.PATHS``.
        name: the notebook's file.
        console: what the page logged, as ``type: text``.
        errors: exceptions nobody caught.
    """

    def __init__(self, page, host, frontend, name):
        assert frontend in PATHS, frontend
        self.page, self.host, self.frontend, self.name = page, host, frontend, name
        self.console, self.errors = [], []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda m: self.console.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.add_init_script(BOUNDED + (NBCLASSIC if frontend == "nbclassic" else LAB))

    def open(self):
        """Go to the notebook and wait for its kernel."""
        self.page.goto(self.host.address(self.frontend, self.name))
        self.wait_ready()
        return self

    def wait_ready(self, timeout_ms=OPEN_MS):
        self.page.wait_for_function("n => hosted.isReady(n)", arg=self.name, timeout=timeout_ms)

    def _do(self, action, *arguments, timeout_ms=TIMEOUT_MS):
        return self._do_for(self.name, action, *arguments, timeout_ms=timeout_ms)

    def _do_for(self, name, action, *arguments, timeout_ms=TIMEOUT_MS):
        return self.page.evaluate(
            "([action, args, ms]) => bounded(Promise.resolve(hosted[action](...args)), ms)",
            [action, [name, *arguments], timeout_ms],
        )

    def run(self, index, *, timeout_ms=TIMEOUT_MS):
        """Run one cell and wait until the frontend takes it for done."""
        self._do("run", index, timeout_ms=timeout_ms)

    def start_all(self):
        """Have all cells run (JupyterLab, Notebook 7), and return while they do."""
        self._do("startAll")

    def outputs(self, index):
        """Return the text of each output of a cell, JavaScript errors included."""
        return self._do("outputs", index)

    def restart(self):
        """Restart the kernel and wait until it is connected again."""
        self._do("restart")
        self.wait_ready()

    def bring_to_front(self, name):
        """Show another notebook in this window (JupyterLab), opening it first where it is not."""
        self._do_for(name, "bringToFront")

    def beside(self, name):
        """Open another notebook in this window (JupyterLab); returns it."""
        other = copy(self)
        other.name = name
        self.bring_to_front(name)
        other.wait_ready()
        return other

    def stop_kernel(self):
        """End the notebook's session on the server; the next load of the page starts a new one."""
        self.host.delete_session(self.name)

    def save(self):
        self._do("save")

    def reload(self):
        """Load the page again, as with F5; the kernel goes on."""
        self.page.reload()
        self.wait_ready()

    def wait_for(self, expression):
        """Return True once a JavaScript expression is true, False when time is up."""
        return self.page.evaluate(
            """([expression, ms]) => new Promise((resolve) => {
              const until = performance.now() + ms;
              const look = () => {
                const is = new Function(`return ${expression}`)();
                is || performance.now() > until ? resolve(Boolean(is)) : requestAnimationFrame(look);
              };
              look();
            })""",
            [expression, WAIT_MS],
        )

    def value(self, expression):
        """Return the JSON value of a JavaScript expression."""
        return self.page.evaluate(expression)
