"""A volume that a page renders while it is computed, slice by slice (volume.html, beside this file).

    pip install starlette
    python examples/volume.py

Open the address that it prints. The cloud of an electron appears, seen along z; the page draws one slice per
frame, and the program computes at most four ahead of it. *Stop* in the page ends the function here.
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

import tsushin

PAGE = Path(__file__).with_name("volume.html")
SIZE = 64  # voxels along each axis


def voxels(z: int) -> bytes:
    """Return slice z, row by row, a byte per voxel: hydrogen's 3d state, x²y²·exp(-2r/3) in Bohr radii."""
    squares = [((i - (SIZE - 1) / 2) * 0.4) ** 2 for i in range(SIZE)]
    return bytes(
        int(42 * x2 * y2 * math.exp(-2 / 3 * math.sqrt(x2 + y2 + squares[z])))
        for y2 in squares
        for x2 in squares
    )


@tsushin.comm_manager().register_target("volume")
def volume(comm: tsushin.Comm, msg: dict) -> None:
    """Let each page have it."""
    del msg

    @comm.handle("slices")
    def slices(msg: dict) -> Iterator[dict]:
        del msg
        for z in range(SIZE):
            yield {"z": z, "voxels": voxels(z)}  # waits here while the page is behind


async def page(request: Request) -> HTMLResponse:
    """Serve the page; it finds the token in its own address."""
    del request
    return HTMLResponse(PAGE.read_text("utf-8"))


comms = tsushin.asgi_app()
app = Starlette(routes=[Route("/", page), Mount("/comms", comms)])

if __name__ == "__main__":
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        print(f"http://127.0.0.1:{port}/?token={comms.token}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
