"""What a peer may make us hold: every bound has a name, a unit and a reason."""

from __future__ import annotations

from dataclasses import dataclass

from tsushin.errors import LimitExceeded

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds applied before anything is allocated.

    Attributes:
        max_message_bytes: one whole message on the wire, buffers included. Stock Jupyter has no
            bound on ZMQ and 10 MiB on its WebSocket; 256 MiB carries a large array in one piece.
        max_joined_bytes: one message that comes in pieces, joined.
        max_json_bytes: one JSON part (header, parent_header, metadata, content).
        max_buffers: binary attachments of one message. ipywidgets sends a handful.
        max_identities: ZMQ routing frames ahead of the delimiter; a proxy adds one each.
        max_open_comms: comms open at one end. A page of widgets has hundreds.
        max_closed_ids: ids remembered after close, so that late messages are told from unknown ones.
        max_kept_messages: messages kept per comm until the application first reads.
        max_kept_bytes: the same, in bytes.
        max_history_messages: messages kept per comm for peers that may have missed them.
        max_history_bytes: the same, in bytes.
        max_all_history_bytes: the same for all comms of one end.
        max_queue_bytes: messages of one end that wait because peers have not confirmed those before.
        max_signatures: signatures remembered to refuse replays; jupyter_client remembers 65,536.
        max_comm_id_chars: length of a comm id in characters; the longest seen in use is 80.
    """

    max_message_bytes: int = 256 * MIB
    max_joined_bytes: int = 2048 * MIB
    max_json_bytes: int = 64 * MIB
    max_buffers: int = 4096
    max_identities: int = 16
    max_open_comms: int = 100_000
    max_closed_ids: int = 10_000
    max_kept_messages: int = 1000
    max_kept_bytes: int = 8 * MIB
    max_history_messages: int = 1024
    max_history_bytes: int = 8 * MIB
    max_all_history_bytes: int = 256 * MIB
    max_queue_bytes: int = 64 * MIB
    max_signatures: int = 65_536
    max_comm_id_chars: int = 256

    def check(self, name: str, actual: int, *, where: str = "") -> None:
        """Raise LimitExceeded if ``actual`` is above the limit called ``name``."""
        allowed: int = getattr(self, name)
        if actual > allowed:
            unit = "bytes" if name.endswith("_bytes") else "count"
            raise LimitExceeded(limit=name, allowed=allowed, actual=actual, unit=unit, where=where)


DEFAULT_LIMITS = Limits()
