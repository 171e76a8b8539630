"""A message as jupyter_client parsed it, checked and made one of ours."""

from __future__ import annotations

from typing import Any

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import JsonObject, Message
from tsushin.wire.parts import JSON_PARTS, check_parts

# Any: a peer may have put any JSON anywhere.
Raw = dict[str, Any]


def message_of(msg: Raw) -> Message:
    """Check a message that jupyter_client has parsed, whose parts may still be any JSON.

    Raises:
        RemoteProtocolError: a part is no object; the header or the comm id is not what it should be.
    """
    parts = check_parts([msg[part] for part in JSON_PARTS])
    _check_text(parts[-1])
    views = (memoryview(buffer) for buffer in msg.get("buffers") or ())
    return Message("shell", *parts, buffers=tuple(v.cast("B").toreadonly() for v in views))


def _check_text(content: JsonObject) -> None:
    """Refuse an id that could not be sent back: jupyter_client's parser lets lone surrogates in."""
    comm_id = content.get("comm_id")
    if isinstance(comm_id, str) and not comm_id.isascii():
        try:
            comm_id.encode()
        except UnicodeEncodeError as error:
            raise RemoteProtocolError(f"content.comm_id: expected text, got {error}") from error
