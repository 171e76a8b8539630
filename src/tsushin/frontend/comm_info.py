"""Read a ``comm_info_reply`` of any kernel.

Spec: Jupyter messaging, "Comm info". Deviations met: IRkernel nests the reply once too deep and writes
``{}`` as ``[]``; JJava and tslab leave out ``status``.
"""

from __future__ import annotations

from tsushin.errors import RemoteProtocolError, quote
from tsushin.protocol.messages import CommInfo, JsonObject


def open_comms(content: JsonObject) -> CommInfo:
    """Return comm id -> target of what is open.

    Raises:
        RemoteProtocolError: the reply is an error, or not of a shape met so far.
    """
    if content.get("status", "ok") != "ok":
        about = f"{quote(content.get('ename'))}: {quote(content.get('evalue'))}"
        raise RemoteProtocolError(f"comm_info_reply: {about}")
    comms = content.get("comms")
    if isinstance(comms, dict) and _is_nested(comms):
        comms = comms["comms"]
    if comms == []:
        return {}
    if not isinstance(comms, dict):
        raise RemoteProtocolError(
            f"comm_info_reply content.comms: expected object, got {quote(comms)}"
        )
    return {comm_id: {"target_name": _target(comm_id, about)} for comm_id, about in comms.items()}


def _is_nested(comms: JsonObject) -> bool:
    inner = comms.get("comms")
    # A comm whose id is "comms" has a target name; a nested reply has comms.
    return inner == [] or (
        isinstance(inner, dict) and not isinstance(inner.get("target_name"), str)
    )


def _target(comm_id: str, about: object) -> str:
    name = about.get("target_name") if isinstance(about, dict) else None
    if isinstance(name, str):
        return name
    raise RemoteProtocolError(
        f"comm_info_reply {quote(comm_id)}: expected target_name, got {quote(about)}"
    )
