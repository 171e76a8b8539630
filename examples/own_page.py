"""Comms inside a Starlette application with a page of its own (own_page.html, beside this file).

    pip install starlette
    python examples/own_page.py

Open the address that it prints. FastAPI is the same: ``app.mount("/comms", comms)``.
"""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

import tsushin

PAGE = Path(__file__).with_name("own_page.html")


@tsushin.comm_manager().register_target("dice")
def dice(comm: tsushin.Comm, msg: dict) -> None:
    """Roll whenever the page asks."""
    del msg

    @comm.on_msg
    def roll(msg: dict) -> None:
        sides = msg["content"]["data"]["sides"]
        comm.send({"rolled": random.randint(1, sides)})  # noqa: S311 (a die, no secret)


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
