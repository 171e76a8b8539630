"""Frontends that stand by: ``python -m bench.other_frontends stock|ours FILE COUNT``.

All of them read, and take apart, every message of a kernel; none sends anything of its own accord.
Prints "ready" once they are there, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

import tsushin
from bench import ROOT

READY_S = 60.0
POLL_MS = 200


def stock(file: str, count: int, over: threading.Event) -> None:
    """Frontends of jupyter_client, all read by one thread."""
    clients = []
    poller = zmq.Poller()
    for _ in range(count):
        client = BlockingKernelClient(connection_file=file)
        client.load_connection_file()
        client.start_channels(hb=False, stdin=False, control=False)
        poller.register(client.iopub_channel.socket, zmq.POLLIN)
        clients.append(client)
    clients[-1].wait_for_ready(timeout=READY_S)
    by_socket = {client.iopub_channel.socket: client for client in clients}
    print("ready", flush=True)
    while not over.is_set():
        for socket, _ in poller.poll(POLL_MS):
            by_socket[socket].get_iopub_msg(timeout=0)


async def ours(file: str, count: int, over: threading.Event) -> None:
    """Frontends of Tsushin, on one loop."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            fe = await stack.enter_async_context(tsushin.connect(connection_file=file))
            async with asyncio.timeout(READY_S):
                while not fe.comm_manager.peers:  # noqa: ASYNC110 (before anything is timed)
                    await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.to_thread(over.wait)


@contextmanager
def other_frontends(stack: str, file: str, count: int) -> Iterator[None]:
    """Run so many in a process of their own until the block ends."""
    if not count:
        yield
        return
    command = [sys.executable, "-m", "bench.other_frontends", stack, file, str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        watch = threading.Timer(READY_S, process.kill)
        watch.start()
        try:
            line = process.stdout.readline() if process.stdout else ""
            watch.cancel()
            if line.strip() != "ready":
                raise RuntimeError(f"{count} other frontends were not there within {READY_S:g} s")
            yield
        finally:
            watch.cancel()
            process.kill()


def main(stack: str, file: str, count: str) -> None:
    """Run until the input ends."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    if stack == "stock":
        stock(file, int(count), over)
    else:
        asyncio.run(ours(file, int(count), over))


if __name__ == "__main__":
    main(*sys.argv[1:4])
