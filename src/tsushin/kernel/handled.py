"""Which message is being handled here and now: the parent of what its handlers send.

For hosts that hand messages to the manager themselves: a plain process, and pages behind a bridge. Tasks
that a handler starts inherit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

from tsushin.protocol.messages import JsonObject, Message

_by_lane: ContextVar[JsonObject | None] = ContextVar("tsushin_by_lane", default=None)
_cell: ContextVar[JsonObject | None] = ContextVar("tsushin_cell", default=None)
_handled: ContextVar[JsonObject | None] = ContextVar("tsushin_handled", default=None)


@contextmanager
def handling(message: Message) -> Iterator[None]:
    """Make ``message`` the one being handled until the block ends."""
    token = _handled.set(cast("JsonObject", dict(message.header)))
    try:
        yield
    finally:
        _handled.reset(token)


def handled() -> JsonObject | None:
    """Return the header of the message being handled, or None."""
    return _handled.get()


def show_under(cell: JsonObject) -> None:
    """Show what is published from here on, in this context, under the request with this header."""
    _cell.set(cell)
    _handled.set(None)  # what was being handled here is something else


def shown_under() -> JsonObject | None:
    """Return the header of the request that what is published here is shown under; None: as ever."""
    return _cell.get()


def handle_by_lane(message: Message) -> None:
    """Make ``message`` the parent of what is sent in this context; what is published is the cell's."""
    _by_lane.set(cast("JsonObject", dict(message.header)))


def handled_by_lane() -> JsonObject | None:
    """Return the header of the message being handled that came by a lane, or None."""
    return _by_lane.get()


def is_handled(message: Message) -> bool:
    """Say whether ``message`` is the one being handled; one that no peer sent always is."""
    return message.header.get("msg_id", "") in ("", (handled() or {}).get("msg_id"))
