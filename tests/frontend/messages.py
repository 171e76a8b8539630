"""Messages of a kernel, as tests write them."""

from __future__ import annotations

from itertools import count

from tsushin.protocol.messages import Message, new_header

_numbers = count(1)


def message(kind, content=None, *, channel="iopub", parent="", session="kernel"):
    header = new_header(kind, msg_id=f"k{next(_numbers)}", session=session, now=0)
    return Message(channel, header, {"msg_id": parent} if parent else {}, {}, content or {})
