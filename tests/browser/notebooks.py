"""A notebook in JupyterLab or Notebook 7 in a real Chromium: cells run, and what they show is read.

Our own extension is switched off in these servers, so that a page has only what the host brings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.request import Request, urlopen

from processes import START_S, TOKEN, environment, free_port

TIMEOUT_MS = 30_000

FOUND = """() => {
  const main = [...(globalThis.jupyterapp?.shell.widgets("main") ?? [])];
  globalThis.panel = main.find((one) => one.content?.activeCell && one.sessionContext);
  return globalThis.panel !== undefined;
}"""

# The kernel is started when the page opens; a cell runs when it is ready.
READY = """async () => {
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""

RUN = """async ([code]) => {
  jupyterapp.shell.activateById(panel.id);
  const cell = panel.content.activeCell;
  cell.model.sharedModel.setSource(code);
  await jupyterapp.commands.execute("notebook:run-cell-and-insert-below");
  return cell.model.outputs.toJSON();
}"""


@contextmanager
def lab_server(folder, app="lab"):
    """Run ``jupyter lab`` (or ``notebook``) on loopback in ``folder``; yields its URL."""
    config = folder / "config"
    (config / "labconfig").mkdir(parents=True)
    page_config = {"disabledExtensions": {"tsushin-lab": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(page_config))
    # Cells that are scrolled away stay in the page, so that a test can look at them.
    overrides = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(overrides))
    root = folder / "notebooks"
    root.mkdir()
    port = free_port()
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": root,
        "ServerApp.open_browser": False,
        "ServerApp.terminals_enabled": False,
        "IdentityProvider.token": TOKEN,
        "MultiKernelManager.shutdown_wait_time": 2,
        "LabApp.news_url": "",
    }
    own = {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        # Frozen modules and a debugger print a warning.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", app, "--allow-root", "--expose-app-in-browser"]
        + [f"--{key}={value}" for key, value in settings.items()],
        env={**environment(), **own},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    url, log, is_ready = f"http://127.0.0.1:{port}/", [], threading.Event()

    def read():
        for line in process.stderr:
            log.append(line)
            if "is running at" in line:
                is_ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert is_ready.wait(START_S), "".join(log)
        yield url
    finally:
        process.terminate()
        process.wait(START_S)
        reader.join()
        process.stderr.close()


class Notebook:
    """One notebook on one page, with a kernel of its own."""

    def __init__(self, page, url, app="lab"):
        self.page = page
        self._url = url
        self._app = app

    def open(self, name):
        content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        content["metadata"]["kernelspec"] = {
            "name": "python3", "display_name": "Python 3", "language": "python"
        }  # fmt: skip
        body = {"type": "notebook", "format": "json", "content": content}
        request = Request(
            f"{self._url}api/contents/{name}",
            json.dumps(body).encode(),
            {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
            method="PUT",
        )
        urlopen(request, timeout=10).close()
        where = {"lab": "lab/tree", "notebook": "notebooks"}[self._app]
        self.page.goto(f"{self._url}{where}/{name}?token={TOKEN}&reset")
        self.wait_ready()

    def wait_ready(self):
        self.page.wait_for_function(FOUND, timeout=TIMEOUT_MS)
        self.page.evaluate(READY)

    def run(self, code):
        """Run a cell; return what it printed. Its error is one of the test."""
        outputs = self.page.evaluate(RUN, [code])
        errors = [o for o in outputs if o["output_type"] == "error"]
        assert errors == [], "\n".join(errors[0]["traceback"])
        return "".join(o.get("text", "") for o in outputs)

    def save(self):
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    def reload(self):
        """Save, load the page again, and wait until its kernel is connected."""
        self.save()
        self.page.reload()
        self.wait_ready()
