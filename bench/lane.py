"""A lane as bytes: the profile's own steps (spec/profile.md, "Lane"), and then the minimal client on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from bench.raw_websocket import RawWebSocket, client_frame
from bench.row import NotAvailable
from bench.stock_kernel import run_cell, stock_kernel
from bench.wire_end import Json, WireEnd
from tsushin.protocol.messages import Message
from tsushin.wire import ws_v1

STEP_S = 10.0
CONFIRM_EVERY = 64  # messages, as the profile says
TARGET = "tsushin.session"
TOKEN_PROTOCOL = "v1.token.websocket.jupyter.org"  # noqa: S105 (a prefix, no token)


class LaneEnd(WireEnd):
    """One session of a lane with one comm that it opened.

    Attributes:
        client: of the same session, for the standard route.
        control_id: of the session's control comm.
        comm_id: of the comm.
        sent: number of the last message framed on the comm.
    """

    def __init__(self, client: BlockingKernelClient, comm_id: str) -> None:
        super().__init__(None, client.session.session)
        self.client = client
        self.control_id = f"{TARGET}.{self.session}"
        self.comm_id = comm_id
        self.sent = 1  # its comm_open

    def numbered_message(self, data: Json) -> Message:
        """Return the next message of the comm."""
        self.sent += 1
        content = {"comm_id": self.comm_id, "data": data}
        return self.message("comm_msg", content, {"tsushin": {"n": self.sent}})

    def numbered(self, data: Json) -> bytes:
        """Return the next message of the comm as a frame."""
        return client_frame(ws_v1.encode(self.numbered_message(data)))

    def first_confirmation(self) -> Message:
        """Return what confirms the one numbered message of the control comm: that the comm was accepted.

        A lane on which nothing is confirmed is ended, also while others are measured.
        """
        return self._confirmation({self.control_id: 1})

    def confirmation(self, payload: bytes) -> Message:
        """Return what tells the kernel end that all up to this message was received."""
        message = ws_v1.decode(payload)
        return self._confirmation({message.content["comm_id"]: message.metadata["tsushin"]["n"]})

    def _confirmation(self, seen: Json) -> Message:
        return self.message("comm_msg", {"comm_id": self.control_id, "data": {"seen": seen}})

    def confirm(self, payload: bytes) -> None:
        """Send that by the lane."""
        self.socket.send(client_frame(ws_v1.encode(self.confirmation(payload))))


def say(
    client: BlockingKernelClient, msg_type: str, content: Json, metadata: Json | None = None
) -> None:
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
def lane_offer(
    prepare: str, target_name: str, *, origin: str = "", comm_id: str = "c"
) -> Iterator[tuple[LaneEnd, str, list[str]]]:
    """Start a kernel, run ``prepare``, say hello, ask for a lane, and open a comm to a target.

    Yields the end, whose socket is not there yet, the address of the lane, and the subprotocols to offer.

    Raises:
        NotAvailable: the kernel end has no lane.
    """
    with stock_kernel() as client:
        run_cell(client, prepare)
        end = LaneEnd(client, comm_id)
        hello = {
            "profile": 1,
            "features": ["sequence", "lane"],
            "session": end.session,
            "epoch": "bench",
            "open": [],
            "sent": {},
        }
        say(client, "comm_open", {"comm_id": end.control_id, "target_name": TARGET, "data": hello})
        heard(client, end.control_id, "profile")
        ask = {"comm_id": end.control_id, "data": {"lane_ask": {"origin": origin}}}
        say(client, "comm_msg", ask)
        offer: dict[str, Any] = heard(client, end.control_id, "lane_offer")["lane_offer"]
        if not offer["port"]:
            raise NotAvailable("the kernel end offers no lane here")
        content = {"comm_id": comm_id, "target_name": target_name, "data": {}}
        say(client, "comm_open", content, {"tsushin": {"n": 1}})
        url = f"ws://127.0.0.1:{offer['port']}/lane?session={end.session}"
        yield end, url, [ws_v1.SUBPROTOCOL, f"{TOKEN_PROTOCOL}.{offer['token']}"]


@contextmanager
def lane_end(prepare: str, target_name: str) -> Iterator[LaneEnd]:
    """The same, connected. Errors as ``lane_offer``."""
    with lane_offer(prepare, target_name) as (end, url, protocols):
        address, _, path = url.removeprefix("ws://").partition("/")
        port = int(address.rpartition(":")[2])
        headers = {"Sec-WebSocket-Protocol": ", ".join(protocols)}
        end.socket = RawWebSocket(port, f"/{path}", headers)
        end.socket.send(client_frame(ws_v1.encode(end.first_confirmation())))
        try:
            yield end
        finally:
            end.socket.close()
