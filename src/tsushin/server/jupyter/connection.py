"""A server's connection between a kernel and a page, on which comm messages are not held back.

Jupyter Server has one object of its class of kernel connections for each WebSocket. Ours stands in front of
that class and calls it for everything; these are the differences:

- Small messages are not delayed (TCP_NODELAY): without it an echo takes 44 ms, Nagle's algorithm against
  delayed acknowledgements.
- Comm messages pass the iopub limits uncounted. They are there for outputs, which a notebook keeps.
- The socket for iopub has no high-water mark, at which ZMQ would drop messages of any kind unseen.
- What piles up instead, before a page that reads too slowly, is bounded, at the cost of comm messages only:
  those between Tsushin ends are asked for again.

Spec: jupyter_server 2.21, ``services/kernels/connection/channels.py``.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import new_class
from typing import Any, Final

from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets import Int

from tsushin.protocol.limits import MIB

COMM_MESSAGES: Final = frozenset({"comm_open", "comm_msg", "comm_close"})


class TsushinConnection(ZMQChannelsWebsocketConnection):
    """What a class of kernel connections gets in front of it.

    ``Any`` in its methods: jupyter_server's have no types.
    """

    max_waiting_bytes: Int[int, int] = Int(
        64 * MIB,
        config=True,
        help="Bytes that may wait to be read by one page. While more does, comm_msg are dropped.",
    )

    # No traits: they change with every message.
    waiting_bytes: int = 0  # text counts its characters
    dropped_messages: int = 0

    def connect(self) -> Any:
        """Connect; the page's socket is there by now."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()

    def create_stream(self) -> None:
        """Make the channels' sockets; iopub's holds whatever comes."""
        super().create_stream()  # type: ignore[no-untyped-call]
        self.channels["iopub"].socket.rcvhwm = 0

    def disconnect(self) -> Any:
        """Disconnect, and say how much the page has missed."""
        if self.dropped_messages:
            self.log.warning(
                "tsushin: dropped %d comm messages to a page of kernel %s in all",
                self.dropped_messages,
                self.kernel_id,
            )
            self.dropped_messages = 0
        return super().disconnect()  # type: ignore[no-untyped-call]

    @property
    def write_message(self) -> Any:
        """Write one message to the page, and count it until it is written."""
        return self._write_counted

    def _write_counted(self, message: bytes | str, binary: bool = False) -> Any:  # noqa: FBT001, FBT002 (tornado's)
        written = super().write_message(message, binary=binary)
        size = len(message)
        self.waiting_bytes += size
        written.add_done_callback(partial(self._count_written, size))
        return written

    def _count_written(self, size: int, written: asyncio.Future[None]) -> None:
        self.waiting_bytes -= size
        if not written.cancelled():
            written.exception()  # the page is gone: asyncio would log each message that still waited

    def _limit_rate(self, channel: str, msg: dict[str, Any], msg_list: list[Any]) -> Any:
        """Return whether a message is not to be sent: comm messages have a rule of their own."""
        is_full = self.waiting_bytes > self.max_waiting_bytes
        if channel != "iopub" or not (self.limit_rate or is_full):
            return super()._limit_rate(channel, msg, msg_list)  # type: ignore[no-untyped-call]
        header = msg["header"] = self.get_part("header", msg["header"], msg_list)  # type: ignore[no-untyped-call]
        if header["msg_type"] not in COMM_MESSAGES:
            return super()._limit_rate(channel, msg, msg_list)  # type: ignore[no-untyped-call]
        # An open or a close is never dropped: a plain page could not go on without it.
        return is_full and header["msg_type"] == "comm_msg" and self._drop()

    def _drop(self) -> bool:
        if not self.dropped_messages:
            self.log.warning(
                "tsushin: %d bytes wait for a page of kernel %s: comm messages to it are dropped "
                "(TsushinConnection.max_waiting_bytes=%d)",
                self.waiting_bytes,
                self.kernel_id,
                self.max_waiting_bytes,
            )
        self.dropped_messages += 1
        return True


def with_comms_free(
    base: type[BaseKernelWebsocketConnection],
) -> type[BaseKernelWebsocketConnection] | None:
    """Return ``base`` with ours in front of it, itself where that is so already, None where it cannot be."""
    if not issubclass(base, ZMQChannelsWebsocketConnection):
        return None
    if issubclass(base, TsushinConnection):
        return base
    if base is ZMQChannelsWebsocketConnection:
        return TsushinConnection
    return new_class(f"Tsushin{base.__name__}", (TsushinConnection, base))
