"""Comms that the peer has opened to targets that are not registered here yet, each with its messages.

Bounded over all of them: when the bound is passed the comm that has waited longest goes, whole, because half
a conversation helps nobody. Of a single one the oldest messages go, never its open.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tsushin.protocol.inbox import kept_bytes
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import CommId, Message


@dataclass(slots=True)
class _Waiting:
    target_name: str
    opened: tuple[Message, int]
    later: deque[tuple[Message, int]] = field(default_factory=deque)

    def items(self) -> list[tuple[Message, int]]:
        return [self.opened, *self.later]


class WaitingRoom:
    """Where comms wait for their target.

    Attributes:
        dropped: how many messages were dropped so far because nobody registered their target (count).
    """

    __slots__ = ("_comms", "_count", "_limits", "_nbytes", "dropped")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.dropped: int = 0
        self._limits = limits
        self._comms: dict[CommId, _Waiting] = {}  # in the order they were opened
        self._count = 0
        self._nbytes = 0

    def __contains__(self, comm_id: object) -> bool:
        return comm_id in self._comms

    def open(self, comm_id: CommId, target_name: str, message: Message) -> None:
        """Keep a ``comm_open``."""
        item = message, kept_bytes(message)
        self._comms[comm_id] = _Waiting(target_name, item)
        self._keep_within(item)

    def put(self, comm_id: CommId, message: Message) -> None:
        """Keep a message of a comm that waits."""
        item = message, kept_bytes(message)
        self._comms[comm_id].later.append(item)
        self._keep_within(item)

    def forget(self, comm_id: CommId) -> None:
        """Forget one comm, if it waits; ``dropped`` does not count it."""
        waiting = self._comms.pop(comm_id, None)
        for item in waiting.items() if waiting is not None else ():
            self._uncount(item)

    def take(self, target_name: str) -> list[Message]:
        """Take the messages of all comms that wait for ``target_name``: comm by comm, each in order."""
        due = {i: w for i, w in self._comms.items() if w.target_name == target_name}
        for comm_id in due:
            self.forget(comm_id)
        return [message for waiting in due.values() for message, _ in waiting.items()]

    def clear(self) -> None:
        """Forget everything; ``dropped`` does not count it."""
        self._comms.clear()
        self._count = self._nbytes = 0

    # ------------------------------------------------------------------ inside

    def _keep_within(self, item: tuple[Message, int]) -> None:
        self._count += 1
        self._nbytes += item[1]
        while self._is_over() and self._drop_oldest():
            pass

    def _is_over(self) -> bool:
        limits = self._limits
        return self._count > limits.max_kept_messages or self._nbytes > limits.max_kept_bytes

    def _drop_oldest(self) -> bool:
        """Return False where nothing can go: one comm with its open and its newest message."""
        comm_id, oldest = next(iter(self._comms.items()))
        if len(self._comms) > 1:
            self.dropped += len(oldest.items())
            self.forget(comm_id)
        elif len(oldest.later) > 1:
            self.dropped += 1
            self._uncount(oldest.later.popleft())
        else:
            return False
        return True

    def _uncount(self, item: tuple[Message, int]) -> None:
        self._count -= 1
        self._nbytes -= item[1]
