"""What a kernel end without a shell for code answers: comms, ``kernel_info``, and little else.

A plain process is such an end, and so is every kernel as pages behind a bridge see it. What needs a shell
(``execute_request``, ``interrupt_request``, …) gets an error reply named "NotSupported".

Spec: Jupyter messaging, "Messages on the shell (ROUTER/DEALER) channel".
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from platform import python_version
from typing import Final

from tsushin._version import __version__
from tsushin.errors import RemoteProtocolError, quote
from tsushin.kernel.end import Frames, Page
from tsushin.manager import CommManager
from tsushin.protocol.messages import (
    COMM_TYPES,
    PROTOCOL_VERSION,
    Channel,
    JsonObject,
    Message,
    new_header,
)

_NOT_SUPPORTED: Final = "NotSupported"
_LANGUAGE: Final[JsonObject] = {
    "name": "python",
    "version": python_version(),
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "pygments_lexer": "python3",
    "codemirror_mode": {"name": "python", "version": sys.version_info.major},
    "nbconvert_exporter": "python",
}


class Answers:
    """Takes each message of a page to where it belongs: the comms, or an answer.

    Args:
        manager: whose comms these are.
        about: what this end is, as a page reads it in banners and errors: "a plain Python process".
        publish: sends one message to every page.
    """

    def __init__(
        self, manager: CommManager, *, about: str, publish: Callable[[Message], None]
    ) -> None:
        self._manager = manager
        self._about = about
        self._publish = publish
        self._numbers = itertools.count(1)
        self._answers: dict[str, Callable[[JsonObject], JsonObject]] = {
            "kernel_info_request": self._kernel_info,
            "comm_info_request": lambda content: manager.comm_info(content.get("target_name")),
            "is_complete_request": lambda _: {"status": "unknown"},
            "complete_request": _complete,
            "inspect_request": lambda _: {
                "status": "ok", "found": False, "data": {}, "metadata": {},
            },
            "history_request": lambda _: {"status": "ok", "history": []},
        }  # fmt: skip

    def dispatch(self, message: Message, page: Page) -> None:
        """Handle a message of ``page``; a reply goes to that page. Call on the handler thread."""
        kind = message.msg_type
        if message.channel == "iopub":
            about = "channel: expected shell or control, got iopub"
            self._manager.runtime.fault(RemoteProtocolError(about))
        elif message.channel == "stdin":
            return  # An input_reply: nothing here ever asked.
        elif kind in COMM_TYPES:
            self._manager.receive(message)
        elif kind.endswith("_request"):
            answer = self._answers.get(kind)
            content = answer(message.content) if answer else self._not_supported(message)
            reply_type = kind.removesuffix("_request") + "_reply"
            page.send(Frames(self.message(message.channel, reply_type, content)))
        else:
            about = f"msg_type: expected a request, got {quote(kind)}"
            self._manager.runtime.fault(RemoteProtocolError(about))

    def message(self, channel: Channel, msg_type: str, content: JsonObject) -> Message:
        """Build a message of this kernel end; its parent is the message being handled."""
        session = self._manager.session
        msg_id = f"{session}_kernel_{next(self._numbers)}"
        header = new_header(msg_type, msg_id=msg_id, session=session, now=time.time())
        return Message(channel, header, self._manager.runtime.parent(), {}, content)

    def _not_supported(self, message: Message) -> JsonObject:
        """Refuse a request; for code, where a notebook shows it too."""
        about = f"{quote(message.msg_type)}: this kernel is {self._about}, it has comms only"
        error: JsonObject = {
            "ename": _NOT_SUPPORTED,
            "evalue": about,
            "traceback": [f"{_NOT_SUPPORTED}: {about}"],
        }
        if message.msg_type != "execute_request":
            return {"status": "error", **error}
        if not message.content.get("silent"):
            self._publish(self.message("iopub", "error", error))
        return {"status": "error", "execution_count": 0, "payload": [], **error}

    def _kernel_info(self, content: JsonObject) -> JsonObject:
        del content  # it is empty
        return {
            "status": "ok",
            "protocol_version": PROTOCOL_VERSION,
            "implementation": "tsushin",
            "implementation_version": __version__,
            "language_info": _LANGUAGE,
            "banner": f"Tsushin {__version__}: {self._about} with comms",
            "help_links": [],
            "debugger": False,
            "supported_features": [],
        }


def _complete(content: JsonObject) -> JsonObject:
    at = content.get("cursor_pos", 0)
    return {"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}}
