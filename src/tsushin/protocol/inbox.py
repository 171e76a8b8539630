"""Messages of one comm that nobody has read yet: first in, first out, bounded.

When the bound is passed the oldest are dropped and counted: what a user wants to see after a pause is the
newest state, and a count lets them know that they missed something.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Message

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_encoder: Final = msgspec.json.Encoder()
_MAX_DEPTH: Final = 200  # levels at which binary is looked for; what a user sends has no more


def kept_bytes(message: Message) -> int:
    """Return what keeping ``message`` costs: its content as JSON, binary in it, its buffers; in bytes."""
    views, content = list(message.buffers), message.content
    ours = message.metadata.get("tsushin")
    if isinstance(ours, dict) and "bin" in ours:
        content = _without_views(content, views, _MAX_DEPTH)  # msgspec would make base64 of them
    elif not views:
        try:
            return len(_encoder.encode(content))
        except TypeError:  # an array was restored into it
            pass
    sizes = [view.nbytes for view in views]

    def count(value: object) -> None:
        sizes.append(memoryview(value).nbytes)  # type: ignore[arg-type]  # only arrays come here

    return len(msgspec.json.encode(content, enc_hook=count)) + sum(sizes)


# Any: JSON, with what was restored into it.
def _without_views(value: Any, views: list[memoryview], depth: int) -> Any:
    """Return a copy without memory views, which are added to ``views``."""
    if isinstance(value, memoryview):
        views.append(value)
        return None
    if isinstance(value, dict) and depth:
        return {key: _without_views(item, views, depth - 1) for key, item in value.items()}
    if isinstance(value, list) and depth and not set(map(type, value)) <= _PLAIN:
        return [_without_views(item, views, depth - 1) for item in value]
    return value


class Inbox:
    """A bounded queue of messages.

    Attributes:
        dropped: how many messages were dropped so far (count).
        nbytes: bytes held now.
    """

    __slots__ = ("_items", "_limits", "dropped", "nbytes")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        # A list, as an empty deque takes 760 bytes and nearly every inbox is empty; it is never long.
        self._items: list[tuple[Message, int]] = []
        self._limits = limits
        self.dropped: int = 0
        self.nbytes: int = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, message: Message) -> int:
        """Keep ``message``; return how many older ones had to go (0 as a rule).

        One message larger than the whole bound is kept alone: the newest always survives.
        """
        size = kept_bytes(message)
        self._items.append((message, size))
        self.nbytes += size
        before = self.dropped
        while len(self._items) > 1 and self._is_over():
            self.take()
            self.dropped += 1
        return self.dropped - before

    def take(self) -> Message | None:
        """Return the oldest message and forget it, or None where there is none."""
        if not self._items:
            return None
        message, size = self._items.pop(0)
        self.nbytes -= size
        return message

    def clear(self) -> None:
        """Forget everything; ``dropped`` does not count it."""
        self._items.clear()
        self.nbytes = 0

    def _is_over(self) -> bool:
        limits = self._limits
        return len(self._items) > limits.max_kept_messages or self.nbytes > limits.max_kept_bytes
