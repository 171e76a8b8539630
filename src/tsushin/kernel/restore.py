"""Put things into other people's objects so that they can be taken out again."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import ExitStack
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def put(undo: ExitStack, holder: MutableMapping[K, V], key: K, value: V) -> None:
    """Set ``holder[key]``; closing ``undo`` brings back what was there, or removes the key.

    What somebody else has put there in between is left alone. ``vars(obj)`` is a holder too: a method
    overridden there comes back from the class.
    """
    had_key = key in holder
    before = holder[key] if had_key else value
    holder[key] = value

    def restore() -> None:
        if holder.get(key) is not value:
            return
        if had_key:
            holder[key] = before
        else:
            del holder[key]

    undo.callback(restore)
