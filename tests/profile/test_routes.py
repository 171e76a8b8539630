"""Which way a message goes: the rules alone, then what real managers send by which route."""

from __future__ import annotations

import pytest

from lanes import Lanes, MemoryLane, run
from tsushin.profile.control import TARGET, control_id, is_control
from tsushin.profile.peer import Peer
from tsushin.profile.routes import MAX_PLAIN, Routes
from tsushin.protocol.messages import Message
from tsushin.testing import comm_pair

STANDARD = None


class Ways:
    """Routes of one end, and what was emitted: type and way, in order."""

    def __init__(self, *sessions, laned=(), is_kernel=True):
        self.peers = {s: Peer(s, control_id(s), (), "e", {}, {}) for s in sessions}
        self.emitted = []
        self.routes = Routes(self.peers, is_kernel=is_kernel, emit=self.emit)
        for session in laned:
            self.peers[session].has_lane = True
        self.routes.update()

    def emit(self, message, way):
        self.emitted.append(way)

    def of(self, msg_type, comm_id="c"):
        self.emitted.clear()
        self.routes.send(Message("iopub", {"msg_type": msg_type}, content={"comm_id": comm_id}))
        return self.emitted


@pytest.mark.parametrize("msg_type", ["comm_open", "comm_msg", "comm_close"])
def test_without_lanes_everything_goes_by_the_standard_route(msg_type):
    assert Ways().of(msg_type) == [STANDARD]
    assert Ways("a", "b").of(msg_type) == [STANDARD]


def test_an_open_goes_by_no_lane():
    assert Ways("a", laned="a").of("comm_open") == [STANDARD]
    assert Ways("kernel", laned=["kernel"], is_kernel=False).of("comm_open") == [STANDARD]


def test_what_a_laned_session_has_open_goes_by_its_lane_only():
    ways = Ways("a", "b", laned="ab")
    assert ways.of("comm_msg") == ["a", "b", STANDARD]  # nobody told that it has the comm
    ways.peers["b"].open.add("c")
    assert ways.of("comm_msg") == ["a", "b"]
    assert ways.of("comm_msg", "another") == ["a", "b", STANDARD]


def test_a_close_of_a_kernel_end_goes_every_way_and_a_frontends_by_its_lane():
    ways = Ways("a", laned="a")
    ways.peers["a"].open.add("c")
    assert ways.of("comm_close") == ["a", STANDARD]
    assert Ways("kernel", laned=["kernel"], is_kernel=False).of("comm_close") == ["kernel"]


def test_a_session_without_a_lane_gets_it_by_the_standard_route():
    ways = Ways("a", "b", laned="a")
    ways.peers["a"].open.add("c")
    assert ways.of("comm_msg") == ["a", STANDARD]
    assert ways.routes.has_unlaned


def test_as_long_as_a_plain_session_is_known_the_standard_route_is_used():
    ways = Ways("a", laned="a")
    ways.peers["a"].open.add("c")
    ways.routes.heard_plain("p")
    assert ways.of("comm_msg") == ["a", STANDARD]
    ways.routes.met(["p"])
    assert ways.of("comm_msg") == ["a"]


def test_who_said_hello_is_plain_no_more_and_peers_never_are():
    ways = Ways("a", laned="a")
    ways.peers["a"].open.add("c")
    ways.routes.heard_plain("a")
    ways.routes.met(["a page's other session"])
    ways.routes.heard_plain("a page's other session")
    assert ways.of("comm_msg") == ["a"]


def test_so_many_plain_sessions_are_remembered():
    ways = Ways("a", laned="a")
    for n in range(3 * MAX_PLAIN):
        ways.routes.heard_plain(f"p{n}")
        ways.routes.met([f"m{n}"])
    assert len(ways.routes._plain) == len(ways.routes._not_plain) == MAX_PLAIN


@pytest.mark.parametrize(
    ("ways", "is_for_plain"),
    [
        (Ways(), True),
        (Ways("a"), False),  # it confirms: it is not lost
        (Ways("a", "b", laned="a"), False),
        (Ways("a", laned="a"), True),  # whether it has the comm is not known
        (Ways("kernel", laned=["kernel"], is_kernel=False), False),
    ],
)
def test_what_only_plain_frontends_hear_is_to_be_paced(ways, is_for_plain):
    assert ways.routes.is_for_plain("c") is is_for_plain


def test_what_no_plain_frontend_hears_is_not_paced():
    ways = Ways("a", laned="a")
    ways.peers["a"].open.add("c")
    assert not ways.routes.is_for_plain("c")
    ways.routes.heard_plain("p")
    assert ways.routes.is_for_plain("c")


def test_for_one_peer_it_is_its_lane_or_the_standard_route():
    ways = Ways("a", "b", laned="a")
    message = Message("iopub", {}, content={"comm_id": "c"})
    for peer in (ways.peers["a"], ways.peers["b"], None):
        ways.routes.send_to(peer, message)
    assert ways.emitted == ["a", STANDARD, STANDARD]


# ------------------------------------------------------------------ with real managers


@pytest.fixture
def pair():
    """A kernel and two frontends of the profile; the first has a lane."""
    pair = comm_pair(frontends=2, on_unknown="ignore")
    for end in pair.ends:
        end.sessions.use_lanes(Lanes())
        end.got = []
        end.register_target("t", lambda comm, _, end=end: listen(comm, end.got))
    pair.join()
    pair.lane = MemoryLane(pair.kernel, pair.frontends[0])
    pair.lane.begin()
    return pair


def listen(comm, got):
    comm.on_msg(lambda m: got.append((m["content"]["data"], [*map(bytes, m["buffers"])])))
    comm.on_gap(lambda missed: got.append(f"gap {missed}"))
    comm.handle("who", lambda _: "me")


