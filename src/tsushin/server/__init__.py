"""The endpoint: what serves comms to pages and programs over HTTP and WebSocket."""

from __future__ import annotations

from tsushin.server.app import Endpoint
from tsushin.server.entry import asgi_app, serve
from tsushin.server.serving import Serving

__all__ = ["Endpoint", "Serving", "asgi_app", "serve"]
