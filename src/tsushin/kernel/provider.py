"""The ``comm`` package's two names, ``get_comm_manager`` and ``create_comm``.

Libraries (ipywidgets among them) reach comms through them. They are replaced only where they are the
package's own defaults or ipykernel's; another provider (marimo, xeus, Solara) has its own world behind
them and is left alone.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any, Final

import comm

from tsushin.kernel.restore import put

_REPLACEABLE: Final = (comm.__name__, "ipykernel.ipkernel")

_log = logging.getLogger("tsushin")


def provide(undo: ExitStack, manager: object) -> bool:
    """Make ``comm``'s names lead to ``manager``; False where they belong to another provider.

    ``manager`` has what ``comm``'s own has. Comms made by ``create_comm`` keep ipykernel's class, and with it
    their lenient encoding.
    """
    provider: object = comm.get_comm_manager
    module = getattr(provider, "__module__", "")
    if module not in _REPLACEABLE:
        about = "comm.get_comm_manager is %s.%s: left alone; comms made by it are not tsushin's"
        _log.warning(about, module, getattr(provider, "__qualname__", type(provider).__name__))
        return False
    names: dict[str, Any] = comm.__dict__  # Any: a module's globals
    put(undo, names, "get_comm_manager", lambda *_args, **_kwargs: manager)
    if comm.create_comm.__module__ == comm.__name__:  # the default, whose comms do nothing
        from ipykernel.comm.comm import BaseComm  # noqa: PLC0415 (heavy; there already in a kernel)

        put(undo, names, "create_comm", BaseComm)
    return True
