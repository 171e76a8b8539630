"""The profile driven: timers, and what waits for peers (``drain``, a full queue)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lanes import Lanes, MemoryLane, pass_time
from tsushin.errors import NoPeer, QueueFull
from tsushin.profile.flow import LANE_WINDOW, MAX_WINDOW
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.testing import Gate, comm_pair

MANY = 4 * MAX_WINDOW


def joined(**limits):
    pair = comm_pair(limits=replace(DEFAULT_LIMITS, **limits))
    pair.frontend.got = []
    pair.frontend.register_target(
        "t", lambda comm, _: comm.on_msg(lambda m: pair.frontend.got.append(m["content"]["data"]))
    )
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    return pair, comm


def send_many(comm, on_full):
    for n in range(MANY):
        comm.send({"n": n, "text": "x" * 100}, on_full=on_full)


def test_only_so_much_is_under_way_and_the_rest_follows():
    pair, comm = joined()
    before = len(pair.sent)
    for n in range(MANY):
        comm.send({"n": n})
    assert len(pair.sent) - before <= MAX_WINDOW
    pair.pass_time(30)
    assert [data["n"] for data in pair.frontend.got] == list(range(MANY))


def test_drained_is_when_all_has_arrived():
    pair, comm = joined()
    for n in range(MANY):
        comm.send({"n": n})
    drained = comm.drain()
    assert drained.is_waiting()
    pair.pass_time(30)
    drained.result(0)
    assert len(pair.frontend.got) == MANY


def test_all_is_sent_when_what_was_sent_before_has_left_though_more_waits():
    pair, comm = joined()
    for n in range(MANY):
        comm.send({"n": n})
    all_sent = pair.kernel.sessions.all_sent(None)
    for n in range(MANY, 2 * MANY):
        comm.send({"n": n})
    while all_sent.is_waiting():
        pair.choices()[0].step()
    assert pair.kernel.sessions.has_queued
    left = sum(message.content["comm_id"] == comm.comm_id for message in pair.sent)
    assert 1 + MANY <= left < 1 + 2 * MANY


def test_without_peers_it_is_drained_at_once():
    pair = comm_pair()
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    comm.drain().result(0)


@pytest.fixture
def declined():
    """A frontend that was told that its kernel is a plain one, and the comm it has open there."""
    pair = comm_pair()
    pair.kernel.register_target("t", lambda comm, _: comm.handle("x", lambda _: "answer"))
    pair.frontend.sessions.decline()
    comm = pair.frontend.new_comm("t")
    pair.run()
    return pair, comm


def test_a_kernel_end_that_shows_itself_later_is_asked(declined):
    pair, comm = declined
    pair.frontend.sessions.join()
    answer = comm.request("x", timeout=None)  # before the kernel end has answered the hello
    ready = comm.ready(timeout=None)
    pair.frontend.sessions.decline()  # its answer was on its way; it is about the time before
    pair.pass_time(1)
    assert answer.result(0) == "answer"
    assert ready.result(0).session == "kernel"


def test_a_kernel_end_that_has_left_is_not_waited_for():
    pair = comm_pair()
    pair.join()

    async def never(msg):
        await Gate()

    pair.kernel.register_target("t", lambda comm, _: comm.handle("x", never))
    comm = pair.frontend.new_comm("t")
    pair.run()
    asked = comm.request("x", timeout=None)
    pair.kernel.sessions.leave()
    pair.run()
    for wait in (asked, comm.request("x", timeout=None), comm.ready(timeout=None)):
        with pytest.raises(NoPeer):
            wait.result(0)


def test_a_kernel_end_that_is_found_while_a_hello_is_under_way_meets_it_once():
    pair = comm_pair()
    seen = []
    pair.kernel.on_peer(lambda peer, is_live: seen.append(is_live))
    pair.frontend.sessions.join()  # it has announced itself
    pair.frontend.sessions.found()  # and says so when asked
    pair.run()
    assert seen == [True]
    pair.frontend.sessions.found()  # asked again, over a new link
    pair.run()
    assert len(pair.frontend.peers) == 1
    assert seen == [True]


def test_of_what_waits_with_one_key_only_the_newest_is_sent():
    pair, comm = joined()
    for n in range(MANY):
        comm.send({"n": n}, coalesce="position")
    comm.send({"n": "last"})
    pair.pass_time(30)
    numbers = [data["n"] for data in pair.frontend.got]
    assert numbers[-2:] == [MANY - 1, "last"]
    assert len(numbers) <= MAX_WINDOW + 2
    assert numbers[:-1] == sorted(numbers[:-1])


@pytest.mark.parametrize("on_full", ["wait", "raise"])
def test_a_full_queue_is_an_error_that_says_what_to_do(on_full):
    pair, comm = joined(max_queue_bytes=1000)
    with pytest.raises(QueueFull) as caught:
        send_many(comm, on_full)
    assert caught.value.limit == 1000
    sent_before = [data["n"] for data in pair.frontend.got]
    pair.pass_time(30)
    numbers = [data["n"] for data in pair.frontend.got]
    assert numbers == list(range(len(numbers)))  # what was sent without an error has arrived
    assert len(numbers) > len(sent_before)
    comm.send({"n": "again"})
    pair.pass_time(30)
    assert pair.frontend.got[-1]["n"] == "again"


def test_a_full_queue_keeps_no_answer_and_no_close_back():
    pair, comm = joined(max_queue_bytes=1000)
    comm.handle("x", lambda _: "answer")
    with pytest.raises(QueueFull):
        send_many(comm, "raise")
    answer = pair.frontend.get_comm(comm.comm_id).request("x")
    pair.pass_time(30)
    assert answer.result(0) == "answer"
    comm.close()
    pair.pass_time(30)
    assert pair.frontend.comms == {}


def test_a_peer_that_lags_holds_nobody_up_and_recovers():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    for front in pair.frontends:
        front.got, front.gaps = [], []

        def target(comm, _, front=front):
            comm.on_msg(lambda m: front.got.append(m["content"]["data"]["n"]))
            comm.on_gap(front.gaps.append)

        front.register_target("t", target)
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    awake, asleep = pair.frontends
    asleep.links[0].is_asleep = True
    choices = pair.choices
    pair.choices = lambda: [c for c in choices() if c.end is not asleep]
    for n in range(MANY):
        comm.send({"n": n})
    pair.pass_time(20)
    assert awake.got == list(range(MANY))
    assert asleep.got == []
    pair.choices = choices
    pair.pass_time(100)
    assert asleep.got[-1] == MANY - 1
    assert asleep.got == sorted(asleep.got)
    assert len(asleep.got) + sum(asleep.gaps) == MANY


class Laned:
    """A kernel end and two frontends, each with a lane; no frontend without one."""

    def __init__(self):
        self.pair = comm_pair(frontends=2, on_unknown="ignore")
        self.fronts, self.lanes = self.pair.frontends, {}
        self.pair.kernel.sessions.use_lanes(Lanes(lambda session: self.notice(session, "kernel")))
        for front in self.fronts:
            self._listen(front)
            front.sessions.use_lanes(Lanes(lambda _, name=front.name: self.notice(name, "front")))
        self.pair.join()
        for front in self.fronts:
            self.lanes[front.name] = MemoryLane(self.pair.kernel, front)
            self.lanes[front.name].begin()
        self.comm = self.pair.kernel.new_comm("t")
        self.pass_time(0.1)

    def _listen(self, front):
        front.got, front.gaps = [], []

        def target(comm, _):
            front.comm = comm
            comm.on_msg(lambda m: front.got.append(m["content"]["data"]["n"]))
            comm.on_gap(front.gaps.append)

        front.register_target("t", target)

    def notice(self, session, side):
        """An end leaves a lane."""
        self.lanes[session].notice(side)

    def leave_alone(self, front):
        """Its lane is dead, and only the kernel end knows."""
        self.lanes[front.name].die()
        self.notice(front.name, "kernel")

    def pass_time(self, seconds):
        pass_time(self.pair, seconds, *self.lanes.values())


@pytest.mark.parametrize("is_there", [True, False])
def test_of_a_silent_lane_and_a_silent_peer_the_lane_is_left_first(is_there):
    world = Laned()
    one, other = world.fronts
    world.lanes[one.name].die()  # neither end is told
    if not is_there:
        choices = world.pair.choices
        world.pair.choices = lambda: [choice for choice in choices() if choice.end is not one]
    for n in range(2 * LANE_WINDOW):
        world.comm.send({"n": n})
    world.pass_time(6)
    assert world.pair.kernel.sessions.has_lane(one.name)
    world.pass_time(3)
    assert not world.pair.kernel.sessions.has_lane(one.name)
    assert other.got == list(
        range(2 * LANE_WINDOW)
    )  # it waited for the lane, and not again for the peer
    world.pass_time(20)
    if is_there:
        assert one.got == other.got
        assert one.gaps == []


def test_a_lane_that_the_kernel_end_has_left_is_left_by_a_frontend_that_only_listens_too():
    world = Laned()
    one, _ = world.fronts
    world.leave_alone(one)
    for n in range(100):
        world.comm.send({"n": n})
    world.pass_time(3)
    assert one.got == list(range(100))  # which it says by a lane that is gone
    assert one.sessions.has_lane()
    world.pass_time(6)
    assert not one.sessions.has_lane()
    world.pass_time(10)
    world.comm.drain().result(0)
    assert one.gaps == []


def test_what_comes_by_the_standard_route_does_not_speak_for_a_lane():
    world = Laned()
    one, _ = world.fronts
    world.leave_alone(one)
    one.comm.send({"n": 0})
    control, profile = f"tsushin.session.{one.name}", world.pair.kernel.sessions._profile
    began = world.pair.clock.now
    while one.sessions.has_lane():
        profile._voice.say(control, {"want": {}}, world.pair.clock.now)
        world.pair.kernel.sessions._do(lambda _: None)
        world.pass_time(0.5)
        assert world.pair.clock.now - began < 9


def test_when_the_last_peer_leaves_what_waits_is_sent():
    pair, comm = joined()
    for n in range(MANY):
        comm.send({"n": n})
    pair.frontend.sessions.leave()
    pair.pass_time(5)
    assert [data["n"] for data in pair.frontend.got] == list(range(MANY))


def test_the_wait_for_all_to_arrive_ends_with_the_kernel():
    pair, comm = joined()
    comm.send({"n": 1})
    drained = comm.drain(timeout=None)
    assert drained.is_waiting()
    pair.kernel.lose("gone")
    drained.result(0)
    assert pair.kernel.sessions._wants_drained == []
