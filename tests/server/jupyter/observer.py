"""A server extension of the tests: ``/observed`` tells what the server's own objects look like inside."""

from __future__ import annotations

import gc
import socket

from jupyter_server.auth import Authorizer
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web


def _jupyter_server_extension_points():
    return [{"module": "observer"}]


def _load_jupyter_server_extension(serverapp):
    path = url_path_join(serverapp.base_url, "observed")
    serverapp.web_app.add_handlers(".*$", [(path, Observed)])


class Observed(APIHandler):
    @web.authenticated
    def get(self):
        used = self.settings["kernel_websocket_connection_class"]
        assert self.serverapp.kernel_websocket_connection_class is used
        connections = getattr(used, "_open_sockets", ())
        self.finish(
            {
                "classes": [one.__name__ for one in used.mro()],
                "connections": [*map(connection, connections)],
                "lanes": [*map(lane, lanes())],
            }
        )


def connection(one):
    return {
        "kernel_id": one.kernel_id,
        "nodelay": nodelay(one.websocket_handler.ws_connection),
        "rcvhwm": one.channels["iopub"].socket.rcvhwm,
        "waiting": getattr(one, "waiting_bytes", None),
        "dropped": getattr(one, "dropped_messages", None),
    }


def lane(one):
    return {"page": nodelay(one.ws_connection), "kernel": nodelay(one.lane.protocol)}


def lanes():
    for one in gc.get_objects():
        if type(one).__name__ == "LaneHandler" and one.ws_connection:
            yield one


def nodelay(protocol):
    return bool(protocol.stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


class NoExecution(Authorizer):
    """Allows everything but executing in kernels."""

    def is_authorized(self, handler, user, action, resource):
        return (action, resource) != ("execute", "kernels")
