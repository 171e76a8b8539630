"""Where a ``Comm`` belongs when nobody names a manager: the host of this process.

A host is a kernel or an endpoint. The layers above register a finder here, so that ``Comm`` need not know
which kinds of host there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tsushin.errors import NoHost

# Any: a CommManager or None. Comms are made of what is here, so managers cannot be named here.
Manager = Any
Finder = Callable[[], Manager]

_finders: list[Finder] = []


def add_finder(finder: Finder) -> None:
    """Ask ``finder`` for this process's manager, before the finders added earlier."""
    _finders.insert(0, finder)


def host_manager() -> Manager:
    """Return the manager that new comms of this process belong to.

    Raises:
        NoHost: no kernel runs in this process and nothing is served from it.
    """
    for finder in tuple(_finders):  # what one of them imports may add another
        manager = finder()
        if manager is not None:
            return manager
    raise NoHost(
        "a Comm needs a host: expected a running kernel, or tsushin.serve() or tsushin.asgi_app() "
        "in this process; a frontend's comms are made by fe.comm_manager.new_comm(...)"
    )
