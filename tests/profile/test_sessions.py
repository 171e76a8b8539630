"""The sessions of a kernel end and its frontends: nothing is lost, doubled or out of order.

Real managers over memory links; what a link does (delay, loss, repetition) is chosen by the tests.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from lanes import Lanes, MemoryLane, World, pass_time, run, simulate
from tsushin.errors import KernelGone
from tsushin.profile import flow, outbox, pieces
from tsushin.profile.arrivals import MAX_ASKS
from tsushin.profile.control import TARGET, control_id, is_control
from tsushin.profile.outbox import REPEAT_S
from tsushin.profile.sessions import MAX_REPEATS
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.testing import comm_pair


@pytest.fixture
def pair():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    for frontend in pair.frontends:
        frontend.got = []
        frontend.register_target("t", listen(frontend.got))
    return pair


def listen(into, answer=None):
    def target(comm, msg):
        comm.handle("who", lambda _: answer)
        comm.on_msg(lambda m: into.append(m["content"]["data"]["n"]))
        comm.on_close(lambda _: into.append("closed"))
        comm.on_gap(lambda missed: into.append(f"gap {missed}"))

    return target


def controls(pair):
    return [m for m in pair.sent if is_control(m.content["comm_id"])]


def lose(end, channel="iopub", most=10**6):
    """Lose what is held for an end."""
    lost = []
    while channel in end.links[0].held() and len(lost) < most:
        lost.append(end.links[0].drop(channel))
    return lost


def test_a_hello_is_answered_and_both_ends_know_each_other(pair):
    pair.join(pair.frontends[0])
    assert [p.session for p in pair.kernel.peers] == ["frontend 0"]
    assert [p.session for p in pair.frontends[0].peers] == ["kernel"]
    assert pair.frontends[1].peers == ()


def test_the_announcement_of_a_kernel_end_brings_a_frontend_that_joins(pair):
    frontend = pair.frontends[0]
    frontend.sessions._profile._joins = True
    pair.kernel.sessions.announce()
    pair.run()
    assert [p.session for p in pair.kernel.peers] == ["frontend 0"]


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


def test_a_peer_that_answers_nothing_any_more_is_gone_and_holds_nothing(pair):
    pair.join()
    seen = []
    pair.kernel.on_peer(lambda peer, is_live: seen.append((peer.session, is_live)))
    pair.frontends[1].links[0].cut()
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    pair.pass_time(126.9)
    assert seen == []
    pair.pass_time(0.2)
    assert [p.session for p in pair.kernel.peers] == ["frontend 0"]
    assert seen == [("frontend 1", False)]
    assert pair.kernel.sessions._profile._outbox._history == {}


def test_one_that_said_nothing_for_long_and_comes_back_goes_on_where_it_was(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    comm.send({"n": 1})
    lose(pair.frontends[1])
    for _ in range(MAX_REPEATS + 2):  # whatever it hears is lost
        pair.clock.advance(REPEAT_S * 2**MAX_REPEATS)
        pair.kernel.runtime.ring()
        lose(pair.frontends[1])
        pair.run()
    assert [p.session for p in pair.kernel.peers] == ["frontend 0"]
    pair.frontends[1].sessions.join()
    comm.send({"n": 2})
    pair.pass_time(100)
    assert {p.session for p in pair.kernel.peers} == {"frontend 0", "frontend 1"}
    assert sorted(map(str, pair.frontends[1].got)) == ["2", "gap 1"]


def test_one_that_was_silent_and_got_everything_all_the_same_has_no_gap(pair):
    frontend = pair.frontends[0]
    pair.join(frontend)
    comm = pair.kernel.new_comm("t")
    pair.run()
    link = frontend.links[0]
    link.cut()
    comm.send({"n": 0})
    pair.pass_time(130)
    assert pair.kernel.peers == ()
    before = len(pair.sent)
    comm.send({"n": 1})
    kept = [m for m in pair.sent[before:] if not is_control(m.content["comm_id"])]
    assert [m.metadata["tsushin"] for m in kept] == [{"n": 3}]


def test_a_goodbye_ends_it_at_once(pair):
    pair.join()
    pair.frontends[0].sessions.leave()
    pair.run()
    assert [p.session for p in pair.kernel.peers] == ["frontend 1"]
    pair.kernel.sessions.leave()
    pair.run()
    assert pair.frontends[1].peers == ()


def test_a_page_says_goodbye_for_the_one_before_it_once_and_before_its_hello(pair):
    old, new = pair.frontends
    pair.join(old)
    new.sessions._profile._left = ("frontend 0", "nobody")
    pair.join(new)
    pair.join(new)
    assert [p.session for p in pair.kernel.peers] == ["frontend 1"]
    said = [(m.msg_type, m.content["comm_id"]) for m in controls(pair) if m.session == "frontend 1"]
    assert said == [
        ("comm_close", control_id("frontend 0")),
        ("comm_close", control_id("nobody")),
        ("comm_open", control_id("frontend 1")),
        ("comm_msg", control_id("frontend 1")),
    ]


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


def test_a_joiner_begins_where_the_others_are(pair):
    pair.join(pair.frontends[0])
    comm = pair.kernel.new_comm("t")
    for n in range(3):
        comm.send({"n": n})
    pair.run()
    late = pair.frontends[1]
    assert late.got == [0, 1, 2]  # plain messages
    pair.join(late)
    comm.send({"n": 3})
    pair.pass_time(10)
    assert late.got == [0, 1, 2, 3]


def test_another_life_of_the_kernel_end_loses_every_comm(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    there = pair.frontends[0].get_comm(comm.comm_id)
    arrival = there.expect_msg()
    pair.kernel.sessions._profile._epoch = "another"
    pair.kernel.sessions.reset()
    pair.frontends[0].sessions.join()
    pair.run()
    with pytest.raises(KernelGone):
        arrival.result(0)
    assert pair.frontends[0].got == ["closed"]
    assert [p.session for p in pair.frontends[0].peers] == ["kernel"]


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


def test_another_kernel_end_with_another_session_loses_every_comm_too(pair):
    pair.join()
    pair.kernel.new_comm("t")
    pair.run()
    frontend = pair.frontends[0]
    answer = controls(pair)[-1]
    hello = {"profile": 1, "session": "the next", "epoch": "another", "sent": {}}
    content = {"comm_id": control_id(frontend.name), "data": hello}
    frontend.receive(structs.replace(answer, channel="iopub", content=content))
    pair.run()
    assert frontend.got == ["closed"]
    assert len(frontend.peers) <= 1
    frontend.sessions.join()


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
    profile._say(control_id("frontend 0"), data, 0)
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


def test_a_session_that_comes_back_counts_its_control_comm_anew(pair):
    for _ in range(3):
        pair.join()
        comm = pair.kernel.new_comm("t")
        pair.pass_time(1)
        assert comm.ready(0).result(0)
        for frontend in pair.frontends:
            frontend.sessions.leave()
        pair.run()
        comm.close()
    assert not any(is_control(i) for i in pair.kernel.sessions._profile._outbox.number)


def test_control_comms_are_in_nobodys_list(pair):
    pair.join()
    assert pair.kernel.comms == {}
    assert pair.kernel.comm_info() == {"status": "ok", "comms": {}}
    assert pair.kernel.unknown == pair.frontends[1].unknown == 0


def test_who_asks_for_the_target_by_name_learns_that_this_end_knows_the_profile(pair):
    assert pair.kernel.comm_info(TARGET)["comms"] == {TARGET: {"target_name": TARGET}}
    assert pair.frontend.comm_info(TARGET)["comms"] == {}


# ---------------------------------------------------------------------- lanes


@pytest.fixture
def laned(pair):
    """The pair, both ends with lanes, and one between the kernel and the first frontend."""
    for end in pair.ends:
        end.sessions.use_lanes(Lanes())
    pair.join()
    pair.lane = MemoryLane(pair.kernel, pair.frontends[0])
    pair.lane.begin()
    return pair


def test_a_lane_is_wanted_where_both_ends_can_have_one(pair):
    able = pair.frontends[0]
    pair.kernel.sessions.use_lanes(Lanes())
    able.sessions.use_lanes(Lanes())
    pair.join()
    assert able.sessions._lanes.wants == 1
    assert pair.kernel.sessions._lanes.wants == 0
    assert ["lane" in p.features for p in pair.kernel.peers] == [True, False]
    able.sessions.join()
    pair.run()
    assert able.sessions._lanes.wants == 2  # whoever has one asks for no other


def test_no_lane_is_wanted_of_a_kernel_end_that_has_none(pair):
    pair.frontends[0].sessions.use_lanes(Lanes())
    pair.join()
    assert pair.frontends[0].sessions._lanes.wants == 0


def test_a_lane_of_who_is_not_there_is_none(pair):
    pair.kernel.sessions.use_lanes(Lanes())
    assert not pair.kernel.sessions.lane_up("nobody", lambda message: None)
    assert not pair.kernel.sessions.has_lane()
    pair.kernel.sessions.offer_lane("nobody", 1, "token")
    pair.run()
    assert pair.sent == []


def test_only_a_kernel_end_is_asked_and_only_a_frontend_gets_offers(laned):
    profile = laned.frontends[0].sessions._profile
    profile._say(control_id("frontend 0"), {"lane_offer": {"port": 1, "token": "t"}}, 0)
    kernels = laned.kernel.sessions._profile
    kernels._say(control_id("frontend 0"), {"lane_ask": {"origin": ""}}, 0)
    for end in laned.ends:
        end.sessions._push()
    run(laned, laned.lane)
    assert (laned.kernel.sessions._lanes.offers, laned.frontends[0].sessions._lanes.asks) == (
        [],
        [],
    )


@pytest.mark.parametrize("end", ["kernel", "frontend"])
def test_a_lane_that_brings_no_confirmation_for_seven_seconds_is_ended(laned, end):
    at_kernel = end == "kernel"
    talks = laned.kernel if at_kernel else laned.frontends[0]
    comm = laned.kernel.new_comm("t")
    run(laned, laned.lane)
    pass_time(laned, 1, laned.lane)
    (comm if at_kernel else laned.frontends[0].get_comm(comm.comm_id)).send({"n": 1})
    laned.lane.is_up = dict.fromkeys(laned.lane.is_up, False)  # nothing arrives by it
    peer = "frontend 0" if at_kernel else "kernel"
    pass_time(laned, 6.9)
    assert talks.sessions._lanes.ended == []
    pass_time(laned, 0.2)
    assert talks.sessions._lanes.ended == [peer]
    talks.sessions.lane_down(peer, laned.lane.sends["kernel" if at_kernel else "front"])
    laned.run()
    assert not talks.sessions.has_lane()
    if at_kernel:
        assert laned.frontends[0].got == [1]


def test_who_is_gone_has_no_lane_any_more(laned):
    laned.frontends[0].sessions.leave()
    run(laned, laned.lane)
    assert laned.kernel.sessions._lanes.ended == ["frontend 0"]
    assert laned.frontends[0].sessions._lanes.ended == ["kernel"]
    assert not laned.kernel.sessions.has_lane()
    assert laned.kernel.sessions._profile._routes.laned == ()
    assert [p.session for p in laned.kernel.peers] == ["frontend 1"]  # the goodbye went by the lane


def test_a_second_lane_replaces_the_first_and_its_end_means_nothing(laned):
    comm = laned.kernel.new_comm("t")
    run(laned, laned.lane)
    second = MemoryLane(laned.kernel, laned.frontends[0])
    second.begin()
    comm.send({"n": 1})
    laned.lane.end()
    comm.send({"n": 2})
    assert laned.kernel.sessions.has_lane("frontend 0")
    run(laned, second)
    assert laned.frontends[0].got == [1, 2]


def test_while_there_is_a_lane_what_is_missing_is_asked_for_after_a_second(laned):
    comm = laned.kernel.new_comm("t")
    comm.send({"n": 1})
    lose(laned.frontends[0])  # the open
    while "front" in laned.lane.choices():
        laned.lane.step("front")
    assert laned.frontends[0].got == []
    pass_time(laned, 0.9, laned.lane)
    assert laned.frontends[0].got == []
    pass_time(laned, 0.2, laned.lane)
    assert laned.frontends[0].got == [1]


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
