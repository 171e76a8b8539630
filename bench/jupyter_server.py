"""A real Jupyter Server with a kernel: as installed, or with Tsushin's server extension."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psutil

from bench.raw_websocket import RawWebSocket
from bench.wire_end import WireEnd
from tsushin.wire import ws_v1

EXTENSION = "tsushin"
TOKEN = "a-token-of-the-benchmarks"  # noqa: S105 (of a server on loopback that lives a minute)
START_S, STOP_S = 60, 20
# Pages and language servers: they take seconds to load and have no part in a kernel's channels.
FRONTENDS = ("jupyterlab", "jupyter_lsp", "nbclassic", "notebook", "notebook_shim")


@dataclass(frozen=True)
class Server:
    """A running server on 127.0.0.1."""

    port: int

    @property
    def url(self) -> str:
        """Its address, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path: str, method: str = "GET") -> Any:  # Any: JSON
        """Send a REST request and return the answer."""
        request = urllib.request.Request(  # noqa: S310 (our own server)
            self.url + path,
            method=method,
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
            data=b"{}" if method == "POST" else None,
        )
        with urllib.request.urlopen(request, timeout=START_S) as answer:  # noqa: S310 (our own server)
            return json.loads(answer.read() or "null")

    def channels(self, kernel_id: str) -> WireEnd:
        """Connect to a kernel's channels; the server has found it ready by then."""
        session = uuid4().hex
        socket = RawWebSocket(
            self.port,
            f"/api/kernels/{kernel_id}/channels?session_id={session}&token={TOKEN}",
            {"Sec-WebSocket-Protocol": ws_v1.SUBPROTOCOL},
        )
        return WireEnd(socket, session)


@contextmanager
def jupyter_server(
    *, extension: bool = False, frontends: bool = False, settings: dict[str, object] | None = None
) -> Iterator[Server]:
    """Run a server until the block ends; all but ``settings`` and its pings is as installed.

    Args:
        extension: with Tsushin's server extension.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    loaded = {**dict.fromkeys(FRONTENDS, frontends), EXTENSION: extension}
    with tempfile.TemporaryDirectory(prefix="tsushin-bench-") as folder:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": folder,
            "IdentityProvider.token": TOKEN,
            "ServerApp.jpserver_extensions": loaded,
            # The least of clients answers no pings while others are measured, which takes minutes.
            "ServerApp.tornado_settings": {"ws_ping_interval": 0},
            **(settings or {}),
        }
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        process = subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the worker's own is for its figures
            stderr=subprocess.PIPE,
            text=True,
        )
        log: list[str] = []
        ready = threading.Event()
        reader = threading.Thread(target=read_log, args=[process, log, ready], daemon=True)
        reader.start()
        try:
            if not ready.wait(START_S) or process.poll() is not None:
                raise RuntimeError(f"no Jupyter Server within {START_S} s:\n{''.join(log)}")
            wait_listening(port)
            yield Server(port)
        finally:
            stop(process)


@contextmanager
def kernel_channels(**options: Any) -> Iterator[WireEnd]:  # Any: as ``jupyter_server``
    """Run a server with one kernel, and connect to its channels."""
    with jupyter_server(**options) as server:
        kernel_id = server.ask("api/kernels", "POST")["id"]
        end = server.channels(kernel_id)
        try:
            yield end
        finally:
            end.socket.close()
            server.ask(f"api/kernels/{kernel_id}", "DELETE")


def read_log(process: subprocess.Popen[str], log: list[str], ready: threading.Event) -> None:
    for line in process.stderr or ():
        log.append(line)
        if "is running at" in line:
            ready.set()
    ready.set()  # it ended: whoever waits looks at the process


def wait_listening(port: int) -> None:
    """Return once the port takes connections: a server says that it runs a moment earlier."""
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)  # nothing tells; a refused connection returns at once
        else:
            return


def stop(process: subprocess.Popen[str]) -> None:
    """End a server; one that waits too long for its kernels is ended with them."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
        process.wait(STOP_S)
