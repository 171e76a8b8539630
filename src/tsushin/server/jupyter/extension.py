"""What the extension changes in a Jupyter Server: its connections to kernels, and one more address.

Nothing of the server's configuration is replaced. Its class of kernel connections is asked for when this is
loaded, whoever set it, and a class derived from it takes its place.
"""

from __future__ import annotations

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection

from tsushin.server.jupyter.connection import with_comms_free
from tsushin.server.jupyter.lane_route import add_lane_route

CONNECTION_CLASS = "kernel_websocket_connection_class"


def load(serverapp: ServerApp) -> None:
    """Extend ``serverapp``, which has made its web application and does not listen yet."""
    add_lane_route(serverapp.web_app)
    first = free_comms(serverapp)
    if first is None:
        serverapp.log.info(
            "tsushin: kernel connections are made by %s and stay as they are",
            serverapp.web_app.settings[CONNECTION_CLASS].__name__,
        )
    # Extensions that come after this one may set a class as well. The loop runs once all are loaded.
    serverapp.io_loop.add_callback(free_comms, serverapp)


def free_comms(serverapp: ServerApp) -> type[BaseKernelWebsocketConnection] | None:
    """Derive the server's class of kernel connections, unless that was done; return the class.

    None where it is not the one that speaks ZMQ to kernels, as in front of a gateway: it is left alone.
    """
    # Handlers look here, at each connection; the trait only says what to close at the end.
    settings = serverapp.web_app.settings
    derived = with_comms_free(settings[CONNECTION_CLASS])
    if derived is not None:
        settings[CONNECTION_CLASS] = derived
        serverapp.kernel_websocket_connection_class = derived
    return derived
