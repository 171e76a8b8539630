"""From the kernel to its frontends: one message to ipykernel's IOPub thread.

ipykernel's socket takes frames from any thread and sends them in the order they were handed over, so
comm messages keep their place among each other and among what ``Session.send`` publishes.
"""

from __future__ import annotations

from typing import Any

from tsushin.protocol.messages import Message
from tsushin.wire import zmq
from tsushin.wire.signing import Signer


class IopubSender:
    """Sends messages on a kernel's iopub, signed with its key. Any thread may call ``send``."""

    def __init__(self, kernel: Any) -> None:  # Any: the class differs between versions
        session = kernel.session
        self._socket = kernel.iopub_socket
        self._signer = Signer(session.key, scheme=session.signature_scheme)

    def send(self, message: Message) -> None:
        """Hand over a comm message; never waits for a frontend.

        Buffers are not copied: they are read-only by now (``protocol/buffers.py``).

        Raises:
            UnicodeEncodeError: the comm id holds a lone surrogate, which is no text.
        """
        # The topic that ipykernel gives comm messages; a subscriber may ask for one comm's.
        topic = f"comm-{message.content['comm_id']}".encode()
        frames = [topic, *zmq.encode(message, self._signer)]
        self._socket.send_multipart(frames, copy=not message.buffers)
