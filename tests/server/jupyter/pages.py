"""Plain pages for these tests: WebSocket clients that know the Jupyter protocol and nothing of Tsushin."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import httpx
from websockets.asyncio.client import connect

from tsushin.frontend.rest import Server
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import ws_v1

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
WAIT_S = 60


def observed(server):
    """Return what the observer of these tests sees in the server."""
    return rest(server, "observed")


def connection(server, kernel_id):
    """Return what the observer sees of the one connection to a kernel; others may still be ending."""
    seen = observed(server)["connections"]
    [one] = [connection for connection in seen if connection["kernel_id"] == kernel_id]
    return one


def rest(server, path):
    headers = {"Authorization": f"token {server.token}"}
    answer = httpx.get(f"{server.url}{path}", headers=headers, timeout=WAIT_S)
    answer.raise_for_status()
    return answer.json()


def classes(server):
    """Return the names of the server's class of kernel connections and of what it derives from."""
    return observed(server)["classes"]


def lines(server, text):
    """Return what the server has logged that contains ``text``."""
    return [line for line in server.log if text in line]


async def until(condition, seconds=WAIT_S):
    """Wait for what tells no events."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(server):
    """Run a kernel of the server; gives its id."""
    client = Server(server.url, token=server.token)
    kernel_id = await client.start("python3")
    yield kernel_id
    await client.shutdown(kernel_id)


class Page:
    """One connection to a kernel's channels.

    Attributes:
        heard: every message so far, in order.
    """

    def __init__(self, socket):
        self.heard = []
        self._socket = socket

    async def execute(self, code, msg_id="run"):
        """Ask for an execution, and go on."""
        header = new_header("execute_request", msg_id=msg_id, session="plain", now=time.time())
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        message = Message("shell", header, {}, {}, {**content, "allow_stdin": False}, [])
        await self._socket.send(self._encode(message))

    async def read_until_done(self, msg_id="run"):
        """Read until the kernel has ended an execution and nothing more has come for 2 s."""
        is_done = False
        while True:
            try:
                async with asyncio.timeout(2 if is_done else WAIT_S):
                    message = self._decode(await self._socket.recv())
            except TimeoutError:
                assert is_done
                return
            self.heard.append(message)
            state = message.content.get("execution_state")
            is_done |= state == "idle" and message.parent_header.get("msg_id") == msg_id

    async def run(self, code):
        """Execute code, and hear all that it sends."""
        await self.execute(code)
        await self.read_until_done()

    def all(self, msg_type):
        """Return the messages of a type."""
        return [message for message in self.heard if message.msg_type == msg_type]

    def numbers(self):
        """Return the ``n`` of every comm_msg."""
        return [message.content["data"]["n"] for message in self.all("comm_msg")]

    def text(self):
        """Return all that was written to stdout and stderr."""
        return "".join(message.content["text"] for message in self.all("stream"))

    def _encode(self, message):
        if self._socket.subprotocol:
            return ws_v1.encode(message)
        parts = ("channel", "header", "parent_header", "metadata", "content", "buffers")
        return json.dumps({name: getattr(message, name) for name in parts})

    def _decode(self, frame):
        if self._socket.subprotocol:
            return ws_v1.decode(frame)
        read = json.loads(frame)
        parts = (read[name] for name in ("header", "parent_header", "metadata", "content"))
        return Message(read["channel"], *parts, [])


@asynccontextmanager
async def page(server, kernel_id, *, subprotocol=SUBPROTOCOL):
    """Connect to a kernel's channels as a plain page; it reads nothing ahead of what it is asked for."""
    path = f"api/kernels/{kernel_id}/channels?session_id=plain"
    async with connect(
        f"ws{server.url[4:]}{path}",
        additional_headers={"Authorization": f"token {server.token}"},
        subprotocols=[subprotocol] if subprotocol else None,
        max_size=None,
        max_queue=1,
        compression=None,
        open_timeout=WAIT_S,
    ) as socket:
        yield Page(socket)
