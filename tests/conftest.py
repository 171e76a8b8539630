"""What holds for every test: a home of its own, no proxies, and a header that names the neighbours."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import hypothesis
import pytest

NEIGHBOURS = ("ipykernel", "jupyter_client", "jupyter_server", "comm", "pyzmq", "ipywidgets")

HOME = pytest.StashKey[Path]()

# Two shared cores: an example that is slow once is no finding.
hypothesis.settings.register_profile("tsushin", deadline=None, print_blob=True)
hypothesis.settings.load_profile("tsushin")


def pytest_configure(config):
    """Keep real kernels and servers away from the user's configuration, and loopback off proxies."""
    # Short: the path of a Unix socket has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="tsushin-"))
    config.stash[HOME] = home
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        os.environ[name] = str(home / name.lower())
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
    os.environ.pop("TSUSHIN_DISABLE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job of a shell's background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


def version_of(name):
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} missing"


def pytest_report_header():
    return "neighbours: " + ", ".join(map(version_of, NEIGHBOURS))
