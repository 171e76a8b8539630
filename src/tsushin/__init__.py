"""Tsushin (通信): Jupyter comms, both ends.

The names here are the public API; ``spec/api.json`` lists them with their parameters. Importing this has
no side effect: a kernel is attached by the first ``Comm``, ``comm_manager()`` or ``%load_ext tsushin``.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tsushin._version import __version__
from tsushin.comm import Comm
from tsushin.errors import (
    CommClosed,
    CommNotOpen,
    ConnectFailed,
    DuplicateComm,
    ExecutionError,
    KernelGone,
    LimitExceeded,
    LocalProtocolError,
    NoHost,
    NoPeer,
    PeerError,
    ProtocolError,
    QueueFull,
    RemoteError,
    RemoteProtocolError,
    SignatureError,
    TransportClosed,
    TransportError,
    TransportLost,
    TsushinError,
    UnknownTarget,
    Unsupported,
    WireError,
)
from tsushin.expected import Expected
from tsushin.host import add_finder
from tsushin.manager import CommManager
from tsushin.protocol.limits import Limits

if TYPE_CHECKING:
    from tsushin.frontend import connect, connect_sync
    from tsushin.kernel import comm_manager
    from tsushin.kernel.host import bridge, poll
    from tsushin.server import asgi_app, serve

__all__ = [
    "Comm",
    "CommClosed",
    "CommManager",
    "CommNotOpen",
    "ConnectFailed",
    "DuplicateComm",
    "ExecutionError",
    "Expected",
    "KernelGone",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "NoHost",
    "NoPeer",
    "PeerError",
    "ProtocolError",
    "QueueFull",
    "RemoteError",
    "RemoteProtocolError",
    "SignatureError",
    "TransportClosed",
    "TransportError",
    "TransportLost",
    "TsushinError",
    "UnknownTarget",
    "Unsupported",
    "WireError",
    "__version__",
    "asgi_app",
    "bridge",
    "comm_manager",
    "connect",
    "connect_sync",
    "poll",
    "serve",
]

# Loaded on first use: a kernel that only wants a Comm should not pay for clients and servers.
_LAZY = {
    "asgi_app": "tsushin.server",
    "bridge": "tsushin.kernel.host",
    "comm_manager": "tsushin.kernel",
    "connect": "tsushin.frontend",
    "connect_sync": "tsushin.frontend",
    "poll": "tsushin.kernel.host",
    "serve": "tsushin.server",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())
# The first Comm made without a manager looks for a kernel, and loads what attaches to it only then.
add_finder(lambda: import_module("tsushin.kernel").kernel_manager())


def __getattr__(name: str) -> Any:  # Any: whatever the module has under that name
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return __all__


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell a Jupyter Server that has this package enabled what to load."""
    return [{"module": "tsushin.server.jupyter"}]


def load_ipython_extension(ipython: object) -> None:
    """Attach to the kernel this runs in: ``%load_ext tsushin``."""
    del ipython  # the kernel is found by itself, as everywhere else
    import_module("tsushin.kernel").attach_if_kernel()


def unload_ipython_extension(ipython: object) -> None:
    """Give the kernel back to its own comms: ``%unload_ext tsushin``."""
    del ipython
    import_module("tsushin.kernel").detach()
