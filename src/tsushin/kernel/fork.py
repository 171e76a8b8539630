"""A child made by ``fork`` has no comms: the frontends talk to its parent.

The child's copies are lost at once, so that nobody sends twice under one id, and nothing of ours runs there:
its threads stayed in the parent.
"""

from __future__ import annotations

import os
import weakref

from tsushin.errors import KernelGone
from tsushin.manager import CommManager

_managers: weakref.WeakSet[CommManager] = weakref.WeakSet()


def lose_in_children(manager: CommManager) -> None:
    """Lose the comms of ``manager`` in each child that this process forks from now on."""
    _managers.add(manager)


def _lose_all() -> None:
    for manager in list(_managers):
        manager.renew_locks()
        about = "this process was forked: its comms are its parent's"
        manager.lose(about, KernelGone(about, why="forked"))


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_lose_all)
