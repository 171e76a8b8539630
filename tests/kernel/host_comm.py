"""A host of widget models for tests: what marimo puts into the ``comm`` package, and what it sees."""

from __future__ import annotations

import comm


class HostComm:
    """A comm as marimo makes it: it keeps what was sent, and hands on what a page says."""

    def __init__(self, *, target_name, data, metadata, comm_id):
        self.opened = (target_name, data, metadata)
        self.comm_id = comm_id
        self.sent = []
        self._closed = False

    def on_msg(self, callback):
        self._callback = callback

    def send(self, data=None, metadata=None, buffers=None):
        assert not self._closed
        self.sent.append((data, list(buffers or ())))

    def close(self):
        self._closed = True

    def custom(self, content, buffers=()):
        """A page's custom message arrives."""
        self.arrive({"method": "custom", "content": content}, buffers)

    def arrive(self, data, buffers=()):
        self._callback({"content": {"data": data}, "buffers": list(buffers)})

    @property
    def customs(self):
        """The contents of the custom messages sent."""
        return [data["content"] for data, _ in self.sent if data["method"] == "custom"]


def install(monkeypatch):
    """Make comms here from now on; returns the list of them."""
    made = []

    def create_comm(**options):
        made.append(HostComm(**options))
        return made[-1]

    monkeypatch.setattr(comm, "create_comm", create_comm)
    return made
