"""From the kernel to its frontends: one message to ipykernel's IOPub thread.

ipykernel's socket takes frames from any thread and sends them in the order they were handed over, so
comm messages keep their place among each other and among what ``Session.send`` publishes.
"""

from __future__ import annotations

import time
from typing import Any

from tsushin.kernel.shell_channel import flush
from tsushin.protocol.messages import Header, Message, new_header
from tsushin.wire import zmq
from tsushin.wire.signing import Signer


class IopubSender:
    """Sends messages on a kernel's iopub, signed with its key. Any thread may call."""

    def __init__(self, kernel: Any) -> None:  # Any: the class differs between versions
        self._session = kernel.session
        self._socket = kernel.iopub_socket
        self._signer = Signer(self._session.key, scheme=self._session.signature_scheme)
        self._status_topic = f"kernel.{kernel.ident}.status".encode()  # as ipykernel's own have

    def send(self, message: Message) -> None:
        """Hand over a comm message; never waits for a frontend.

        Buffers are not copied: they are read-only by now (``protocol/buffers.py``).

        Raises:
            UnicodeEncodeError: the comm id holds a lone surrogate, which is no text.
        """
        flush()  # what was printed before comes before
        # The topic that ipykernel gives comm messages; a subscriber may ask for one comm's.
        self._send(f"comm-{message.content['comm_id']}".encode(), message)

    def status(self, state: str, parent: Message) -> None:
        """Publish the kernel's state, "busy" or "idle", as the consequence of ``parent``."""
        content = {"execution_state": state}
        status = Message("iopub", self.header("status"), dict(parent.header), {}, content)
        self._send(self._status_topic, status)

    def header(self, msg_type: str) -> Header:
        """Return the header of a new message of the kernel."""
        session = self._session
        return new_header(
            msg_type,
            msg_id=session.msg_id,
            session=session.session,
            now=time.time(),
            username=session.username,
        )

    def _send(self, topic: bytes, message: Message) -> None:
        frames = [topic, *zmq.encode(message, self._signer)]
        self._socket.send_multipart(frames, copy=not message.buffers)
