"""Server extensions of others, as modules to be written: each has its own class of kernel connections."""

from __future__ import annotations

# Loaded before ours, by its name, and derived from what it finds.
BEFORE = """
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets import Unicode

class Before(ZMQChannelsWebsocketConnection):
    passed = Unicode("nothing", config=True)

    def handle_outgoing_message(self, stream, outgoing_msg):
        self.passed = "something"
        super().handle_outgoing_message(stream, outgoing_msg)

    def disconnect(self):
        self.log.warning("Before has passed %s", self.passed)
        super().disconnect()

def _jupyter_server_extension_points():
    return [{"module": __name__}]

def _load_jupyter_server_extension(serverapp):
    serverapp.kernel_websocket_connection_class = Before
    serverapp.web_app.settings["kernel_websocket_connection_class"] = Before
"""

# Loaded after ours: one puts its class in place of whatever is there, the other derives from that.
AFTER = BEFORE.replace("Before", "After")
AFTER_DERIVED = """
def _jupyter_server_extension_points():
    return [{"module": __name__}]

def _load_jupyter_server_extension(serverapp):
    class Derived(serverapp.kernel_websocket_connection_class):
        pass
    serverapp.kernel_websocket_connection_class = Derived
    serverapp.web_app.settings["kernel_websocket_connection_class"] = Derived
"""

# Makes connections its own way.
OTHER_WAY = """
from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection

class OtherWay(BaseKernelWebsocketConnection):
    pass
"""
MODULES = {
    "a_before": BEFORE,
    "z_after": AFTER,
    "z_derived": AFTER_DERIVED,
    "other_way": OTHER_WAY,
}
