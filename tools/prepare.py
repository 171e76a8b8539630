"""Make this machine ready: ``python3 tools/prepare.py demo|test|check|...``, run by the Makefile.

Each step looks whether its work is done before doing it, so repeating one is quick. Only the
standard library is used: it runs on a machine that has nothing but Python.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matrix
import node
from node import ROOT, say

VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "tools" / "constraints.txt"
PYTHON = VENV / "bin" / "python"
MIN_PYTHON = (3, 11)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# What is installed for each make target: an extra, or a dependency group of pyproject.toml.
INSTALLS = {
    "demo": ["-e", "."],
    "build": ["--group", "build"],
    "test": ["-e", ".[test]"],
    "check": ["-e", ".[test]", "--group", "check"],
    "bench": ["-e", ".", "--group", "bench"],
    "fuzz": ["-e", ".[test]", "--group", "fuzz"],
    "docs": ["-e", ".", "--group", "docs"],
    "matrix": ["-e", ".[test]"],
    "soak": ["-e", ".[test]"],
}


class CannotPrepare(RuntimeError):
    """Something is missing that cannot be installed here; the text says what to do."""


def run(*command: str | Path) -> None:
    """Run a command with its output shown; a failure ends the preparation."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if done.returncode:
        shown = " ".join(str(part) for part in command)
        raise CannotPrepare(f"`{shown}` failed with status {done.returncode}")


def may_apt() -> bool:
    """Whether system packages can be installed here: Debian's apt-get, as root."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def apt_install(package: str, why: str) -> None:
    """Install one Debian package, or say that it is missing."""
    if not may_apt():
        raise CannotPrepare(f"{why}: please install `{package}` (apt-get needs root)")
    say(f"installing {package} with apt-get: {why}")
    run("apt-get", "-qq", "update")
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", package)


def make_venv() -> None:
    """Create ``.venv`` with a pip that knows dependency groups."""
    if PYTHON.exists():
        return
    if sys.version_info < MIN_PYTHON:
        have = ".".join(map(str, sys.version_info[:3]))
        raise CannotPrepare(f"Python >= 3.11 is needed, this is {have}: try make PYTHON=python3.13")
    try:
        import ensurepip  # noqa: F401, PLC0415  (Debian splits it off, and venv needs it)
    except ImportError:
        apt_install(f"python3.{sys.version_info.minor}-venv", "Python's venv module is not whole")
    say("creating .venv")
    run(sys.executable, "-m", "venv", VENV)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1")


def install(target: str) -> None:
    """Install this package and what ``target`` needs, unless that was done and nothing was asked since."""
    stamp = VENV / f".installed-for-{target}"
    asked = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    wanted = hashlib.sha256(asked).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing what `make {target}` needs into .venv (a minute or two the first time)")
    run(PYTHON, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, *INSTALLS[target])
    stamp.write_text(wanted)


def install_node() -> None:
    """Get Node from PyPI where the machine has none."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), str(PYTHON.parent)])
    if node.find_node(folders) is None:
        say(f"no Node >= {node.MIN_NODE_MAJOR} here: installing it from PyPI into .venv")
        run(PYTHON, "-m", "pip", "install", "--quiet", node.NODE_REQUIREMENT)


def install_chromium() -> None:
    """See to it that there is a Chromium to drive."""
    if not any(map(shutil.which, CHROMIUM_NAMES)):
        apt_install("chromium", "tests and benchmarks drive a real Chromium")


def install_r_kernel() -> None:
    """See to it that there is an IRkernel for the tests of other kernels."""
    ask = ["Rscript", "-e", "packageVersion('IRkernel')"]
    has_r = shutil.which("Rscript") is not None
    if not has_r or subprocess.run(ask, check=False, capture_output=True).returncode:
        apt_install("r-cran-irkernel", "a kernel that is no Python is tested against")


def prepare(target: str) -> None:
    """Do everything ``make <target>`` needs before its own work."""
    make_venv()
    install(target)
    if target != "build":  # there the build hook sees to Node and the page
        install_node()
    if target in {"test", "matrix", "bench"}:
        install_chromium()
    if target == "matrix":
        install_r_kernel()
        matrix.make_all()
    if target in {"demo", "test", "matrix"}:
        run(PYTHON, ROOT / "tools" / "node.py", "build")


if __name__ == "__main__":
    try:
        prepare(sys.argv[1])
    except CannotPrepare as problem:
        say(str(problem))
        sys.exit(1)
