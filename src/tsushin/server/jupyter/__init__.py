"""The Jupyter Server extension: imported by Jupyter Server only, which Tsushin does not depend on."""

from __future__ import annotations

from tsushin.server.jupyter.extension import load as _load_jupyter_server_extension

__all__ = ["_load_jupyter_server_extension"]
