"""Real kernels and a real Jupyter Server for tests: started once, shared, ended for certain."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from jupyter_client.manager import KernelManager

import tsushin

SOURCE = Path(tsushin.__file__).parent.parent
TOKEN = "a-token-of-the-tests"
START_S = 30
STOP_S = 20
FRONTENDS = ("jupyterlab", "jupyter_lsp", "nbclassic", "notebook", "notebook_shim")
# The server by itself: frontends take seconds to load, and ours is enabled wherever Tsushin is installed.
STOCK = {**dict.fromkeys(FRONTENDS, False), "tsushin": False}
EXTENDED = {**STOCK, "tsushin": True}


def environment():
    """Return the environment of a child that imports the tsushin under test."""
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def free_port():
    """Return a loopback port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def running_kernel(**options):
    """Start a kernel that belongs to no frontend; yields its manager (``connection_file``, …)."""
    manager = KernelManager(kernel_name="python3", **options)
    manager.start_kernel(env=environment())
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


@dataclass
class JupyterServer:
    """A running server.

    Attributes:
        url: with a slash at its end.
        log: what it wrote so far, line by line.
    """

    url: str
    token: str
    process: subprocess.Popen
    log: list


@contextmanager
def jupyter_server(
    folder,
    *,
    extensions=STOCK,
    python=sys.executable,
    env=None,
    settings=None,
    port=None,
    ip="127.0.0.1",
    prefix=(),
):
    """Run a Jupyter Server until the block ends, unless it was killed before.

    Args:
        folder: its root.
        extensions: which it loads, or leaves out, of those that are installed; for the others it decides.
        python: of the environment that has the server.
        env: its environment; default: this one, with the tsushin under test.
        settings: more of its settings, by name.
        port: default: one that is free.
        ip: the address it listens on.
        prefix: words before its command, such as ``ip netns exec``.
    """
    port = port or free_port()
    command = [*prefix, python, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    settings = {
        **(settings or {}),
        "ServerApp.ip": ip,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": TOKEN,
        "KernelManager.shutdown_wait_time": 2,
        "ServerApp.jpserver_extensions": extensions,
    }
    process = subprocess.Popen(
        [*command, *(f"--{name}={value}" for name, value in settings.items())],
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = JupyterServer(f"http://{ip}:{port}/", TOKEN, process, [])
    is_ready = threading.Event()
    reader = threading.Thread(target=read_log, args=(server, is_ready))
    reader.start()
    try:
        assert is_ready.wait(START_S), "".join(server.log)
        wait_listening(ip, port, process)
        yield server
    finally:
        process.terminate()
        stop(process)
        reader.join(START_S)
        process.stderr.close()


def stop(process):
    """Wait for a server's end; one that waits for its own kernels for too long is ended with them."""
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        process.wait(STOP_S)


def wait_listening(ip, port, process):
    """Return once the port takes connections: a server says that it runs a moment earlier."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((ip, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)  # nothing tells; a refused connection returns at once
        else:
            return
    raise AssertionError(f"nothing listens on port {port}; exit status: {process.poll()}")


def read_log(server, is_ready):
    for line in server.process.stderr:
        server.log.append(line)
        if "is running at" in line:
            is_ready.set()
    is_ready.set()  # it ended: whoever waits looks at the process
