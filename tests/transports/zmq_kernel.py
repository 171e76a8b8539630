"""The kernel's five sockets, driven by a test: a ``Transport`` of the other side, no kernel behind it."""

from __future__ import annotations

import asyncio

import zmq
import zmq.asyncio

from tsushin.errors import TransportClosed
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import zmq as wire
from tsushin.wire.signing import Signer

KEY = b"a test's key"


class ZmqKernel:
    """Binds free loopback ports (or ``ipc`` paths), answers ``kernel_info_request``, queues the rest.

    With ``iopub=zmq.PUB`` nobody is told when a subscription is live; with ``zmq.XPUB`` the kernel publishes
    ``iopub_welcome``, as ipykernel does.
    """

    def __init__(self, *, iopub=zmq.PUB, folder=None, curve=None, answers=True, welcomes=True):
        self.on_fault = None
        self.answers = answers
        self.welcomes = welcomes
        self.questions = asyncio.Queue()  # of kernel_info_request, answered or not
        self._loop = asyncio.get_running_loop()
        self._context = zmq.asyncio.Context()
        self._signer = Signer(KEY)
        self._identity = b""
        self._received = asyncio.Queue()
        self._is_closed = False
        self.info = {"transport": "ipc" if folder else "tcp", "ip": str(folder or "127.0.0.1")}
        self.info |= {"key": KEY.decode(), "signature_scheme": "hmac-sha256"}
        if folder:
            self.info["ip"] = str(folder / "kernel")
        if curve:
            public, secret = curve
            self.info |= {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
        self.sockets = {
            name: self._bind(name, kind, curve)
            for name, kind in {
                "shell": zmq.ROUTER,
                "control": zmq.ROUTER,
                "stdin": zmq.ROUTER,
                "iopub": iopub,
                "hb": zmq.REP,
            }.items()
        }
        self._tasks = [
            asyncio.create_task(self._read(channel)) for channel in ("shell", "control", "stdin")
        ]
        self._tasks.append(asyncio.create_task(self._beat()))
        self.is_heard = asyncio.Event()  # XPUB only: a subscription has arrived
        if iopub == zmq.XPUB:
            self._tasks.append(asyncio.create_task(self._welcome()))

    def send(self, message):
        if self._is_closed:
            raise TransportClosed("closed here")
        frames = wire.encode(message, self._signer)
        self.send_frames(message.channel, frames)

    def send_frames(self, channel, frames):
        prefix = b"topic" if channel == "iopub" else self._identity
        # On asyncio sockets a send that need not wait is done when the call returns.
        self.sockets[channel].send_multipart([prefix, *frames])

    async def receive(self):
        if self._is_closed:
            raise TransportClosed("closed here")
        return await self._received.get()

    async def aclose(self):
        if self._is_closed:
            return
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for socket in self.sockets.values():
            socket.close(linger=1000)
        await asyncio.to_thread(self._context.term)

    def stop_beating(self):
        self._tasks[3].cancel()

    def _bind(self, name, kind, curve):
        socket = self._context.socket(kind)
        socket.set_hwm(0)
        if curve:
            socket.curve_publickey, socket.curve_secretkey = curve
            socket.curve_server = True
        if self.info["transport"] == "tcp":
            port = socket.bind_to_random_port("tcp://127.0.0.1")
        else:
            port = len(self.info)
            socket.bind(f"ipc://{self.info['ip']}-{port}")
        self.info[f"{name}_port"] = port
        return socket

    async def _read(self, channel):
        while True:
            frames = await self.sockets[channel].recv_multipart()
            message = wire.decode(frames, channel=channel, signer=self._signer)
            self._identity = frames[0]
            if message.msg_type == "kernel_info_request":
                self._answer(message)
            else:
                self._received.put_nowait(message)

    def _answer(self, request):
        self.questions.put_nowait(request)
        if not self.answers:
            return
        for channel, kind, content in (
            ("iopub", "status", {"execution_state": "busy"}),
            (request.channel, "kernel_info_reply", {"status": "ok"}),
            ("iopub", "status", {"execution_state": "idle"}),
        ):
            self.send(Message(channel, self.header(kind), dict(request.header), {}, content))

    async def _welcome(self):
        while True:
            subscription = await self.sockets["iopub"].recv()
            if subscription.startswith(b"\x01"):
                self.is_heard.set()
                if self.welcomes:
                    self.send(Message("iopub", self.header("iopub_welcome")))

    async def _beat(self):
        while True:
            await self.sockets["hb"].send(await self.sockets["hb"].recv())

    def header(self, kind):
        self._number = getattr(self, "_number", 0) + 1
        return new_header(kind, msg_id=f"k{self._number}", session="kernel", now=0)
