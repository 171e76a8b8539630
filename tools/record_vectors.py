"""Record what a real ipykernel and a real Jupyter Server send, as valid vectors named ``observed-…``.

The frames are kept as they came; what they mean is read from them by the other side's own functions
(jupyter_server, json), not by ours. Running it again replaces the recordings, with new ids and dates.

Run: python tools/record_vectors.py
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import httpx
import jupyter_client
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection import base as jupyter_server
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from vectorgen.kit import DELIMITER, ROOT, JsonObject, case, hexes, write

V1 = "v1.kernel.websocket.jupyter.org"
DEADLINE_S = 60
CODE = """
from ipykernel.comm import Comm
from array import array
comm = Comm(target_name="observed", data={"text": "こんにちは 🐍", "list": [], "object": {}},
            metadata={"m": None}, buffers=[b"", bytes(range(8)), memoryview(array("f", [1, 2]))])
comm.send({"value": 0.1}, buffers=[b"one"])
comm.send({"value": 2**53 - 1})
comm.close({"bye": True})
"""
REQUESTS: list[tuple[str, JsonObject]] = [
    ("comm_info_request", {}),
    ("comm_open", {"comm_id": "unknown", "target_name": "nobody", "data": {"a": 1}}),
    ("execute_request", {"code": CODE, "silent": False, "store_history": False}),
]
ABOUT = {
    "status": "A status, its parent the request.",
    "comm_info_reply": "The answer to comm_info_request, without comms.",
    "comm_open": "A comm opened by the kernel, with metadata and three buffers, the last a float array.",
    "comm_open-session": "A comm opened by a frontend: an identity, floats, text and a buffer.",
    "comm_msg": "A comm_msg with a buffer.",
    "comm_msg-plain": "A comm_msg without buffers.",
    "comm_close": "A comm closed by the kernel, with data.",
    "comm_close-refused": "The answer to a comm_open of an unknown target.",
}


def name_of(message: JsonObject) -> str | None:
    """Return which of ``ABOUT`` a message is, or None if it is not recorded."""
    kind = message["header"]["msg_type"]
    if kind == "comm_msg" and not message["buffers"]:
        kind = "comm_msg-plain"
    if kind == "comm_close" and message["content"]["comm_id"] == "unknown":
        kind = "comm_close-refused"
    return kind if kind in ABOUT else None


def save(carrier: str, recorded: dict[str, JsonObject], source: str) -> None:
    """Write the recordings of one carrier."""
    for name, keys in recorded.items():
        recording = case(ABOUT[name], source=source, **keys)
        write(ROOT, f"{carrier}/valid/observed-{name.replace('_', '-')}", recording)
    print(f"{carrier}: {', '.join(recorded)}")


def message_of(channel: str, parts: list[bytes], identities: list[bytes]) -> JsonObject:
    """Return the message that four JSON parts and buffers mean."""
    names = ("header", "parent_header", "metadata", "content")
    return {
        "channel": channel,
        **{name: json.loads(part) for name, part in zip(names, parts[:4], strict=True)},
        "buffers": hexes(parts[4:]),
        "identities": hexes(identities),
    }


# --- ZMQ: ipykernel itself ---


def record_zmq() -> None:
    """Record a kernel's shell and iopub frames."""
    manager, client = jupyter_client.manager.start_new_kernel(
        kernel_name="python3", env=environment()
    )
    try:
        iopub, shell = manager.connect_iopub(), manager.connect_shell(identity=b"observer")
        await_subscription(iopub, shell, manager.session)
        recorded: dict[str | None, JsonObject] = {}
        for kind, content in REQUESTS:
            request = manager.session.send(shell, kind, content)
            recorded = (
                read_until_idle(iopub, request["header"]["msg_id"], manager.session) | recorded
            )
        while "comm_info_reply" not in recorded:
            recorded |= [zmq_recording("shell", receive(shell), manager.session)]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    recorded.pop(None, None)
    save("zmq", recorded, f"ipykernel {version('ipykernel')}, pyzmq {version('pyzmq')}")


def receive(stream: object) -> list[bytes]:
    """Return the next frames of a socket or ZMQStream, waiting at most ``DEADLINE_S``."""
    raw = getattr(stream, "socket", stream)
    if not raw.poll(DEADLINE_S * 1000):
        raise TimeoutError(f"nothing arrived for {DEADLINE_S} s")
    return raw.recv_multipart()


def await_subscription(iopub: object, shell: object, session: Session) -> None:
    """Ask something until iopub shows that the subscription is live; ipykernel sends no iopub_welcome."""
    for _ in range(DEADLINE_S * 5):
        session.send(shell, "kernel_info_request", {})
        if getattr(iopub, "socket", iopub).poll(200):
            return
    raise TimeoutError(f"iopub is silent for {DEADLINE_S} s")


def read_until_idle(iopub: object, msg_id: str, session: Session) -> dict[str | None, JsonObject]:
    """Record iopub up to the idle status of one request; the first of a kind stays."""
    recorded: dict[str | None, JsonObject] = {}
    while True:
        name, recording = zmq_recording("iopub", receive(iopub), session)
        recorded.setdefault(name, recording)
        message = recording["message"]
        idle = message["content"].get("execution_state") == "idle"
        if idle and message["parent_header"].get("msg_id") == msg_id:
            return recorded


