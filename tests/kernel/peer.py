"""A stock frontend at a real kernel: jupyter_client's blocking client, with what tests ask of it."""

from __future__ import annotations

import ast
import os
import time
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.manager import KernelManager

import tsushin

SOURCE = Path(tsushin.__file__).parent.parent
TARGET = "tsushin.session"
WAIT_S = 10  # for one message; a busy machine is slow, a lost message never comes

# What every kernel of these tests has: a list of the kernel's warnings, and a reset between tests.
PREPARE = """
import logging
import tsushin, tsushin.kernel
from tsushin import Comm
class _Keep(logging.Handler):
    def emit(self, record):
        faults.append(record.getMessage())
faults, seen = [], []
kernel = get_ipython().kernel
kernel.log.addHandler(_Keep(logging.WARNING))
"""
RESET = """
import asyncio, time
from tsushin import Comm
manager = tsushin.kernel.attach()
for one in list(manager.comms.values()):
    one.close()
manager.targets.clear()
faults.clear(), seen.clear()
"""


class Peer:
    """One client of one kernel. Messages nobody asked for yet are kept, in order."""

    def __init__(self, manager, client):
        self.manager = manager
        self.client = client
        self.session = client.session
        self.kept = []

    # ------------------------------------------------------------------ cells

    def run(self, code):
        """Run a cell; return its iopub messages. An error in it fails the test."""
        msg_id = self.client.execute(code)
        messages = self.until_idle(msg_id)
        for message in messages:
            if message["msg_type"] == "error":
                raise AssertionError("\n".join(message["content"]["traceback"]))
        return messages

    def value(self, expression):
        """Return the value of a Python expression in the kernel, a literal."""
        msg_id = self.client.execute("", user_expressions={"value": expression})
        self.until_idle(msg_id)
        reply = self.reply(msg_id)["content"]["user_expressions"]["value"]
        assert reply["status"] == "ok", reply
        return ast.literal_eval(reply["data"]["text/plain"])

    def reply(self, msg_id):
        """Return the reply to a request; older replies are dropped."""
        while True:
            reply = self.client.get_shell_msg(timeout=WAIT_S)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply

    # ------------------------------------------------------------------ the profile

    @contextmanager
    def joined(self):
        """Be a session of the profile: the kernel counts on answers from here."""
        session = self.session.session
        hello = {"profile": 1, "session": session, "epoch": "e", "sent": {}}
        open_ = {"comm_id": f"{TARGET}.{session}", "target_name": TARGET, "data": hello}
        self.until_idle(self.send("comm_open", open_))
        yield
        self.until_idle(self.send("comm_close", {"comm_id": f"{TARGET}.{session}", "data": {}}))

    # ------------------------------------------------------------------ messages

    def send(self, msg_type, content, *, metadata=None, buffers=None, channel="shell", header=None):
        """Send any message; ``content`` may be bytes, ``metadata`` any JSON. Returns its id."""
        message = self.session.msg(msg_type)
        message["header"] |= header or {}
        message["content"] = content
        message["metadata"] = metadata or {}
        where = getattr(self.client, f"{channel}_channel").socket
        self.session.send(where, message, buffers=buffers)
        return message["header"]["msg_id"]

    def exchange(self, msg_type, content, **options):
        """Send a message; return what it caused on iopub, busy and idle included."""
        return self.until_idle(self.send(msg_type, content, **options))

    def open(self, comm_id, target_name, data=None, **options):
        """Open a comm from here."""
        content = {"comm_id": comm_id, "target_name": target_name, "data": data or {}}
        return self.exchange("comm_open", content, **options)

    def msg(self, comm_id, data=None, **options):
        """Send on a comm."""
        return self.exchange("comm_msg", {"comm_id": comm_id, "data": data or {}}, **options)

    def close(self, comm_id, data=None, **options):
        """Close a comm from here."""
        return self.exchange("comm_close", {"comm_id": comm_id, "data": data or {}}, **options)

    def until_idle(self, msg_id):
        """Return the iopub messages caused by ``msg_id``, in order, from busy to idle."""
        caused = []
        while True:
            message = self.wait(lambda m: m["parent_header"].get("msg_id") == msg_id)
            caused.append(message)
            if message["content"].get("execution_state") == "idle":
                return caused

    def wait(self, wanted):
        """Return the first iopub message that ``wanted`` accepts; the others stay."""
        for i, message in enumerate(self.kept):
            if wanted(message):
                return self.kept.pop(i)
        until = time.monotonic() + WAIT_S
        while True:
            message = self.client.get_iopub_msg(timeout=max(0, until - time.monotonic()))
            if str(message["content"].get("comm_id")).startswith(TARGET):
                continue  # sessions: not what tests wait for
            if wanted(message):
                return message
            self.kept.append(message)

    def wait_type(self, msg_type):
        """Return the next iopub message of this type."""
        return self.wait(lambda m: m["msg_type"] == msg_type)

    def comm_info(self, content=None):
        """Return the comms of a ``comm_info_reply``."""
        msg_id = self.send("comm_info_request", {} if content is None else content)
        self.until_idle(msg_id)
        return self.reply(msg_id)["content"]["comms"]


def of_type(messages, msg_type):
    """Return the messages of one type."""
    return [m for m in messages if m["msg_type"] == msg_type]


def data_of(messages):
    """Return the data of each ``comm_msg``."""
    return [m["content"]["data"] for m in of_type(messages, "comm_msg")]


def printed(messages):
    """Return what was printed, stdout and stderr together."""
    return "".join(m["content"]["text"] for m in of_type(messages, "stream"))


@contextmanager
def started(*, env=None, prepare=PREPARE, path=SOURCE, python=None, argv=None):
    """Start a kernel that imports from ``path`` first, and connect; both end with the block.

    ``python`` is that of another environment, with another ipykernel; ``argv`` starts another kernel.
    """
    manager = KernelManager(kernel_name="python3")
    if python is not None:
        manager.kernel_spec.argv[0] = python
    if argv is not None:
        manager.kernel_spec.argv = argv
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(path), **(env or {})})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=15)
        peer = Peer(manager, client)
        peer.run(prepare)
        yield peer
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
