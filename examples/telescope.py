"""A telescope that several pages watch and steer at once (telescope.html, beside this file).

    pip install starlette
    python examples/telescope.py

Open the address that it prints, twice. Each page shows where the telescope points, whoever has sent it there;
one that comes later, or is loaded again, gets the path of before and the position of now.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

import tsushin

PAGE = Path(__file__).with_name("telescope.html")
STEP = 3  # degrees


class Telescope:
    """Something that turns, slowly."""

    at = 0  # degrees from north

    async def slew(self, to: int) -> AsyncIterator[int]:
        """Turn the shorter way, and say each position on it."""
        while distance := (to - self.at + 180) % 360 - 180:
            self.at = (self.at + max(-STEP, min(STEP, distance))) % 360
            yield self.at
            await asyncio.sleep(0.02)


comms = tsushin.asgi_app()
telescope = Telescope()
room = tsushin.Comm("telescope", {"name": "dome 1"}, history=500)
room.snapshot(lambda: {"at": telescope.at})


async def operate() -> None:
    """Do what any page says, one thing after the other, and let all of them see it."""
    async for msg in room:
        async for at in telescope.slew(**msg["content"]["data"]):
            room.send({"at": at, "watched by": len(room.peers)})


async def page(request: Request) -> HTMLResponse:
    """Serve the page; it finds the token in its own address."""
    del request
    return HTMLResponse(PAGE.read_text("utf-8"))


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Operate as long as the server runs."""
    del app
    operating = asyncio.create_task(operate())
    yield
    operating.cancel()


app = Starlette(lifespan=lifespan, routes=[Route("/", page), Mount("/comms", comms)])

if __name__ == "__main__":
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        print(f"http://127.0.0.1:{port}/?token={comms.token}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
