"""A plain client of an endpoint: REST by the standard library, one WebSocket by ``websockets``."""

from __future__ import annotations

import itertools
import json
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from websockets.sync.client import connect

from tsushin.kernel.end import V1
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import ws_default, ws_v1

TIMEOUT_S = 10
TOKEN_SUBPROTOCOL = "v1.token.websocket.jupyter.org"


class Client:
    """One client of the endpoint at ``url`` (ends in "/")."""

    def __init__(self, url, token, kernel_id):
        self.url = url
        self.token = token
        self.kernel_id = kernel_id

    @classmethod
    def of(cls, serving):
        return cls(serving.url, serving.token, serving.kernel_id)

    def ask(self, path, *, method="GET", body=None, token=None, **headers):
        """Return status, headers and the JSON (or bytes) of the answer."""
        token = self.token if token is None else token
        authorization = {"Authorization": f"token {token}"} if token else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            self.url + path, method=method, data=body, headers={**authorization, **named}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.headers, _value(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, _value(error)

    @contextmanager
    def socket(self, *, subprotocols=(V1,), token=None, query="", **headers):
        """Open the channels WebSocket; the token goes into the Authorization header."""
        token = self.token if token is None else token
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with connect(
            f"ws{self.url[4:]}api/kernels/{self.kernel_id}/channels{query}",
            subprotocols=list(subprotocols) or None,
            additional_headers={**authorization, **named},
            max_size=None,
            open_timeout=TIMEOUT_S,
            close_timeout=1,  # a page that does not read does not answer a close either
            compression=None,
        ) as websocket:
            yield Socket(websocket)


class Socket:
    """A page without a browser."""

    def __init__(self, websocket):
        self.websocket = websocket
        self.session = f"session-{id(self)}"
        self._codec = ws_v1 if websocket.subprotocol == V1 else ws_default
        self._numbers = itertools.count(1)

    def send(self, msg_type, content, *, channel="shell", metadata=None, buffers=()):
        """Send a message; return its id."""
        msg_id = f"{self.session}-{next(self._numbers)}"
        header = new_header(msg_type, msg_id=msg_id, session=self.session, now=time.time())
        views = tuple(map(memoryview, buffers))
        message = Message(channel, header, {}, metadata or {}, content, views)
        self.websocket.send(self._codec.encode(message))
        return msg_id

    def receive(self):
        """Return the next message."""
        return self._codec.decode(self.websocket.recv(timeout=TIMEOUT_S))

    def until_idle(self, msg_id):
        """Return everything about the message with this id, in order, ``idle`` included."""
        received = []
        while not received or received[-1].content.get("execution_state") != "idle":
            message = self.receive()
            if message.parent_header.get("msg_id") == msg_id:
                received.append(message)
        return received

    def until(self, msg_type):
        """Return the next message of a type, passing over others."""
        while (message := self.receive()).msg_type != msg_type:
            pass
        return message

    def ask(self, msg_type, content=None):
        """Send a request and return the content of its reply; ``idle`` has arrived as well then.

        Channels are not ordered relative to each other: a real kernel's idle may overtake its reply.
        """
        msg_id = self.send(msg_type, content or {})
        reply, is_idle = None, False
        while reply is None or not is_idle:
            message = self.receive()
            if message.parent_header.get("msg_id") == msg_id:
                reply = message.content if message.channel == "shell" else reply
                is_idle = is_idle or message.content.get("execution_state") == "idle"
        return reply


def _value(answer):
    body = answer.read()
    is_json = answer.headers.get_content_type() == "application/json"
    return json.loads(body) if is_json and body else body
