"""Real frontends for tests: one Jupyter Server that shows a page of JupyterLab, Notebook 7 and nbclassic.

Several in one environment share the server, as they do on a user's machine; each has its own path. What
differs from test to test is the kernel: a kernelspec of the server's own data folder says which Python it
is and whether Tsushin is in it.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from processes import SOURCE, TOKEN, jupyter_server

ROOT = Path(__file__).resolve().parents[2]
# What the wheel installs below share/jupyter/labextensions.
EXTENSION_NAME = "tsushin-lab"
EXTENSION = ROOT / "js" / "packages" / "lab" / "dist" / "labextension"

# Where each frontend shows a notebook. Beside Notebook 7, nbclassic has a prefix.
# JupyterLab opens again what other pages left open in its workspace, unless told to begin anew.
PATHS = {
    "lab": "lab/tree/{name}?reset",
    "notebook": "notebooks/{name}?",
    "nbclassic": "nbclassic/notebooks/{name}?",
}

# Kernelspecs: what follows the Python, and its environment.
ATTACHED = ["--ext=tsushin"]
WITHOUT = {"TSUSHIN_DISABLE": "1"}


@dataclass(frozen=True)
class Kernel:
    """A kernelspec to be written.

    Attributes:
        name: of the kernelspec.
        python: path of the environment's Python.
        has_tsushin: it is installed there; else Tsushin is switched off.
        is_attached: at its start, as by ``tsushin enable``; else by the first use in a cell.
    """

    name: str
    python: str = sys.executable
    has_tsushin: bool = True
    is_attached: bool = True

    def write(self, data_folder: Path) -> None:
        """Write the kernelspec below ``data_folder``."""
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {
            "argv": [*argv, *ATTACHED] if self.has_tsushin and self.is_attached else argv,
            "display_name": self.name,
            "language": "python",
            "env": {"PYTHONPATH": str(SOURCE)} if self.has_tsushin else WITHOUT,
        }
        folder = data_folder / "kernels" / self.name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))


WITH = Kernel("with-tsushin")
WITHOUT_TSUSHIN = Kernel("without-tsushin", has_tsushin=False)


@dataclass
class Host:
    """A running server and the folders behind it.

    Attributes:
        url: with a slash at its end.
        notebooks: its root; ``/files/<name>`` serves what is in it.
        runtime: where the kernels' connection files are.
        log: what the server wrote so far.
    """

    url: str
    notebooks: Path
    runtime: Path
    log: list

    def address(self, frontend: str, name: str) -> str:
        """Return the address of a notebook in ``frontend``, one of ``PATHS``, with the token."""
        return f"{self.url}{PATHS[frontend].format(name=name)}&token={TOKEN}"

    def request(self, path: str, method: str = "GET"):
        """Ask the server's REST API; returns the JSON, or None."""
        headers = {"Authorization": f"token {TOKEN}"}
        asked = Request(f"{self.url}{path}", method=method, headers=headers)
        with urlopen(asked, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def session(self, name: str):
        """Return the session of a notebook that is open, as the REST API tells it."""
        [session] = [s for s in self.request("api/sessions") if s["path"] == name]
        return session

    def delete_session(self, name: str) -> None:
        """Shut the kernel of a notebook down."""
        self.request(f"api/sessions/{self.session(name)['id']}", "DELETE")

    def write_notebook(self, name: str, cells: list[str], kernel: Kernel) -> None:
        """Write a notebook of code cells that have not been run."""
        (self.notebooks / name).write_text(json.dumps(notebook(cells, kernel.name)))


def notebook(cells, kernel_name):
    """Return the JSON of a notebook, format 4.5."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": kernel_name, "display_name": kernel_name, "language": "python"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for i, source in enumerate(cells)
        ],
    }


@contextmanager
def running_host(folder, kernels, *, python=sys.executable, extension=EXTENSION, disabled=()):
    """Run one server for all frontends of an environment until the block ends.

    Args:
        folder: an empty one; everything the server writes stays in it.
        kernels: the kernelspecs that notebooks may name.
        python: the environment's Python.
        extension: the built Lab extension to install, or None.
        disabled: names of Lab extensions to switch off, as an administrator does.
    """
    folders = {
        name: folder / name for name in ("config", "data", "runtime", "ipython", "notebooks")
    }
    for path in folders.values():
        path.mkdir()
    for kernel in kernels:
        kernel.write(folders["data"])
    if extension is not None and extension.exists():
        install_extension(extension, folders["data"])
    write_config(folders["config"], disabled)
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
    }
    env.pop("PYTHONPATH", None)  # the frontend's environment need not know Tsushin
    extensions = {"tsushin": False}  # the frontends, and no server extension of ours
    with jupyter_server(
        folders["notebooks"], extensions=extensions, python=python, env=env
    ) as server:
        yield Host(server.url, folders["notebooks"], folders["runtime"], server.log)


def install_extension(built, data_folder):
    """Put the built Lab extension where the server looks: as ``pip install`` does, but as a link."""
    place = data_folder / "labextensions" / EXTENSION_NAME
    place.parent.mkdir()
    place.symlink_to(built, target_is_directory=True)


def write_config(config_folder, disabled):
    """Let tests reach the application object, keep news and build checks away, disable extensions."""
    shown = {"expose_app_in_browser": True}
    settings = {"LabApp": shown, "JupyterNotebookApp": shown}
    (config_folder / "jupyter_server_config.json").write_text(json.dumps(settings))
    page_config = {
        "disabledExtensions": {
            "@jupyterlab/apputils-extension:announcements": True,
            **dict.fromkeys(disabled, True),
        }
    }
    labconfig = config_folder / "labconfig"
    labconfig.mkdir()
    (labconfig / "page_config.json").write_text(json.dumps(page_config))
