"""One sequence of numbered messages: what its sender keeps, and what its receiver makes of it.

Spec: spec/profile.md, "Sequence".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from tsushin.profile.pieces import Joiner
from tsushin.protocol.messages import Message

# What nearly all sequences hold; nothing is ever put into it.
_NONE_HELD: Final[dict[int, Message]] = {}


class History:
    """What was sent and may have to be sent again, oldest first.

    Attributes:
        nbytes: what is kept.
    """

    __slots__ = ("_kept", "nbytes")

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Message, int]] = deque()
        self.nbytes: int = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def last(self) -> int:
        """The number of the newest message; 0 where none is kept."""
        return self._kept[-1][0] if self._kept else 0

    def put(self, number: int, message: Message, nbytes: int) -> None:
        """Keep a message."""
        self._kept.append((number, message, nbytes))
        self.nbytes += nbytes

    def drop_oldest(self) -> int:
        """Forget the oldest; return its size in bytes."""
        _, _, nbytes = self._kept.popleft()
        self.nbytes -= nbytes
        return nbytes

    def free(self, upto: int) -> int:
        """Forget everything up to a number; return how many bytes that were."""
        freed = 0
        while self._kept and self._kept[0][0] <= upto:
            freed += self.drop_oldest()
        return freed

    def between(self, first: int, last: int) -> list[tuple[int, Message, int]]:
        """Return what is kept of these numbers, both included: number, message, size in bytes."""
        return [kept for kept in self._kept if first <= kept[0] <= last]


@dataclass(slots=True)
class Incoming:
    """A sequence as its receiver sees it.

    Attributes:
        next: the number that is handed on next.
        held: what came too early, by number.
        known: the highest number that the sender is known to have used.
        asked: how often the oldest hole was asked for.
        ask_at: when it is asked for next; None where that is not settled.
        asked_upto: the highest number that was asked for.
        held_bytes: of buffers in ``held``.
        joiner: of the pieces in it, once there are any.
    """

    next: int
    held: dict[int, Message] = field(default_factory=lambda: _NONE_HELD)
    known: int = 0
    asked: int = 0
    ask_at: float | None = None
    asked_upto: int = 0
    held_bytes: int = 0
    joiner: Joiner | None = None

    def is_next_alone(self, number: int) -> bool:
        """Say whether a number is the next one, and nothing is missing, held or to be joined."""
        is_next = number == self.next > self.known
        return is_next and not self.held and self.joiner is None

    def pass_on(self) -> None:
        """The next message has come and is handed on; see ``is_next_alone``."""
        self.known = self.next
        self.next += 1
        self.asked, self.ask_at = 0, None

    def take(self, number: int, message: Message) -> list[Message]:
        """Take a message; return what can be handed on now, in order. One that was here is dropped."""
        if number < self.next:
            return []
        self.known = max(self.known, number)
        if number > self.next:
            if number not in self.held:
                self.held = self.held or {}
                self.held[number] = message
                self.held_bytes += _nbytes(message)
            return []
        self.next += 1
        return [message, *self._run()] if self.held else self._alone(message)

    def _alone(self, message: Message) -> list[Message]:
        self.asked, self.ask_at = 0, None
        return [message]

    def missing(self) -> tuple[int, int] | None:
        """Return the first and the last number of the oldest hole; None where there is none."""
        if self.held:
            return self.next, min(self.held) - 1
        return (self.next, self.known) if self.known >= self.next else None

    def skip(self, upto: int) -> tuple[int, list[Message]]:
        """Give up what is missing up to a number; return how many that were, and what can be handed on."""
        # Not number by number: a peer may name any.
        released = [self._pop(number) for number in sorted(self.held) if number <= upto]
        missed = max(0, upto - self.next + 1 - len(released))
        self.next = max(self.next, upto + 1)
        self.known = max(self.known, upto)
        return missed, released + self._run()

    def restart(self, upto: int) -> list[Message]:
        """What was up to a number is known in another way; return what can be handed on after it."""
        for number in [number for number in self.held if number <= upto]:
            self._pop(number)
        self.next, self.known, self.joiner = upto + 1, max(self.known, upto), None
        return self._run()

    def _run(self) -> list[Message]:
        released = []
        while self.next in self.held:
            released.append(self._pop(self.next))
            self.next += 1
        self.asked, self.ask_at = 0, None  # what is missing now is another hole
        return released

    def _pop(self, number: int) -> Message:
        message = self.held.pop(number)
        self.held_bytes -= _nbytes(message)
        return message


def _nbytes(message: Message) -> int:
    return sum(buffer.nbytes for buffer in message.buffers)
