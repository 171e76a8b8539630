"""The kernel's manager by the names of the ``comm`` package, for code that was written for that.

One registry, two faces: ``tsushin.comm_manager()`` is strict about what it sends; a target registered here
gets comms that take what ``comm``'s own take (NumPy numbers, sets, bytes as base64, NaN as text).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from tsushin.kernel.ipykernel import KernelCommManager
from tsushin.manager import AnyComm, Target
from tsushin.runtime import Run


class LenientManager:
    """What ``kernel.comm_manager`` and ``comm.get_comm_manager()`` are while we are attached.

    Everything that is not here is the manager's.
    """

    def __init__(self, manager: KernelCommManager) -> None:
        self._manager = manager

    @property
    def comms(self) -> MutableMapping[str, AnyComm]:
        """Comm id -> open comm; the same as the manager's."""
        return self._manager.comms

    @property
    def targets(self) -> MutableMapping[str, Target]:
        """Target name -> function; the same as the manager's."""
        return self._manager.targets

    # Any: a function, its import string, or a decorator, as ``CommManager.register_target`` says.
    def register_target(self, target_name: str, f: Any = None, *, run: Run = "main") -> Any:
        """See ``CommManager.register_target``; its comms are lenient about what they send."""
        if f is None and isinstance(target_name, str):
            return lambda function: self.register_target(target_name, function, run=run)
        registered = self._manager.register_target(target_name, f, run=run)
        self._manager.lenient_targets.add(target_name)
        return registered

    # Any: whatever the manager has under that name.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)
