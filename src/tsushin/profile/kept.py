"""What is kept of a comm for a session that takes it up later: its ``comm_open`` and its newest messages.

Spec: spec/profile.md, "Taking up".
"""

from __future__ import annotations

from collections import deque
from typing import Final

from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message

MAX_OPEN_BYTES: Final = 1 << 20  # a larger comm_open is not kept: one for each comm adds up


class Kept:
    """What is kept of one comm.

    Args:
        count: how many of its messages, besides the open. They have at most ``max_history_bytes``.

    Attributes:
        nbytes: what is kept.
    """

    __slots__ = ("_count", "_limits", "_messages", "_open", "_open_bytes", "nbytes")

    def __init__(self, count: int = 0, limits: Limits = DEFAULT_LIMITS) -> None:
        self._count = count
        self._limits = limits
        self._open: Message | None = None
        self._messages: deque[tuple[Message, int]] | None = deque() if count else None
        self._open_bytes = 0
        self.nbytes: int = 0

    def put(self, message: Message, nbytes: int) -> None:
        """A message of the comm has left."""
        if message.msg_type == "comm_open":
            if nbytes <= MAX_OPEN_BYTES:
                self._open, self._open_bytes = message, nbytes
                self.nbytes += nbytes
            return
        if self._messages is None:
            return
        self._messages.append((message, nbytes))
        self.nbytes += nbytes
        most = self._limits.max_history_bytes + self._open_bytes
        while self._messages and (len(self._messages) > self._count or self.nbytes > most):
            self.nbytes -= self._messages.popleft()[1]

    def messages(self) -> list[Message]:
        """Return what is kept, in order; the open first, or nothing where it is not kept."""
        if self._open is None:
            return []
        return [self._open, *(message for message, _ in self._messages or ())]
