"""The ``comm`` package's two names, ``get_comm_manager`` and ``create_comm``.

Libraries (ipywidgets among them) reach comms through them. They are replaced only where they are the
package's own defaults or ipykernel's; another provider (marimo, xeus, Solara) has its own world behind
them and is left alone.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import comm

from tsushin.kernel.restore import put
from tsushin.manager import CommManager

_log = logging.getLogger("tsushin")


def provide(undo: ExitStack, manager: CommManager) -> bool:
    """Make ``comm``'s names lead to ``manager``; False where they belong to another provider.

    Comms made by ``create_comm`` keep ipykernel's class, and with it their lenient encoding.
    """
    from ipykernel import ipkernel  # noqa: PLC0415 (heavy, and there already where this is called)

    names: dict[str, Any] = vars(comm)  # Any: a module's globals
    if names["get_comm_manager"] not in (comm._get_comm_manager, ipkernel._get_comm_manager):
        _log.warning(
            "comm.get_comm_manager is %s.%s: left alone; comms made by it are not tsushin's",
            getattr(names["get_comm_manager"], "__module__", "?"),
            getattr(names["get_comm_manager"], "__qualname__", "?"),
        )
        return False
    put(undo, names, "get_comm_manager", lambda *_args, **_kwargs: manager)
    if names["create_comm"] is comm._create_comm:  # its comms do nothing
        put(undo, names, "create_comm", ipkernel._create_comm)
    return True
