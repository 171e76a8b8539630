"""A real ipykernel driven by the stock client: what every baseline stands on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

START_TIMEOUT_S = 60
CELL_TIMEOUT_S = 60


@contextmanager
def stock_kernel() -> Iterator[BlockingKernelClient]:
    """Start a python3 kernel and a blocking client; both end with the block."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(stderr=subprocess.DEVNULL)  # it warns of TCP; errors come in replies
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_TIMEOUT_S)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run_cell(client: BlockingKernelClient, code: str) -> None:
    """Run a cell; an error in it ends the benchmark."""
    reply = client.execute_interactive(code, timeout=CELL_TIMEOUT_S, output_hook=lambda _: None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))


# Any: whatever JSON the expression gives.
def value_of(client: BlockingKernelClient, code: str, expression: str) -> Any:
    """Run a cell, then return the value of ``json.dumps(expression)`` in the kernel."""
    reply = client.execute_interactive(
        f"import json\n{code}",
        user_expressions={"value": f"json.dumps({expression})"},
        timeout=CELL_TIMEOUT_S,
        output_hook=lambda _: None,
    )
    content = reply["content"]
    if content["status"] != "ok" or content["user_expressions"]["value"]["status"] != "ok":
        raise RuntimeError(json.dumps(content, indent=1))
    text = content["user_expressions"]["value"]["data"]["text/plain"]
    return json.loads(text.strip("'"))


def send(client: BlockingKernelClient, msg_type: str, content: dict[str, object]) -> None:
    """Send a message on shell, without waiting for anything."""
    client.shell_channel.send(client.session.msg(msg_type, content))
