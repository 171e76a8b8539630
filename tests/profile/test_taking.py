"""Who asks for what when comms are taken up; with real managers in ``tests/test_taking_up.py``."""

from __future__ import annotations

import pytest

from tsushin.profile.events import Taken
from tsushin.profile.peer import Peer
from tsushin.profile.sequence import Incoming
from tsushin.profile.taking import Taking
from tsushin.protocol.messages import Message, new_header

OPEN = Message(
    "iopub",
    new_header("comm_open", msg_id="1", session="k", now=0),
    content={"comm_id": "c", "data": {}},
)


class Outbox:
    """What a kernel end has kept."""

    def __init__(self):
        self.number = {"c": 7}

    def kept(self, comm_id):
        return [OPEN] if comm_id == "c" else []


class Arrivals:
    """Notes where sequences begin anew."""

    def __init__(self):
        self.restarted = []

    def restart(self, peer, comm_id, number, now):
        self.restarted.append((comm_id, number))
        return []


class World:
    def __init__(self, features=("restore",)):
        self.peer = Peer("s", "tsushin.session.s", features, "e", has={}, began={})
        self.told, self.events, self.open, self.arrivals = [], [], [], Arrivals()
        self.peers = {"s": self.peer}
        self.taking = Taking(
            self.peers,
            Outbox(),
            self.arrivals,
            tell=lambda peer, data, now, buffers=(): self.told.append(data),
            event=self.events.append,
            open_comms=lambda: self.open,
        )


@pytest.fixture
def world():
    return World()


def test_a_frontend_asks_and_is_told_once(world):
    world.taking.restore(["c", "d"], 0.0)
    assert world.told == [{"restore": ["c", "d"]}]
    for _ in range(2):
        world.taking.take(world.peer, "c", 7, [OPEN], 0.0)
    assert world.events == [Taken("c", (OPEN,))]
    assert world.arrivals.restarted == [("c", 7)]


def test_an_answer_that_is_older_than_what_came_since_is_asked_for_once_more(world):
    world.taking.restore(["c"], 0.0)
    world.peer.incoming["c"] = Incoming(9)
    assert world.taking.take(world.peer, "c", 7, [OPEN], 0.0) == []
    assert (world.told[1:], world.events) == ([{"restore": ["c"]}], [])


def test_a_comm_that_is_open_goes_on_where_it_is(world):
    world.open.append("c")
    world.taking.restore(["c"], 0.0)
    world.taking.take(world.peer, "c", 7, [OPEN], 0.0)
    assert (world.events, world.arrivals.restarted) == ([Taken("c", (OPEN,))], [])


def test_with_nobody_to_ask_it_ends(world):
    world.taking.restore(["c"], 0.0)
    world.taking.end_all()
    world.peers.clear()
    world.taking.restore(["d"], 0.0)
    assert world.events == [Taken("c", ()), Taken("d", ())]


def test_a_kernel_end_tells_the_number_and_what_is_kept(world):
    world.taking.restored("s", ["c", "other"], 0.0)
    first, second = world.told
    assert (first["restored"], len(first["kept"])) == ({"c": 7}, 1)
    assert second == {"restored": {"other": 0}, "kept": []}
    world.taking.reopened("s", OPEN, 0.0)
    assert world.told[2]["kept"][0]["content"] == OPEN.content
    world.taking.withhold("s", ["x"], 0.0)
    assert world.told[3] == {"withheld": ["x"]}
    world.taking.restored("nobody", ["c"], 0.0)
    world.taking.withhold("nobody", ["c"], 0.0)
    assert len(world.told) == 4


def test_who_does_not_know_of_it_is_not_asked():
    assert World().taking.can_restore()
    assert not World(features=()).taking.can_restore()
