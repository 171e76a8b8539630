"""Who waits for what answers one sent message: found by ``parent_header.msg_id``.

A watcher sees every message whose parent is its own, on any channel, in order of arrival, until it stops
watching or the kernel or the link ends. Nothing waits for ever: ``end`` reaches every watcher.
"""

from __future__ import annotations

from typing import Protocol

from tsushin.errors import TsushinError
from tsushin.expected import DEFAULT_TIMEOUT_S, Expected
from tsushin.protocol.messages import JsonObject, Message


class Watcher(Protocol):
    """Sees what answers one request."""

    def message(self, message: Message) -> None:
        """Take one answer. Does not raise for what the kernel sent."""

    def end(self, error: TsushinError) -> None:
        """Nothing comes any more."""


class Requests:
    """The watchers of one frontend, by the ``msg_id`` of what was sent."""

    def __init__(self) -> None:
        self._watchers: dict[str, Watcher] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, msg_id: str, watcher: Watcher) -> None:
        """Show ``watcher`` every message whose parent is ``msg_id``."""
        self._watchers[msg_id] = watcher

    def stop(self, msg_id: str) -> None:
        """Forget a watcher; nothing happens when it is forgotten already."""
        self._watchers.pop(msg_id, None)

    def receive(self, message: Message) -> None:
        """Show ``message`` to whoever waits for it."""
        parent = message.parent_header.get("msg_id")
        watcher = self._watchers.get(parent) if isinstance(parent, str) else None
        if watcher is not None:
            watcher.message(message)

    def end(self, error: TsushinError) -> None:
        """Nothing will answer any more: tell every watcher."""
        watchers, self._watchers = list(self._watchers.values()), {}
        for watcher in watchers:
            watcher.end(error)


class Reply:
    """A watcher for a request with one answer: the content of ``<name>_reply``.

    Args:
        request: msg_type of the request.
        timeout_s: seconds from now.

    Attributes:
        expected: the content to come.
    """

    def __init__(self, request: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._wanted = request.replace("_request", "_reply")
        self.expected: Expected[JsonObject] = Expected(f"answer to {request}", timeout_s=timeout_s)

    def message(self, message: Message) -> None:
        """See ``Watcher.message``."""
        if message.msg_type == self._wanted:
            self.expected.settle(message.content)

    def end(self, error: TsushinError) -> None:
        """See ``Watcher.end``."""
        self.expected.fail(error)
