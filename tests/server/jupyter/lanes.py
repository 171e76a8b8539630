"""A kernel's end of a lane, as these tests need it: a real WebSocket server on loopback."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from server.jupyter.pages import SUBPROTOCOL, WAIT_S
from tsushin.kernel.lane_file import LaneAddress, lane_file, remove_lane_file, write_lane_file

SECRET = "a-secret-of-the-tests-with-32-characters"


class Lane:
    """What listens, and what came.

    Attributes:
        port: where it listens.
        requests: of every connection that was tried.
        sockets: those that it took.
    """

    def __init__(self, handle):
        self.requests = []
        self.sockets = []
        self._handle = handle

    def check(self, connection, request):
        self.requests.append(request)
        if request.headers.get("Authorization") != f"token {SECRET}":
            return connection.respond(HTTPStatus.FORBIDDEN, "wrong token\n")
        return None

    async def take(self, socket):
        self.sockets.append(socket)
        await self._handle(socket)


async def echo(socket):
    """Send back what comes."""
    async for frame in socket:
        await socket.send(frame)


@asynccontextmanager
async def listening(handle=echo):
    """Listen until the block ends."""
    lane = Lane(handle)
    async with serve(
        lane.take,
        "127.0.0.1",
        0,
        process_request=lane.check,
        subprotocols=[SUBPROTOCOL],
        max_size=None,
        max_queue=1,
        compression=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        lane.port = server.sockets[0].getsockname()[1]
        yield lane


@asynccontextmanager
async def laned(kernel_id, handle=echo):
    """Give a kernel a lane: listen, and write where."""
    async with listening(handle) as lane:
        with lane_file_of(kernel_id, lane.port):
            yield lane


class lane_file_of:  # noqa: N801 (used as a function is)
    """Write a lane file beside a kernel's connection file, and remove it."""

    def __init__(self, kernel_id, port, secret=SECRET):
        connection_file = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"kernel-{kernel_id}.json"
        assert connection_file.exists()
        self._path = lane_file(connection_file)
        self._address = LaneAddress(port, secret)

    def __enter__(self):
        write_lane_file(self._path, self._address)

    def __exit__(self, *_):
        remove_lane_file(self._path)


def through(
    server, kernel_id, query="session=s", *, token=True, origin=None, cookie=None, **options
):
    """Connect a page to a lane through the server."""
    headers = {}
    if token:
        headers["Authorization"] = f"token {server.token}"
    if cookie:
        headers["Cookie"] = cookie
    return connect(
        f"ws{server.url[4:]}tsushin/lane/{kernel_id}?{query}",
        additional_headers=headers,
        origin=origin,
        subprotocols=[SUBPROTOCOL],
        max_size=None,
        max_queue=1,
        compression=None,
        open_timeout=WAIT_S,
        **options,
    )