def standard(pair):
    """Take what went by the standard route: type and comm id."""
    found = [(m.msg_type, m.content["comm_id"]) for m in pair.sent]
    pair.sent.clear()
    return found


def test_a_frontends_messages_go_by_its_lane_and_its_open_does_not(pair):
    run(pair, pair.lane)
    standard(pair)
    comm = pair.frontends[0].new_comm("t", comm_id="c")
    comm.send({"n": 1})
    comm.close()
    run(pair, pair.lane)
    assert ("comm_open", "c") in standard(pair)
    assert pair.kernel.got == [({"n": 1}, [])]
    assert pair.kernel.comms == {}


def test_what_comes_by_the_lane_before_its_open_waits_for_it(pair):
    pair.frontends[0].new_comm("t").send({"n": 1})
    while "kernel" in pair.lane.choices():
        pair.lane.step("kernel")
    assert pair.kernel.got == []
    run(pair, pair.lane)
    assert pair.kernel.got == [({"n": 1}, [])]


@pytest.mark.parametrize("to", [0, 1])
def test_a_message_for_one_reaches_it_whole_whichever_route_is_faster(pair, to):
    comm = pair.kernel.new_comm("t")
    run(pair, pair.lane)
    comm.send({"n": 1}, to=pair.frontends[to].name, buffers=[b"b"])
    comm.send({"n": 2})
    pair.run()  # the standard route first, then the lane
    run(pair, pair.lane)
    whole = [({"n": 1}, [b"b"]), ({"n": 2}, [])]
    assert pair.frontends[to].got == whole
    assert pair.frontends[1 - to].got == whole[1:]


def test_what_is_for_a_laned_session_shows_no_data_on_the_standard_route(pair):
    comm = pair.kernel.new_comm("t")
    run(pair, pair.lane)
    pair.sent.clear()
    comm.send({"secret": 1}, to="frontend 0", buffers=[b"secret"])
    run(pair, pair.lane)
    assert not any("secret" in str(m.content) or m.buffers for m in pair.sent)
    assert not any(m.content["comm_id"] in (TARGET, comm.comm_id) for m in pair.sent)


def test_when_the_lane_begins_and_ends_what_is_not_confirmed_goes_the_other_way(pair):
    comm = pair.kernel.new_comm("t")
    run(pair, pair.lane)
    for n in range(5):
        comm.send({"n": n})
    pair.lane.end()
    comm.send({"n": 5})
    run(pair)
    assert [d["n"] for d, _ in pair.frontends[0].got] == list(range(6))
    link = pair.frontends[0].links[0]
    comm.send({"n": 6})
    while link.held():
        link.drop("iopub")
    pair.lane = MemoryLane(pair.kernel, pair.frontends[0])
    pair.lane.begin()
    comm.send({"n": 7})
    run(pair, pair.lane)
    assert [d["n"] for d, _ in pair.frontends[0].got] == list(range(8))
    assert pair.frontends[0].got == pair.frontends[1].got


@pytest.mark.parametrize("side", ["kernel", "front"])
def test_a_hello_and_an_offer_arrive_although_the_other_end_believes_in_a_dead_lane(pair, side):
    front = pair.frontends[0]
    pair.lane.die()
    pair.lane.notice(side)
    front.sessions.join()
    assert front.sessions._profile.is_asking
    pair.run()
    assert not front.sessions._profile.is_asking
    asked, offered = pair.kernel.sessions._lanes.asks, front.sessions._lanes.offers
    front.sessions.ask_lane("")
    pair.run()
    assert asked == [(front.name, "")]
    pair.kernel.sessions.offer_lane(front.name, 1, "token")
    pair.run()
    assert offered == [(1, "token")]


def test_a_mark_comes_back_when_all_before_it_has_arrived_and_before_what_comes_after(pair):
    front = pair.frontends[0]
    comm = front.new_comm("t")
    run(pair, pair.lane)
    for n in range(300):
        comm.send({"n": n})
    marked = front.sessions.arrived_by_lane(1.0)
    while marked.is_waiting():
        for side in pair.lane.choices():
            pair.lane.step(side)
    assert [d["n"] for d, _ in pair.kernel.got] == list(range(300))


def test_a_mark_is_settled_when_the_lane_ends_and_there_is_none_without_a_lane(pair):
    front = pair.frontends[0]
    marked = front.sessions.arrived_by_lane(1.0)
    pair.lane.end()
    assert not marked.is_waiting()
    assert front.sessions._marks == {}
    assert front.sessions.arrived_by_lane(1.0) is None


def test_with_lanes_only_nothing_but_control_stays_off_the_standard_route(pair):
    other = MemoryLane(pair.kernel, pair.frontends[1])
    other.begin()
    comm = pair.kernel.new_comm("t", comm_id="c")
    run(pair, pair.lane, other)
    pair.clock.advance(1)  # they tell that they have it
    for end in pair.ends:
        end.runtime.ring()
    run(pair, pair.lane, other)
    standard(pair)
    for n in range(100):
        comm.send({"n": n})
    comm.send({"n": 100}, to="frontend 1")
    run(pair, pair.lane, other)
    assert standard(pair) == []
    assert len(pair.frontends[0].got) == 100
    assert len(pair.frontends[1].got) == 101
    comm.close()
    assert standard(pair) == [("comm_close", "c")]


def test_what_is_said_on_control_comms_goes_by_the_lane(pair):
    run(pair, pair.lane)
    standard(pair)
    comm = pair.kernel.new_comm("t")
    answer = comm.request("who", timeout=None, to="frontend 0")
    run(pair, pair.lane)
    assert answer.result(0) == "me"
    sessions = {m.session for m in pair.sent if is_control(m.content["comm_id"])}
    assert "frontend 0" not in sessions
