"""The environments of `make matrix`: other versions of frontends and of ipykernel, below `.venv-matrix`.

The newest ones are in `.venv` itself, pinned by tools/constraints.txt. Here only the versions that the
support table is about are pinned; the results say which others came with them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys

from node import ROOT, say

FOLDER = ROOT / ".venv-matrix"

# Environment -> what is installed into it. "-e ." is this project: a kernel needs it, a frontend does not.
ENVIRONMENTS: dict[str, list[str]] = {
    "lab-4.0": ["jupyterlab==4.0.13", "notebook==7.0.8"],
    **{
        f"ipykernel-{version.rpartition('.')[0]}": [f"ipykernel=={version}", "-e", "."]
        for version in ("6.29.5", "6.30.1", "7.0.1", "7.3.0")
    },
    "spyder-kernels": ["spyder-kernels==3.1.6", "-e", "."],
    "metakernel": ["metakernel==1.0.7", "-e", "."],
    "sos": ["sos-notebook==0.24.7", "-e", "."],
    "async-kernel": ["async-kernel==0.23.1", "-e", "."],
    # The newest (0.19.0) never calls a target's function: its binding fails.
    "xeus-python": ["xeus-python==0.17.6", "-e", "."],
}


def python(name: str) -> str:
    """Return the path of an environment's Python."""
    return str(FOLDER / name / "bin" / "python")


def make(name: str) -> None:
    """Create one environment, unless that was done and nothing else was asked since.

    Raises:
        subprocess.CalledProcessError: venv or pip failed.
    """
    wanted = hashlib.sha256(" ".join(ENVIRONMENTS[name]).encode()).hexdigest()
    stamp = FOLDER / name / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"creating .venv-matrix/{name} (a minute or two the first time)")
    subprocess.run([sys.executable, "-m", "venv", FOLDER / name], check=True)
    pip = [python(name), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip"], check=True)
    subprocess.run([*pip, *ENVIRONMENTS[name]], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def make_all() -> None:
    """Create every environment."""
    for name in ENVIRONMENTS:
        make(name)
