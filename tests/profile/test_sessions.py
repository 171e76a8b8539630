"""The sessions of a kernel end and its frontends: nothing is lost, doubled or out of order.

Real managers over memory links; what a link does (delay, loss, repetition) is chosen by the tests.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lanes import World, simulate
from listening import controls, listen, lose
from tsushin.profile import flow, outbox, pieces
from tsushin.profile.arrivals import MAX_ASKS
from tsushin.profile.control import TARGET, control_id
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.testing import comm_pair


def test_without_a_peer_messages_have_no_number_and_nothing_is_said(pair):
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    pair.pass_time(100)
    assert [m.metadata for m in pair.sent] == [{}, {}]


def test_every_message_has_its_number(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    comm.close()
    pair.run()
    numbers = [
        m.metadata["tsushin"]["n"] for m in pair.sent if m.content["comm_id"] == comm.comm_id
    ]
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_message_is_sent_again_and_nobody_hears_another_twice(pair, lost):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    for n in range(4):
        comm.send({"n": n})
        if n == lost:
            lose(pair.frontends[0])
        pair.run()
    pair.pass_time(60)
    assert pair.frontends[0].got == pair.frontends[1].got == [0, 1, 2, 3]


def test_a_lost_open_and_a_lost_close_are_sent_again(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    lose(pair.frontends[0])
    comm.send({"n": 1})
    pair.run()
    comm.close()
    lose(pair.frontends[0])
    pair.pass_time(60)
    assert pair.frontends[0].got == pair.frontends[1].got == [1, "closed"]


def test_what_a_frontend_sends_is_sent_again_too(pair):
    pair.join()
    pair.kernel.got = []
    pair.kernel.register_target("k", listen(pair.kernel.got))
    comm = pair.frontends[0].new_comm("k")
    pair.run()
    for n in range(5):
        comm.send({"n": n})
    lose(pair.kernel, "shell", most=3)
    pair.pass_time(60)
    assert pair.kernel.got == [0, 1, 2, 3, 4]


def test_buffers_and_binary_come_again_as_they_were(pair):
    pair.join()
    got = []
    pair.frontend.register_target("b", lambda comm, _: comm.on_msg(got.append))
    comm = pair.kernel.new_comm("b")
    pair.run()
    comm.send({"raw": b"abc"}, buffers=[b"x", b"yz"])
    lose(pair.frontends[0])
    pair.pass_time(10)
    [msg] = got
    assert bytes(msg["content"]["data"]["raw"]) == b"abc"
    assert [bytes(b) for b in msg["buffers"]] == [b"x", b"yz"]


def test_what_is_not_kept_any_more_is_a_gap_that_the_comm_hears_of(pair):
    few = comm_pair(limits=replace(DEFAULT_LIMITS, max_history_messages=4))
    few.frontend.got = []
    few.frontend.register_target("t", listen(few.frontend.got))
    few.join()
    comm = few.kernel.new_comm("t")
    few.run()
    for n in range(10):
        comm.send({"n": n})
    lose(few.frontend)
    few.pass_time(60)
    assert few.frontend.got in ([6, 7, 8, 9, "gap 6"], ["gap 6", 6, 7, 8, 9])


def test_without_on_gap_it_is_a_warning(pair):
    pair.join()
    pair.frontend.register_target("plain", lambda comm, msg: None)
    comm = pair.kernel.new_comm("plain")
    pair.run()
    pair.frontend._tell_gap(comm.comm_id, 3)
    pair.run()
    assert "3 messages were lost" in str(pair.frontend.runtime.faults[-1])


def test_when_all_have_everything_nothing_is_kept_and_nothing_is_said(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    for n in range(300):
        comm.send({"n": n})
    pair.pass_time(5)
    profile = pair.kernel.sessions._profile
    assert (profile._outbox._history, profile._outbox.nbytes) == ({}, 0)
    before = len(pair.sent)
    pair.pass_time(3600)
    assert len(pair.sent) == before
    assert pair.frontend.got == list(range(300))


def test_arrivals_are_told_in_few_messages(pair):
    pair.join(pair.frontends[0])
    comm = pair.kernel.new_comm("t")
    pair.pass_time(5)
    before = len(controls(pair))
    for n in range(640):
        comm.send({"n": n})
    pair.pass_time(5)
    assert len(controls(pair)) - before <= 640 // 64 + 2


def test_a_frontend_that_was_away_gets_what_it_missed(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    for n in range(5):
        comm.send({"n": n})
    lose(pair.frontends[0])  # the link was away
    pair.frontends[0].sessions.join()
    pair.pass_time(10)
    assert pair.frontends[0].got == [0, 1, 2, 3, 4]


def test_what_was_sent_while_the_link_was_away_arrives(pair):
    pair.kernel.got = []
    pair.kernel.register_target("k", listen(pair.kernel.got))
    pair.join()
    comm = pair.frontends[0].new_comm("k")
    pair.run()
    for n in range(5):
        comm.send({"n": n})
    lose(pair.kernel, "shell")
    pair.frontends[0].sessions.join()
    pair.pass_time(10)
    assert pair.kernel.got == [0, 1, 2, 3, 4]


def broken(pair):
    """Break the link of a frontend that joined: both ends sent something that the other lacks; return it."""
    frontend = pair.frontends[0]
    pair.kernel.got = []
    pair.kernel.register_target("k", listen(pair.kernel.got))
    pair.join(frontend)
    comm, back = pair.kernel.new_comm("t"), frontend.new_comm("k")
    pair.run()
    comm.send({"n": 0})
    lose(frontend)
    comm.send({"n": 1})  # behind a hole
    frontend.links[0].step("iopub")
    frontend.receive(frontend.links[0].receive_nowait())
    back.send({"n": 0})  # confirmed by nobody
    lose(pair.kernel, "shell")
    frontend.sessions.pause()
    return frontend


def pass_time_here(pair, end, seconds):
    """Let time pass at one end only: nothing it says arrives."""
    for _ in range(int(seconds / 0.25)):
        pair.clock.advance(0.25)
        end.runtime.ring()
        lose(pair.kernel, "shell")


def test_while_the_link_is_away_nothing_is_said_or_given_up(pair):
    frontend = broken(pair)
    before = len(pair.sent)
    pass_time_here(pair, frontend, 300)
    assert len(pair.sent) == before
    assert (len(frontend.peers), frontend.got) == (1, [])


@pytest.mark.parametrize("back", ["join", "decline"])  # the kernel answers, or does not say
def test_when_the_link_is_back_what_is_missing_at_both_ends_arrives(pair, back):
    frontend = broken(pair)
    pass_time_here(pair, frontend, 100)
    getattr(frontend.sessions, back)()
    pair.pass_time(5)
    assert (frontend.got, pair.kernel.got) == ([0, 1], [0])
    assert (len(frontend.peers), len(pair.kernel.peers)) == (1, 1)


def test_when_the_link_is_back_what_is_missing_has_its_whole_time_again(pair):
    frontend = broken(pair)
    frontend.sessions.join()
    pass_time_here(pair, frontend, 30)
    frontend.sessions.pause()
    frontend.sessions.join()
    pass_time_here(pair, frontend, 30.5)
    assert frontend.got == []
    pass_time_here(pair, frontend, 1)
    pair.run()
    assert sorted(map(str, frontend.got)) == ["1", "gap 1"]


def test_a_request_that_was_left_while_the_link_was_away_is_cancelled_after_it(pair):
    pair.join(pair.frontends[0])
    sessions, ended = pair.frontends[0].sessions, []
    hooks = pair.kernel.sessions._hooks
    pair.kernel.sessions._hooks = replace(hooks, cancelled=lambda *about: ended.append(about))
    sessions.pause()
    sessions.cancel("c1", "r1")
    assert lose(pair.kernel, "shell")  # as the host does
    sessions.join()
    pair.pass_time(2)
    assert ended == [("c1", "r1")]


def test_a_peer_that_talks_is_told_how_far_we_are_all_the_same(pair):
    pair.join(pair.frontends[0])
    comm = pair.kernel.new_comm("t")
    pair.pass_time(2)
    frontend = pair.frontends[0]
    comm.send({"n": 1})
    lose(frontend)
    for _ in range(10):  # it says something, more often than we repeat
        frontend.sessions.credit("c", "r", 1, "kernel")
        pair.pass_time(0.4)
    assert frontend.got == [1]


def test_a_gap_is_told_before_the_message_behind_it(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    comm.send({"n": 1})
    for frontend in pair.frontends:
        lose(frontend)
    pair.kernel.sessions._profile._outbox.forget_history()
    comm.send({"n": 2})
    pair.pass_time(40)
    assert pair.frontends[0].got == ["gap 1", 2]


@pytest.mark.parametrize(
    "data",
    [
        {"profile": "1"},
        {"profile": 1},
        {"profile": 1, "session": "somebody else", "epoch": "e"},
        {"seen": {"c": -1}},
        {"want": {"c": [1]}},
        {"again": [{"header": 1, "content": {}}]},
        {"again": [{"header": {}, "content": {}, "buffers": 1}]},
        {"cancel": [["c"]]},
        [],
    ],
)
def test_a_malformed_control_message_is_a_fault_and_changes_nothing(pair, data):
    pair.join()
    profile = pair.frontends[0].sessions._profile
    profile._voice.say(control_id("frontend 0"), data, 0)
    pair.frontends[0].sessions._push()
    pair.run()
    [fault] = pair.kernel.runtime.faults
    assert str(fault).startswith(TARGET)
    assert len(pair.kernel.peers) == 2


def test_what_is_said_on_a_control_comm_is_repaired_and_said_once(pair):
    pair.join(pair.frontends[0])
    frontend, kernel = pair.frontends[0], pair.kernel
    comm = kernel.new_comm("t")
    ready = comm.ready(None)
    pair.clock.advance(0.1)
    while frontend.links[0].held():
        frontend.links[0].step("iopub")
        frontend.receive(frontend.links[0].receive_nowait())
    frontend.runtime.step()
    pair.clock.advance(1)
    frontend.runtime.ring()
    assert lose(kernel, "shell", most=100)  # "accepted" among them
    pair.pass_time(5)
    assert ready.result(0).session == "frontend 0"
    said = [m.content["data"].get("accepted") for m in controls(pair)]
    assert said.count([comm.comm_id]) == 1
    assert pair.kernel.runtime.faults == []


def test_control_comms_are_in_nobodys_list(pair):
    pair.join()
    assert pair.kernel.comms == {}
    assert pair.kernel.comm_info() == {"status": "ok", "comms": {}}
    assert pair.kernel.unknown == pair.frontends[1].unknown == 0


# ---------------------------------------------------------------------- any order of events


LARGE = bytes(200)  # goes in several pieces, of 100 bytes here


class Link(RuleBasedStateMachine):
    """Two frontends and a kernel over links that delay, lose and repeat; then the links heal."""

    @initialize()
    def begin(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(outbox, "CUT_ABOVE_BYTES", 150)
        self.patch.setattr(pieces, "PIECE_BYTES", 100)
        self.pair = comm_pair(frontends=2, on_unknown="ignore")
        self.expected = {end: [] for end in ("kernel", "frontend 0", "frontend 1")}
        self.got = {end: [] for end in self.expected}
        self.asked = []
        for front in self.pair.frontends:
            front.register_target("t", listen(self.got[front.name], answer=front.name))
        self.pair.kernel.register_target("k", listen(self.got["kernel"], answer="kernel"))
        self.pair.join()
        self.comm = self.pair.kernel.new_comm("t", comm_id="kernels")
        self.back = self.pair.frontends[0].new_comm("k", comm_id="frontends")
        self.pair.run()
        self.n, self.passed = 0, 0.0

    @rule(times=st.integers(1, 70))
    def kernel_sends(self, times):
        for _ in range(times):
            self.n += 1
            self.comm.send({"n": self.n})
            for front in self.pair.frontends:
                self.expected[front.name].append(self.n)

    @rule(front=st.integers(0, 1), is_large=st.booleans())
    def kernel_sends_to_one(self, front, is_large):
        self.n += 1
        session = self.pair.frontends[front].name
        self.comm.send({"n": self.n}, buffers=[LARGE] if is_large else None, to=session)
        self.expected[session].append(self.n)

    @rule(is_large=st.booleans())
    def frontend_sends(self, is_large):
        self.n += 1
        self.back.send({"n": self.n}, buffers=[LARGE] if is_large else None)
        self.expected["kernel"].append(self.n)

    @rule(whom=st.sampled_from([None, "frontend 0", "frontend 1", "kernel"]))
    def somebody_is_asked(self, whom):
        comm, to = (self.back, None) if whom == "kernel" else (self.comm, whom)
        self.asked.append((whom, comm.request("who", timeout=None, to=to)))

    @rule(data=st.data(), what=st.sampled_from(["step", "step", "drop", "repeat"]))
    @precondition(lambda self: self.pair.choices())
    def link_does(self, data, what):
        choice = data.draw(st.sampled_from(self.pair.choices()))
        if choice.link is None or what == "step":
            choice.step()
        elif what == "drop":
            choice.link.drop(choice.channel)
        else:
            choice.link.repeat(choice.channel)
            message = choice.link.receive_nowait()
            choice.end.receive(message)

    # Whoever hears nothing for 31 s gives up, rightly: so long no link is away here.
    @rule(seconds=st.floats(0.01, 3))
    @precondition(lambda self: self.passed < 12)
    def time_passes(self, seconds):
        self.passed += seconds
        self.pair.clock.advance(seconds)
        for end in self.pair.ends:
            end.runtime.ring()

    @rule(front=st.integers(0, 1))
    def a_frontend_says_hello_again(self, front):
        self.pair.frontends[front].sessions.join()

    @invariant()
    def what_arrived_is_in_order(self):
        for name, got in self.got.items():
            assert got == self.expected[name][: len(got)], name

    @invariant()
    def what_is_held_is_bounded(self):
        for end in self.pair.ends:
            for peer in end.sessions._profile.peers.values():
                assert all(len(s.held) <= 4097 for s in peer.incoming.values())

    def teardown(self):
        if not hasattr(self, "pair"):
            return
        for _ in range(MAX_ASKS + 3):
            self.pair.pass_time(20)
        self.patch.undo()
        assert self.got == self.expected
        for whom, answer in self.asked:
            assert whom in (None, answer.result(0))
        for end in self.pair.ends:
            assert end.sessions._profile._outbox._history == {}


class ComingAndGoing(RuleBasedStateMachine):
    """A frontend that goes, comes back, and misses what is said in between; the other one misses nothing.

    While it is away its link loses whatever the test likes. What it heard before it went, and what is sent
    while it is here, it gets, once and in order.
    """

    @initialize()
    def begin(self):
        self.pair = comm_pair(frontends=2, on_unknown="ignore")
        self.stays, self.goes = self.pair.frontends
        self.got, self.due = {"stays": [], "goes": []}, {"stays": [], "goes": []}
        self.stays.register_target("t", listen(self.got["stays"]))
        self.goes.register_target("t", listen(self.got["goes"]))
        self.pair.join()
        self.comm = self.pair.kernel.new_comm("t", comm_id="kernels")
        self.pair.run()
        self.n, self.is_here, self.passed = 0, True, 0.0

    @rule(times=st.integers(1, 70))
    def kernel_sends(self, times):
        for _ in range(times):
            self.n += 1
            self.comm.send({"n": self.n})
            self.due["stays"].append(self.n)
            if self.is_here:
                self.due["goes"].append(self.n)

    @rule(most=st.integers(1, 20))
    @precondition(lambda self: self.goes.links[0].held())
    def its_link_loses(self, most):
        lose(self.goes, most=most)

    @rule()
    @precondition(lambda self: not self.is_here)
    def it_comes_back(self):
        self.goes.sessions.join()
        lose(self.goes)
        self.pair.run()
        self.is_here = bool(self.goes.peers)

    @rule()
    @precondition(lambda self: self.is_here)
    def it_goes(self):
        self.pair.pass_time(20)  # it has what is due
        self.goes.sessions.leave()
        self.pair.run()
        self.is_here = False

    @rule(seconds=st.floats(0.01, 3))
    @precondition(lambda self: self.passed < 12)
    def time_passes(self, seconds):
        self.passed += seconds
        self.pair.pass_time(seconds)

    @invariant()
    def nothing_is_doubled_or_out_of_order(self):
        for got in self.got.values():
            assert got == sorted(set(got))

    def teardown(self):
        if not hasattr(self, "pair"):
            return
        for _ in range(MAX_ASKS + 3):
            self.pair.pass_time(20)
        assert self.got["stays"] == self.due["stays"]
        assert set(self.due["goes"]) <= set(self.got["goes"])
        for end in self.pair.ends:
            assert end.sessions._profile._outbox._history == {}


class LanesComeAndGo(RuleBasedStateMachine):
    """Lanes begin and end at any time, at each end by itself, with messages on every route."""

    @initialize(is_lossy=st.booleans())
    def begin(self, is_lossy):
        self.patch = pytest.MonkeyPatch()
        small(self.patch)
        self.world = World(is_lossy=is_lossy)

    @rule(who=st.integers(0, 2), which=st.integers(0, 11), times=st.integers(0, 29))
    def somebody_sends(self, who, which, times):
        self.world.do_send(who, which, times)

    @rule(which=st.integers(0, 11), front=st.integers(0, 1), is_large=st.booleans())
    def the_kernel_sends_to_one(self, which, front, is_large):
        self.world.do_send_to_one(which, front, is_large)

    @rule(front=st.integers(0, 1), which=st.integers(0, 11))
    def a_frontend_sends_pieces(self, front, which):
        self.world.do_send_large(front, which)

    @rule(who=st.integers(0, 2))
    def somebody_opens(self, who):
        self.world.do_open(who)

    @rule(which=st.integers(0, 11))
    def somebody_closes(self, which):
        self.world.do_close(which)

    @rule(who=st.integers(0, 2), which=st.integers(0, 11))
    def somebody_asks(self, who, which):
        self.world.do_ask(who, which)

    @rule(which=st.integers(0, 50), times=st.integers(0, 19))
    def messages_arrive(self, which, times):
        self.world.do_arrive(which, times)

    @rule(which=st.integers(0, 50), is_repeated=st.booleans())
    def one_is_lost_or_repeated(self, which, is_repeated):
        self.world.do_lose(which, is_repeated)

    @rule(front=st.integers(0, 1), order=st.integers(0, 3))
    def a_lane_begins(self, front, order):
        self.world.do_lane_begin(front, order)

    @rule(which=st.integers(0, 3))
    def the_other_end_has_the_lane_too(self, which):
        self.world.do_lane_goes_on(which)

    @rule(which=st.integers(0, 20), times=st.integers(0, 29))
    def messages_arrive_by_lanes(self, which, times):
        self.world.do_lane_arrive(which, times)

    @rule(which=st.integers(0, 3), noticed=st.integers(0, 3))
    def a_lane_dies(self, which, noticed):
        self.world.do_lane_die(which, noticed)

    @rule()
    def that_is_noticed(self):
        self.world.do_notice()

    @rule(seconds=st.floats(0.01, 3))
    def time_passes(self, seconds):
        self.world.do_pass_time(seconds)

    @rule(front=st.integers(0, 1))
    def a_frontend_says_hello_again(self, front):
        self.world.do_hello(front)

    @invariant()
    def what_arrived_is_in_order_and_what_is_kept_bounded(self):
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self):
        if hasattr(self, "world"):
            try:
                self.world.settle()
            finally:
                self.patch.undo()


def small(patch):
    """Let little be much: pieces of 100 bytes, and a lane that takes 40 messages."""
    patch.setattr(outbox, "CUT_ABOVE_BYTES", 150)
    patch.setattr(pieces, "PIECE_BYTES", 100)
    patch.setattr(flow, "LANE_WINDOW", 40)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_whatever_becomes_of_lanes_each_message_arrives_once_and_in_order(first, monkeypatch):
    small(monkeypatch)
    for seed in range(first, first + 10):
        simulate(seed)


@pytest.mark.matrix
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(1000, 5000, 1000))
def test_whatever_becomes_of_lanes_a_thousand_times(first, monkeypatch):
    small(monkeypatch)
    for seed in range(first, first + 1000):
        simulate(seed)


TestLanesComeAndGo = LanesComeAndGo.TestCase
TestLanesComeAndGo.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestComingAndGoing = ComingAndGoing.TestCase
TestComingAndGoing.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestLink = Link.TestCase
TestLink.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
