"""The contents of comm messages: what a peer sent is checked, what we answer is built.

Spec: Jupyter messaging, "Custom Messages" and "Comm info".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.messages import JsonObject, Message


def comm_content(message: Message) -> JsonObject:
    """Check the content of a comm message and return it with ``data`` present.

    A missing ``data`` and an empty list count as ``{}``: the specification asks for an object, but a
    ``comm_close`` often comes without, and IRkernel writes ``{}`` as ``[]``.

    Raises:
        RemoteProtocolError: a field is missing or has another type than the specification gives it.

    Spec: Jupyter messaging, "Custom Messages".
    """
    kind, content = message.msg_type, message.content
    if kind == "comm_msg" and _is_whole(content):
        return content
    _demand(kind, content, "comm_id", str)
    if kind == "comm_open":
        _demand(kind, content, "target_name", str)
        if content.get("target_module") is not None:
            _demand(kind, content, "target_module", str)
    if content.get("data") in (None, []):
        return {**content, "data": {}}
    _demand(kind, content, "data", dict)
    return content


def _is_whole(content: JsonObject) -> bool:
    """Say whether nothing is wrong with the content of a ``comm_msg``, as nearly always."""
    return isinstance(content.get("comm_id"), str) and isinstance(content.get("data"), dict)


def comm_info_content(targets: Mapping[str, str], target_name: object = None) -> dict[str, Any]:
    """Build the content of ``comm_info_reply``.

    Args:
        targets: comm id -> target name of every open comm.
        target_name: only comms of this target, or None (or "") for all.

    Spec: Jupyter messaging, "Comm info".
    """
    wanted = target_name or None
    return {
        "status": "ok",
        "comms": {
            comm_id: {"target_name": name}
            for comm_id, name in targets.items()
            if wanted is None or name == wanted
        },
    }


_JSON_NAMES: Final[dict[type, str]] = {str: "string", dict: "object"}


def _demand(kind: str, content: Mapping[str, object], key: str, wanted: type) -> None:
    if key not in content:
        raise RemoteProtocolError(
            f"{kind} content.{key}: expected {_JSON_NAMES[wanted]}, it is missing"
        )
    value = content[key]
    if not isinstance(value, wanted):
        raise RemoteProtocolError(
            f"{kind} content.{key}: expected {_JSON_NAMES[wanted]}, got {quote(value)}"
        )
