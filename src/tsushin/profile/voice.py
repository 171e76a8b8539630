"""What one end says on control comms: each a comm message of its own, by the peer's lane where it has one.

Spec: spec/profile.md, "Sessions".
"""

from __future__ import annotations

from collections.abc import Callable

from tsushin.profile.control import TARGET, Control, control_data
from tsushin.profile.peer import Peer, peer_of
from tsushin.profile.routes import Routes
from tsushin.protocol.messages import Channel, Header, JsonObject, Message


class Voice:
    """Makes and sends what is said on control comms.

    Args:
        channel: what this end sends on.
        new_header: makes the header of a message of a type.
        peers: who is there, by session; the caller's.
        routes: which way a message goes.
    """

    def __init__(
        self,
        channel: Channel,
        new_header: Callable[[str, float], Header],
        peers: dict[str, Peer],
        routes: Routes,
    ) -> None:
        self._channel = channel
        self._new_header = new_header
        self._peers = peers
        self._routes = routes

    def say(
        self, comm_id: str, data: JsonObject, now: float, *, buffers: tuple[memoryview, ...] = ()
    ) -> None:
        """Say something that is out of date soon, or was asked for and is asked for again."""
        self._routes.send_to(
            peer_of(self._peers, comm_id), self.message(comm_id, data, now, buffers=buffers)
        )

    def say_goodbye(self, comm_id: str, now: float) -> None:
        """Close a control comm."""
        message = self.message(comm_id, {}, now, msg_type="comm_close")
        self._routes.send_to(peer_of(self._peers, comm_id), message)

    def say_beside_lanes(
        self, comm_id: str, control: Control, now: float, *, msg_type: str = "comm_msg"
    ) -> None:
        """Say something by the standard route: the peer's lane may be gone, and only the peer knows."""
        self._routes.send_to(
            None, self.message(comm_id, control_data(control), now, msg_type=msg_type)
        )

    def message(
        self,
        comm_id: str,
        data: JsonObject,
        now: float,
        *,
        msg_type: str = "comm_msg",
        buffers: tuple[memoryview, ...] = (),
    ) -> Message:
        """Return a message of a control comm."""
        content: JsonObject = {"comm_id": comm_id, "data": data}
        if msg_type == "comm_open":
            content["target_name"] = TARGET
        header = self._new_header(msg_type, now)
        return Message(self._channel, header, {}, {}, content, buffers)