def zmq_recording(
    channel: str, frames: list[bytes], session: Session
) -> tuple[str | None, JsonObject]:
    """Return the name and the keys of a case."""
    at = frames.index(DELIMITER)
    message = message_of(channel, frames[at + 2 :], frames[:at])
    keys = {
        "key": session.key.decode(),
        "scheme": session.signature_scheme,
        "frames": hexes(frames),
        "message": message,
        "ok": True,
    }
    return name_of(message), keys


# --- WebSocket: Jupyter Server ---


def environment() -> dict[str, str]:
    """Return an environment that tells nothing about this machine's user."""
    return {**os.environ, "USER": "username", "LOGNAME": "username"}


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Run a Jupyter Server on loopback; yields its address and token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        options = [
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
        ]
        process = subprocess.Popen(
            [*command, *options], cwd=folder, env=environment(), stderr=subprocess.DEVNULL
        )
        try:
            yield f"127.0.0.1:{port}", token
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


async def record_websocket() -> None:
    """Record both subprotocols from one server, each with a kernel of its own."""
    source = f"jupyter_server {version('jupyter_server')}, ipykernel {version('ipykernel')}"
    with server() as (address, token):
        headers = {"Authorization": f"token {token}"}
        transport = httpx.AsyncHTTPTransport(retries=20)  # connecting only, with growing pauses
        async with httpx.AsyncClient(
            base_url=f"http://{address}", headers=headers, transport=transport, timeout=DEADLINE_S
        ) as http:
            for carrier, read in (("ws-v1", read_v1), ("ws-default", read_default)):
                kernel = (await http.post("/api/kernels", json={"name": "python3"})).json()["id"]
                url = f"ws://{address}/api/kernels/{kernel}/channels"
                offered = [Subprotocol(V1)] if carrier == "ws-v1" else None
                async with (
                    asyncio.timeout(DEADLINE_S),
                    connect(url, subprotocols=offered, additional_headers=headers) as websocket,
                ):
                    recorded = await converse(websocket, read, v1=carrier == "ws-v1")
                save(carrier, recorded, source)


async def converse(
    websocket: ClientConnection, read: Callable[[str | bytes], JsonObject], *, v1: bool
) -> dict[str, JsonObject]:
    """Send the requests one after the other and record what comes until the idle of each."""
    session = Session(username="username", key=b"")
    recorded: dict[str, JsonObject] = {}
    for kind, content in REQUESTS:
        request = session.msg(kind, content)
        await websocket.send(request_frame(request, session, v1=v1))
        idle = replied = False
        while not (idle and (replied or kind == "comm_open")):
            frame = await websocket.recv()
            message = read(frame)
            name = name_of(message)
            raw = {"text": frame} if isinstance(frame, str) else {"frames": hexes([frame])}
            if name:
                recorded.setdefault(name, raw | {"message": message, "ok": True})
            if message["parent_header"].get("msg_id") == request["msg_id"]:
                idle = idle or message["content"].get("execution_state") == "idle"
                replied = replied or message["channel"] == "shell"
    return recorded


def request_frame(request: JsonObject, session: Session, *, v1: bool) -> str | bytes:
    """Return a request as Jupyter Server's own functions write it."""
    if v1:
        return jupyter_server.serialize_msg_to_ws_v1(request, "shell", session.pack)
    keys = ("header", "parent_header", "metadata", "content")
    parts = {key: json.loads(session.pack(request[key])) for key in keys}
    return json.dumps({"channel": "shell", **parts, "buffers": []})


def read_v1(frame: str | bytes) -> JsonObject:
    """Return what Jupyter Server's own function reads."""
    channel, parts = jupyter_server.deserialize_msg_from_ws_v1(frame)
    return message_of(channel, parts, [])


def read_default(frame: str | bytes) -> JsonObject:
    """Return what Jupyter Server's own function reads, with dates left as they were."""
    if isinstance(frame, str):
        read = json.loads(frame)
        buffers: list[bytes] = []
    else:
        buffers = jupyter_server.deserialize_binary_message(frame)["buffers"]
        start, stop = struct.unpack_from(">2I", frame, 4)
        read = json.loads(frame[start:stop])
    keys = ("channel", "header", "parent_header", "metadata", "content")
    return {**{key: read[key] for key in keys}, "buffers": hexes(buffers), "identities": []}


def record_session() -> None:
    """Record a frontend's comm_open as jupyter_client writes it, with the standard library's JSON."""
    session = Session(username="username", key=b"a key", packer="json", unpacker="json")
    content = {"comm_id": "c1", "target_name": "t", "data": {"text": "é 🐍", "v": [1.0, 1e100]}}
    request = session.msg("comm_open", content, metadata={"m": []})
    frames = [*session.serialize(request, ident=b"route"), memoryview(b"\0\xff")]
    recorded = dict([zmq_recording("shell", list(map(bytes, frames)), session)])
    write_as = {"comm_open-session": recorded["comm_open"]}
    save("zmq", write_as, f"jupyter_client {version('jupyter_client')} Session.serialize")


if __name__ == "__main__":
    record_session()
    record_zmq()
    asyncio.run(record_websocket())
