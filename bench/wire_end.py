"""One end of one comm as bytes: messages are framed before they are timed, answers are only searched.

``WireEnd`` is the same over a Jupyter Server and over a lane; how each begins is in ``jupyter_server.py`` and
``lane.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from bench.raw_websocket import RawWebSocket, client_frame
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import ws_v1

ANSWER_S = 60.0
Json = dict[str, Any]  # Any: JSON


class WireEnd:
    """A session on a WebSocket that speaks ``v1.kernel.websocket.jupyter.org``.

    Attributes:
        socket: the WebSocket; None where a page has it.
        session: of every header.
    """

    def __init__(self, socket: RawWebSocket | None, session: str) -> None:
        self.socket: Any = socket  # Any: where there is none, nothing here is called that needs it
        self.session = session
        self._ids = count()

    def message(
        self,
        msg_type: str,
        content: Json,
        metadata: Json | None = None,
        buffers: Sequence[bytes] = (),
    ) -> Message:
        """Return a new message of this session on shell."""
        header = new_header(
            msg_type,
            msg_id=f"{self.session}_{next(self._ids)}_{uuid4().hex[:8]}",
            session=self.session,
            now=time.time(),
        )
        return Message("shell", header, {}, metadata or {}, content, buffers=tuple(buffers))

    def frame(self, *args: Any, **options: Any) -> bytes:  # Any: as ``message``
        """Return a new message as a frame that is ready to be sent."""
        return client_frame(ws_v1.encode(self.message(*args, **options)))

    def msg_frames(self, comm_id: str, datas: Iterable[Json], **options: Any) -> list[bytes]:
        """Return a ``comm_msg`` of one comm for each data."""
        return [self.frame("comm_msg", {"comm_id": comm_id, "data": d}, **options) for d in datas]

    def open(self, comm_id: str, target_name: str, data: Json | None = None) -> None:
        """Open a comm; the peer has it once it answers what comes next."""
        content = {"comm_id": comm_id, "target_name": target_name, "data": data or {}}
        self.socket.send(self.frame("comm_open", content))

    def execute(self, code: str, expressions: Json | None = None) -> Json:
        """Run a cell, wait until the kernel is idle again, and return the reply's content."""
        message = self.message("execute_request", execute_content(code, expressions))
        msg_id = message.header["msg_id"]
        self.socket.send(client_frame(ws_v1.encode(message)))
        reply: Json = {}
        until = time.monotonic() + ANSWER_S
        is_idle = False
        while not (reply and is_idle):
            if time.monotonic() > until:
                raise TimeoutError(f"no end of a cell within {ANSWER_S:g} s")
            answer = ws_v1.decode(self.socket.receive_until(msg_id.encode()))
            if answer.parent_header.get("msg_id") != msg_id:
                continue
            if answer.msg_type == "execute_reply":
                reply = answer.content
            is_idle = is_idle or answer.content.get("execution_state") == "idle"
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        return reply

    def value(self, expression: str) -> Any:  # Any: whatever JSON it gives
        """Return the value of an expression in the kernel."""
        reply = self.execute("import json", {"value": f"json.dumps({expression})"})
        return json.loads(reply["user_expressions"]["value"]["data"]["text/plain"].strip("'"))


def execute_content(code: str, expressions: Json | None = None) -> Json:
    """Return the content of an ``execute_request``."""
    return {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": expressions or {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
