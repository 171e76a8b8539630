"""A lane as bytes: the profile's own steps (spec/profile.md, "Lane"), and then the minimal client on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from bench.raw_websocket import RawWebSocket
from bench.row import NotAvailable
from bench.stock_kernel import run_cell, stock_kernel
from bench.wire_end import Json, WireEnd
from tsushin.wire import ws_v1

STEP_S = 10.0
CONFIRM_EVERY = 64  # messages, as the profile says
TARGET = "tsushin.session"


class LaneEnd(WireEnd):
    """One session of a lane with one comm that it opened.

    Attributes:
        control_id: of the session's control comm.
        comm_id: of the comm.
        client: of the same session, for the standard route.
        sent: number of the last message framed on the comm.
    """

    def __init__(
        self, socket: RawWebSocket, client: BlockingKernelClient, comm_id: str
    ) -> None:
        super().__init__(socket, session := client.session.session)
        self.client = client
        self.control_id = f"{TARGET}.{session}"
        self.comm_id = comm_id
        self.sent = 1  # its comm_open

    def numbered(self, data: Json, buffers: tuple[bytes, ...] = ()) -> bytes:
        """Return the next message of the comm as a frame."""
        self.sent += 1
        content = {"comm_id": self.comm_id, "data": data}
        metadata = {"tsushin": {"n": self.sent}}
        return self.frame("comm_msg", content, metadata=metadata, buffers=buffers)

    def say(self, data: Json) -> None:
        """Send something on the control comm, by the lane."""
        content = {"comm_id": self.control_id, "data": data}
        self.socket.send(self.frame("comm_msg", content))

    def confirm(self, payload: bytes) -> None:
        """Tell the kernel end that all up to this message, which came by the lane, was received."""
        message = ws_v1.decode(payload)
        number = message.metadata["tsushin"]["n"]
        self.say({"seen": {message.content["comm_id"]: number}})


def say(client: BlockingKernelClient, msg_type: str, content: Json, metadata: Json | None = None) -> None:
    """Send by the standard route."""
    message = client.session.msg(msg_type, content, metadata=metadata)
    client.shell_channel.send(message)


def heard(client: BlockingKernelClient, control_id: str, key: str) -> Json:
    """Return the data of the next message on a control comm that has a key."""
    until = time.monotonic() + STEP_S
    while time.monotonic() < until:
        message = client.get_iopub_msg(timeout=STEP_S)
        content = message["content"]
        if content.get("comm_id") == control_id and key in content.get("data", {}):
            data: Json = content["data"]
            return data
    raise TimeoutError(f"the kernel end said no {key} within {STEP_S:g} s")


@contextmanager
def lane_end(prepare: str, target_name: str, comm_id: str = "c") -> Iterator[LaneEnd]:
    """Start a kernel, run ``prepare``, say hello, get a lane, and open a comm to a target.

    Raises:
        NotAvailable: the kernel end has no lane.
    """
    with stock_kernel() as client:
        run_cell(client, prepare)
        session = client.session.session
        control_id = f"{TARGET}.{session}"
        hello = {
            "profile": 1,
            "features": ["sequence", "lane"],
            "session": session,
            "epoch": "bench",
            "open": [],
            "sent": {},
        }
        say(client, "comm_open", {"comm_id": control_id, "target_name": TARGET, "data": hello})
        if "lane" not in heard(client, control_id, "profile")["features"]:
            raise NotAvailable("this version has no lane")
        end = LaneEnd(asked_for(client, control_id), client, comm_id)
        content = {"comm_id": comm_id, "target_name": target_name, "data": {}}
        say(client, "comm_open", content, {"tsushin": {"n": 1}})
        try:
            yield end
        finally:
            end.socket.close()


def asked_for(client: BlockingKernelClient, control_id: str) -> RawWebSocket:
    """Ask for a lane and connect to it."""
    say(client, "comm_msg", {"comm_id": control_id, "data": {"lane_ask": {"origin": ""}}})
    offer: dict[str, Any] = heard(client, control_id, "lane_offer")["lane_offer"]
    if not offer["port"]:
        raise NotAvailable("the kernel end offers no lane here")
    offered = f"{ws_v1.SUBPROTOCOL}, v1.token.websocket.jupyter.org.{offer['token']}"
    path = f"/lane?session={client.session.session}"
    return RawWebSocket(offer["port"], path, {"Sec-WebSocket-Protocol": offered})
