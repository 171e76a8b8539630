"""Bare WebSocket servers on a thread beside a main thread that is idle, or computes.

What the lane is built on is among them; what it could be built on instead are the others. Each does the
same: a message that begins with "out" is answered by so many bytes as it says, one that begins with
"in" by two bytes, every other by itself. ``python -m bench.raw_servers NAME idle|busy`` prints its port.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import ROOT
from bench.row import NotAvailable
from tsushin.kernel.switch_interval import SHORT_S

MAX_BYTES = 96 << 20  # of one message: 64 MiB and what is around it
BUSY_INTERVAL_S = SHORT_S  # as Tsushin sets it while messages meet a running cell
START_S = 30.0

Say = Callable[[int], None]  # told the port once it listens


def answer(payload: bytes) -> bytes:
    """Return what every server sends back."""
    if payload[:3] == b"out":
        return ZEROS[: int(payload[3:])]
    return b"ok" if payload[:2] == b"in" else payload


ZEROS = memoryview(bytes(64 << 20))


def sans_io(say: Say) -> None:
    """The sans-IO protocol of ``websockets``, a blocking thread for each connection: as the lane is built."""
    from websockets.frames import Opcode  # noqa: PLC0415 (each server loads its own library only)
    from websockets.http11 import Request  # noqa: PLC0415
    from websockets.server import ServerProtocol  # noqa: PLC0415

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        protocol = ServerProtocol(max_size=MAX_BYTES)
        while data := connection.recv(65536):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif event.opcode is Opcode.BINARY:
                    protocol.send_binary(answer(event.data))
            for out in protocol.data_to_send():
                connection.sendall(out)

    listening = socket.create_server(("127.0.0.1", 0))
    say(listening.getsockname()[1])
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=[connection], daemon=True).start()


def picows(say: Say) -> None:
    """Cython on asyncio: the fastest there is."""
    import picows  # noqa: PLC0415

    class Echo(picows.WSListener):  # type: ignore[misc]  # untyped
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.BINARY:
                back = answer(frame.get_payload_as_bytes())
                transport.send(picows.WSMsgType.BINARY, back)

    async def serve() -> None:
        server = await picows.ws_create_server(
            lambda _: Echo(), "127.0.0.1", 0, max_frame_size=MAX_BYTES
        )
        say(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def uvicorn(say: Say) -> None:
    """Uvicorn with ``websockets-sansio``: what ``tsushin.serve`` runs on."""
    import uvicorn  # noqa: PLC0415

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": bytes(answer(event["bytes"]))})

    listening = socket.create_server(("127.0.0.1", 0))
    say(listening.getsockname()[1])  # a connection waits in its queue until the loop runs
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=MAX_BYTES,
        ws_per_message_deflate=False,
        log_level="error",
        lifespan="off",
        loop="asyncio",
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


def websockets_asyncio(say: Say) -> None:
    """The asyncio server of ``websockets``."""
    from websockets.asyncio.server import serve  # noqa: PLC0415

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(answer(message))

    async def run() -> None:
        server = await serve(echo, "127.0.0.1", 0, compression=None, max_size=MAX_BYTES)
        say(next(iter(server.sockets)).getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


SERVERS: dict[str, Callable[[Say], None]] = {
    "websockets sans-IO, thread": sans_io,
    "picows": picows,
    "uvicorn websockets-sansio": uvicorn,
    "websockets.asyncio": websockets_asyncio,
}


@contextmanager
def raw_server(name: str, *, busy: bool = False) -> Iterator[int]:
    """Run a server in a process of its own; yields its port.

    Raises:
        NotAvailable: its library is not installed.
    """
    if name == "picows" and importlib.util.find_spec("picows") is None:
        raise NotAvailable("picows is not installed; make bench does it")
    command = [sys.executable, "-m", "bench.raw_servers", name, "busy" if busy else "idle"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        watch = threading.Timer(START_S, process.kill)
        watch.start()
        try:
            line = process.stdout.readline() if process.stdout else ""
            watch.cancel()
            if not line:
                raise RuntimeError(f"the raw server {name} did not start")
            yield int(line)
        finally:
            watch.cancel()
            process.terminate()


def main(name: str, state: str) -> None:
    """Serve on a thread; compute, or sleep, on this one."""
    logging.disable(logging.WARNING)  # picows tells of every full socket
    ready = threading.Event()

    def say(port: int) -> None:
        print(port, flush=True)
        ready.set()

    threading.Thread(target=SERVERS[name], args=[say], daemon=True).start()
    ready.wait()
    if state == "idle":
        while True:
            time.sleep(3600)
    sys.setswitchinterval(BUSY_INTERVAL_S)
    while True:
        sum(range(1000))


if __name__ == "__main__":
    main(*sys.argv[1:3])
