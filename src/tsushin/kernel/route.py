"""Which way a kernel's comm messages go: on iopub, or to the pages behind a bridge.

A comm goes the way it was opened. One opened here goes over the bridge while there is one: on iopub a stock
page would answer a target it does not know by closing the comm. Whoever sends to a comm is reached from
then on, whichever way it was opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Flag, auto
from typing import Final, Protocol

from tsushin.profile.control import TARGET
from tsushin.protocol.messages import Message


class Way(Flag):
    """A way from the kernel to its frontends."""

    IOPUB = auto()
    BRIDGE = auto()


_BOTH: Final = Way.IOPUB | Way.BRIDGE


class BridgePages(Protocol):
    """The pages behind a bridge, as one."""

    @property
    def is_up(self) -> bool:
        """True while a page is there, or the first one is still awaited."""

    def publish(self, message: Message) -> None:
        """Send a message to every page; never waits."""


class Route:
    """Sends each comm message its way. Any thread may call.

    Args:
        iopub: sends one message on iopub.
    """

    def __init__(self, iopub: Callable[[Message], None]) -> None:
        self.pages: BridgePages | None = None
        self._iopub = iopub
        self._ways: dict[str, Way] = {}  # comm id -> how its peers are reached
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a comm message of the kernel. Errors are those of ``iopub``."""
        comm_id = str(message.content.get("comm_id"))
        pages = self.pages if self.pages is not None and self.pages.is_up else None
        with self._lock:
            if comm_id == TARGET:  # for some session, whichever way that came
                way = _BOTH
            else:
                way = self._ways.setdefault(comm_id, Way.BRIDGE if pages else Way.IOPUB)
            if message.msg_type == "comm_close":
                self._ways.pop(comm_id, None)
        if pages is None:
            self._iopub(message)
            return
        if Way.BRIDGE in way:
            pages.publish(message)
        if Way.IOPUB in way:
            self._iopub(message)

    def heard(self, message: Message, way: Way) -> None:
        """Note that a comm message came this ``way``, before it is handled."""
        comm_id = message.content.get("comm_id")
        if not isinstance(comm_id, str):
            return
        if self._ways.get(comm_id) is way and message.msg_type == "comm_msg":
            return  # nothing new; it is so for nearly all
        with self._lock:
            if message.msg_type == "comm_close":
                self._ways.pop(comm_id, None)
            # Only what is open, so that a peer cannot fill this with ids it makes up.
            elif message.msg_type == "comm_open" or comm_id in self._ways:
                self._ways[comm_id] = self._ways.get(comm_id, way) | way
