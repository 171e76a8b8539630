"""One widget model that a page runs a JavaScript module for, made of a raw comm.

It is what the anywidget package would make, so that the kernel does not need that package: the page's own
anywidget (in JupyterLab, Notebook 7, VS Code, Colab) or marimo takes it for one. The comm is made by whatever
``comm.create_comm`` is at that moment: hosts replace it.

Spec: ipywidgets, "Jupyter widgets messaging protocol", version 2; anywidget, "AFM".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import uuid4

import comm

from tsushin.protocol.messages import JsonObject
from tsushin.wire.parts import BytesLike

CONTROL: Final = "jupyter.widget.control"  # the target by which a page asks for every model
VIEW: Final = "application/vnd.jupyter.widget-view+json"
_METADATA: Final[JsonObject] = {"version": "2.1.0"}  # of the widgets protocol

# Which anywidget the page has is the page's business; all of them know AFM modules.
_ANY: Final = "*"

# Any: JSON of a page, checked by whoever reads it.
OnCustom = Callable[[Any, Sequence[BytesLike]], None]


class WidgetModel:
    """A model whose module is ``esm``; both ends send custom messages over it.

    Args:
        esm: source of the JavaScript module (AFM).
        state: what the module finds in the model from its beginning; JSON.
        on_custom: called with the content and the buffers of each custom message of a page.

    Attributes:
        model_id: names the model for whoever displays it.
    """

    def __init__(self, esm: str, state: JsonObject, on_custom: OnCustom) -> None:
        self.model_id: str = uuid4().hex
        self._on_custom = on_custom
        self._state: JsonObject = {
            **state,
            "_model_module": "anywidget",
            "_model_name": "AnyModel",
            "_model_module_version": _ANY,
            "_view_module": "anywidget",
            "_view_name": "AnyView",
            "_view_module_version": _ANY,
            "_view_count": None,
            "_anywidget_id": f"tsushin.{self.model_id}",
            "_css": "",
            "_esm": esm,
        }
        # Any: a comm of the host's own class. Looked up late: marimo puts its own there.
        self._comm: Any = comm.create_comm(
            target_name="jupyter.widget",
            data={"state": dict(self._state), "buffer_paths": []},
            metadata=_METADATA,
            comm_id=self.model_id,
        )
        self._comm.on_msg(self._receive)

    @property
    def is_closed(self) -> bool:
        """True once the host has closed the model: marimo does when its cell runs again."""
        return bool(getattr(self._comm, "_closed", False))

    def send(self, content: JsonObject, buffers: Sequence[BytesLike] = ()) -> None:
        """Send a custom message to every page that has the model. Any thread."""
        data = {"method": "custom", "content": content}
        self._comm.send(data=data, metadata=_METADATA, buffers=list(buffers))

    def mimebundle(self) -> JsonObject:
        """Return what displays the model."""
        return {
            "text/plain": "tsushin.bridge()",
            VIEW: {"version_major": 2, "version_minor": 1, "model_id": self.model_id},
        }

    def _receive(self, msg: Any) -> None:  # Any: as the host parsed it
        data = msg["content"]["data"]
        method = data.get("method")
        if method == "custom":
            self._on_custom(data.get("content"), msg.get("buffers") or ())
        elif method == "request_state":  # a page that was reloaded
            state = {"method": "update", "state": self._state, "buffer_paths": []}
            self._comm.send(data=state, metadata=_METADATA)

    # ------------------------------------------------------------------ for ipywidgets

    def join_ipywidgets(self) -> None:
        """Be among the models that ipywidgets tells a reloaded page of; nothing where it is not loaded.

        With it in the kernel, a page asks ipywidgets for all states, and takes no others.
        """
        widget = sys.modules.get("ipywidgets.widgets.widget")
        instances = getattr(widget, "_instances", None)
        if isinstance(instances, dict):
            instances.setdefault(self.model_id, _AsWidget(self.model_id, self._state))


class _AsWidget:
    """What ipywidgets asks of a widget when it lists all states."""

    def __init__(self, model_id: str, state: JsonObject) -> None:
        self.model_id = model_id
        self._state = state
        self._model_name = state["_model_name"]
        self._model_module = state["_model_module"]
        self._model_module_version = state["_model_module_version"]

    def get_state(self, *, drop_defaults: bool = False) -> JsonObject:
        """Return a copy of the state."""
        del drop_defaults
        return dict(self._state)

    def _get_embed_state(self, *, drop_defaults: bool = False) -> JsonObject:
        """Return what a saved notebook keeps of a widget."""
        return {
            "model_name": self._model_name,
            "model_module": self._model_module,
            "model_module_version": self._model_module_version,
            "state": self.get_state(drop_defaults=drop_defaults),
        }

    def close(self) -> None:
        """Do nothing: ``Widget.close_all()`` is for its own widgets."""
