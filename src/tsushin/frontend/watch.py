"""What a kernel's own messages, and those of a server about it, say about its end.

Jupyter Server writes ``status: restarting`` when it restarts a kernel that died and ``dead`` when it gives
up. A kernel that is told to end publishes its ``shutdown_reply``. A new process at the same address says
``starting``, which a kernel also says at its first start, at times after it was "busy" with an early request:
it counts where another process, that is another session, was busy before.

Spec: Jupyter messaging, "Kernel shutdown" and "Kernel status".
"""

from __future__ import annotations

from typing import Final

from tsushin.errors import KernelGoneWhy
from tsushin.protocol.messages import Message

_STATUS: Final[dict[object, KernelGoneWhy]] = {
    "restarting": "restarted",
    "autorestarting": "restarted",
    "dead": "died",
    "terminating": "shut down",
}


class StatusWatch:
    """Follows the iopub of one process.

    Attributes:
        session: that of the process, once it was seen at work.
    """

    def __init__(self) -> None:
        self.session: str | None = None

    def verdict(self, message: Message) -> KernelGoneWhy | None:
        """Return why the kernel is gone, if ``message`` says so. Show it every message, in order."""
        if message.channel != "iopub":
            return None
        if message.msg_type == "shutdown_reply":
            return "restarted" if message.content.get("restart") is True else "shut down"
        if message.msg_type == "status":
            return self._of_status(message.content.get("execution_state"), message.session)
        return None

    def _of_status(self, state: object, session: str) -> KernelGoneWhy | None:
        if state == "busy":
            self.session = session
        elif state == "starting" and self.session not in (None, session):
            return "restarted"
        return _STATUS.get(state) if isinstance(state, str) else None
