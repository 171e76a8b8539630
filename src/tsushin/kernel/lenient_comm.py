"""A comm as code expects it that was written for the ``comm`` package: its class, its encoding.

The peer opens it to a target that was registered by one of ``comm``'s names (``LenientManager``).
"""

from __future__ import annotations

from typing import Any

from comm.base_comm import BaseComm

from tsushin.comm import Comm, Data


class _LenientComm(Comm, BaseComm):  # type: ignore[misc, override]  # Comm's members come first
    """A ``Comm`` that is also a ``BaseComm``, and sends what the kernel's session makes of the data."""

    def close(
        self,
        data: Data | None = None,
        metadata: Data | None = None,
        buffers: Any = None,  # Any: as ``Comm.close`` and ``BaseComm.close`` have it
        deleting: bool = False,  # noqa: FBT001, FBT002 (the signature of ``BaseComm.close``)
    ) -> None:
        """See ``Comm.close``; ``deleting`` is what ``BaseComm`` says of a comm that is garbage."""
        if not deleting:
            super().close(data, metadata, buffers)

    def _cleaned(self, data: Data | None) -> Data | None:
        """Return what the session's own packer makes of ``data``, as JSON again."""
        session = self._manager.kernel.session  # type: ignore[union-attr]  # only a kernel makes these
        return None if data is None else session.unpack(session.pack(data))


# What else it is, is nobody's business: ``comm`` has no types that a checker could use.
LENIENT_COMM: type[Comm] = _LenientComm
