"""Comms that a session takes up which was not there when they were opened: a page loaded again, a second tab.

At a kernel end: who is given what, and what becomes of comms whose page does not come back. At a frontend:
what comes of it.

Spec: spec/profile.md, "Taking up".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from msgspec.structs import replace

from tsushin.comm import Comm
from tsushin.expected import Expected
from tsushin.profile.control import with_entry
from tsushin.protocol.buffers import encode_data
from tsushin.protocol.messages import CommInfo, JsonObject, Message
from tsushin.runtime import Run, Runtime
from tsushin.sessions import Sessions

# Seconds in which a page may come back for the comms it opened.
CLAIM_S: Final = 60.0
RESTORE_TIMEOUT_S: Final = 60.0


class Host(Protocol):
    """What is asked of the manager."""

    runtime: Runtime

    @property
    def sessions(self) -> Sessions:
        """Its peers."""

    # Any: a Comm, or another package's.
    def get_comm(self, comm_id: str) -> Any | None:
        """Return an open comm, or None."""

    def opened_by_peers(self) -> list[Comm]:
        """Return the open comms that this end did not open."""

    def runtime_for(self, run: Run) -> Runtime:
        """Return what runs the handlers of a comm."""

    def deliver(self, message: Message) -> None:
        """Handle a comm message. On the handler thread."""

    def made_up(self, msg_type: str, about: JsonObject, tsushin: JsonObject) -> Message:
        """Build a message that no peer has sent."""

    def restore(self, comms: CommInfo) -> list[str]:
        """Open comms of which nothing but id and target is known."""

    def restorable(self, comms: CommInfo) -> CommInfo:
        """Return those that ``restore`` would offer."""


class TakingUp:
    """The comms of one manager that sessions take up.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(self, host: Host, clock: Callable[[], float]) -> None:
        self._host = host
        self._clock = clock
        self._gone: dict[str, float] = {}  # comm id -> when its page left
        self._asked: dict[str, tuple[CommInfo, Expected[list[str]]]] = {}  # comm id -> for whom

    # ------------------------------------------------------------------ at a kernel end

    def asked(self, session: str, comm_ids: Iterable[str]) -> None:
        """A session takes up comms."""
        sessions = self._host.sessions
        ours, withheld = list[str](), list[str]()
        for comm_id in comm_ids:
            comm = self._host.get_comm(comm_id)
            if comm is None or not self._may_take(comm, session):
                withheld.append(comm_id)
            elif isinstance(comm, Comm) and not comm.primary:
                sessions.reopened(session, self._opening(comm))
            else:
                ours.append(comm_id)
        sessions.restored(session, ours)
        if withheld:
            sessions.withhold(session, withheld)
        for comm_id in ours:
            self._send_snapshot(comm_id, session)

    # Any: a Comm, or another package's.
    def _may_take(self, comm: Any, session: str) -> bool:
        """Say whether a session may have a comm: the kernel opened it, or a page that was in the same tab."""
        if not isinstance(comm, Comm) or comm.primary:
            return True
        sessions, opener = self._host.sessions, _opener(comm)
        tab = sessions.tab(session)
        return opener == session or bool(
            tab and tab == sessions.tab(opener) and not sessions.is_live(opener)
        )

    def _opening(self, comm: Comm) -> Message:
        message = self._host.made_up(
            "comm_open", {"comm_id": comm.comm_id, "target_name": comm.target_name}, {}
        )
        opened = comm.open_msg
        if opened is None:  # it was adopted
            return message
        encoded = encode_data(opened["content"].get("data", {}), None, opened["buffers"])
        content = {**message.content, "data": encoded.data}
        return replace(message, content=content, metadata=encoded.metadata, buffers=encoded.buffers)

    def _send_snapshot(self, comm_id: str, session: str) -> None:
        comm = self._host.get_comm(comm_id)
        if isinstance(comm, Comm) and comm._snapshot is not None:
            runtime = self._host.runtime_for(comm.run)
            runtime.soon(lambda: comm._send_snapshot(session))

    def peer_left(self, session: str, accepted: Iterable[str]) -> None:
        """A session is gone. Comms that a page of it had opened are closed, unless it comes back."""
        had = set(accepted)
        orphans = [
            comm.comm_id
            for comm in self._host.opened_by_peers()
            if _opener(comm) == session or comm.comm_id in had
        ]
        if orphans and self._host.sessions.is_kernel:
            self._gone.update(dict.fromkeys(orphans, self._clock()))
            self._host.runtime.later(CLAIM_S, self._close_orphans)

    def _close_orphans(self) -> None:
        now, sessions = self._clock(), self._host.sessions
        for comm_id, since in list(self._gone.items()):
            if now - since < CLAIM_S - 1e-3:
                continue
            del self._gone[comm_id]
            comm = self._host.get_comm(comm_id)
            is_held = isinstance(comm, Comm) and (
                sessions.is_live(_opener(comm)) or bool(sessions.peers.with_open(comm_id))
            )
            if isinstance(comm, Comm) and not is_held:
                lost = {"lost": f"the page that opened it is gone for {CLAIM_S:g} s"}
                close = self._host.made_up("comm_close", {"comm_id": comm_id}, lost)
                self._deliver_soon(comm, close)

    def _deliver_soon(self, comm: Comm, message: Message) -> None:
        self._host.runtime_for(comm.run).soon(lambda: self._host.deliver(message))

    # ------------------------------------------------------------------ at a frontend

    def begin(self, comms: CommInfo) -> Expected[list[str]]:
        """Take up comms that the kernel has open; return the ids of those that were, to come."""
        wanted = self._host.restorable(comms)
        found: Expected[list[str]] = Expected(
            "how comms stand", timeout_s=RESTORE_TIMEOUT_S, wait=self._host.runtime.wait
        )
        if not wanted or not self._host.sessions.can_restore():
            found.settle(self._host.restore(wanted))
            return found
        for comm_id in wanted:
            self._asked[comm_id] = wanted, found
        self._host.sessions.restore(wanted)
        return found

    def taken(self, comm_id: str, messages: tuple[Message, ...] | None) -> None:
        """The kernel end has told how a comm stands, or has not."""
        wanted, found = self._asked.pop(comm_id, ({}, None))
        if messages:
            if self._host.get_comm(comm_id) is None:
                for message in messages:
                    self._host.deliver(with_entry(message, {"restored": True}))
        elif messages is not None and comm_id in wanted:
            self._host.restore({comm_id: wanted[comm_id]})
        if found is not None and not any(one is found for _, one in self._asked.values()):
            found.settle([i for i in wanted if self._host.get_comm(i) is not None])

    def missed(self, comm_id: str) -> None:
        """Messages of a comm are lost for good: the kernel end's snapshot of it is wanted."""
        if self._host.sessions.can_restore():
            self._host.sessions.restore((comm_id,))


def _opener(comm: Comm) -> str:
    """Return the session that opened a comm; "" where that is not known."""
    opened = comm.open_msg
    return "" if opened is None else opened["header"].get("session", "")
