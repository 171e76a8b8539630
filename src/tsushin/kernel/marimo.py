"""The kernel end in marimo: one set of comms, and one bridge, for each session.

A marimo notebook is no Jupyter kernel: comms reach its page only through anywidget's models, so the bridge
is the only way, and a ``Comm`` that is a cell's value shows it. Sessions of ``marimo run`` are threads of
one process that share every module: what belongs to a session is kept on its context, and goes with it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

from tsushin.kernel.bridge import Bridge, run_on
from tsushin.manager import CommManager
from tsushin.protocol.messages import JsonObject

_CONTEXT: Final = "marimo._runtime.context"
_KEPT: Final = "_tsushin_session"


class Session:
    """The comms of one marimo session. Make it on its thread, where its loop runs.

    Attributes:
        manager: its comms and targets.
        bridge: the way to its page.
    """

    def __init__(self) -> None:
        from tsushin.kernel.process import ProcessKernel  # noqa: PLC0415 (ipykernel does not need it)

        self._loop = asyncio.get_running_loop()
        kernel = ProcessKernel("marimo", about="a marimo notebook")
        self.manager: CommManager = kernel.manager
        self.manager.display = self._display
        self.bridge: Bridge = Bridge(
            kernel.kernel_id,
            receive=kernel.receive,
            hand_over=self._hand_over,
            fault=kernel.fault,
            limits=self.manager.limits,
        )
        kernel.add(self.bridge, self._loop)

    def _display(self) -> JsonObject:
        return self.bridge.show().mimebundle()

    def _hand_over(self, callback: Callable[[], None]) -> None:
        if not run_on(self._loop, callback):
            self._loop.call_soon_threadsafe(callback)


def running_session() -> Session | None:
    """Return the session of the marimo notebook that this thread runs; None outside of one."""
    module = sys.modules.get(_CONTEXT)  # not imported means not running
    if module is None:
        return None
    try:
        context: Any = module.get_context()  # Any: marimo's own class
    except module.ContextNotInitializedError:
        return None
    while context.parent is not None:  # a notebook embedded in another shares its page
        context = context.parent
    session: Session | None = vars(context).get(_KEPT)
    if session is None and _has_loop():  # else it is a script: nobody will ever show anything
        session = Session()
        setattr(context, _KEPT, session)
    return session


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
