"""A page that comes late, or comes back: what it gets, and what becomes of what it had opened."""

from __future__ import annotations

import pytest

from tsushin.taking_up import CLAIM_S
from tsushin.testing import comm_pair


@pytest.fixture
def pair():
    """Two frontends; the second is not there at first."""
    pair = comm_pair(frontends=2, on_unknown="ignore")
    pair.join(pair.frontends[0])
    for frontend in pair.frontends:
        frontend.opened, frontend.got = [], []
        frontend.register_target("t", listen(frontend))
    return pair


def listen(end):
    def target(comm, msg):
        end.opened.append((msg["content"]["data"], [*map(bytes, msg["buffers"])], ours(msg)))
        comm.on_msg(lambda m: end.got.append((m["content"]["data"], ours(m))))

    return target


def ours(msg):
    return {k: v for k, v in msg["metadata"].get("tsushin", {}).items() if k != "bin"}


def late(pair):
    """The second frontend comes, and takes up what there is."""
    there = pair.frontends[1]
    pair.join(there)
    found = there.take_up(pair.kernel.comm_info()["comms"])
    pair.run()
    return found.result(0)


def test_it_gets_what_the_comm_was_opened_with(pair):
    comm = pair.kernel.new_comm("t", {"a": 1, "array": b"xy"}, buffers=[b"z"])
    comm.send({"n": 1})
    forget(pair)
    assert late(pair) == [comm.comm_id]
    [(data, buffers, about)] = pair.frontends[1].opened
    assert (data["a"], bytes(data["array"]), buffers) == (1, b"xy", [b"z"])
    assert about == {"restored": True}
    comm.send({"n": 2})
    pair.run()
    assert pair.frontends[1].got[-1] == ({"n": 2}, {})


def forget(pair):
    """The second frontend was not there: nothing that was sent reaches it."""
    link = pair.frontends[1].links[0]
    while link.held():
        link.drop(link.held()[0])


def test_it_gets_the_history_and_then_what_is_new_each_once_and_in_order(pair):
    comm = pair.kernel.new_comm("t", history=3)
    for n in range(10):
        comm.send({"n": n})
    forget(pair)
    assert late(pair) == [comm.comm_id]
    comm.send({"n": 10})
    pair.run()
    got = pair.frontends[1].got
    assert [data["n"] for data, _ in got] == [7, 8, 9, 10]
    assert [about for _, about in got] == [{"restored": True}] * 3 + [{}]


def test_it_gets_a_snapshot_after_the_history_and_nobody_else_does(pair):
    comm = pair.kernel.new_comm("t", history=1)
    assert comm.snapshot(lambda: {"at": 42}) is not None
    comm.send({"n": 1})
    forget(pair)
    late(pair)
    assert pair.frontends[1].got == [
        ({"n": 1}, {"restored": True}),
        ({"at": 42}, {"snapshot": True}),
    ]
    assert [data for data, _ in pair.frontends[0].got] == [{"n": 1}]


def test_what_a_snapshot_raises_is_reported_and_the_comm_is_taken_up_without(pair):
    comm = pair.kernel.new_comm("t", {"a": 1})
    comm.snapshot(lambda: 1 / 0)
    forget(pair)
    assert late(pair) == [comm.comm_id]
    [report] = pair.kernel.runtime.reports
    assert isinstance(report[0], ZeroDivisionError)
    comm.snapshot(None)


def test_a_lost_answer_is_asked_for_again(pair):
    comm = pair.kernel.new_comm("t", {"a": 1}, history=5)
    comm.send({"n": 1})
    forget(pair)
    there = pair.frontends[1]
    pair.join(there)
    found = there.take_up(pair.kernel.comm_info()["comms"])
    pair.kernel.links[1].step("shell")
    pair.kernel.receive(pair.kernel.links[1].receive_nowait())
    forget(pair)
    pair.pass_time(2)
    assert found.result(0) == [comm.comm_id]
    assert there.opened == [({"a": 1}, [], {"restored": True})]
    assert [data for data, _ in there.got] == [{"n": 1}]


def test_a_kernel_end_that_does_not_answer_is_not_waited_for_for_ever(pair):
    comm = pair.kernel.new_comm("t", {"a": 1})
    forget(pair)
    there = pair.frontends[1]
    pair.join(there)
    found = there.take_up(pair.kernel.comm_info()["comms"])
    pair.kernel.links[1].cut()
    pair.pass_time(300)
    assert found.result(0) == [comm.comm_id]
    assert there.opened == [({}, [], {"restored": True})]  # nothing is known but that it is there


def test_without_a_kernel_end_that_knows_the_profile_there_is_only_the_id(pair):
    comm = pair.kernel.new_comm("t", {"a": 1})
    forget(pair)
    there = pair.frontends[1]
    assert there.take_up(pair.kernel.comm_info()["comms"]).result(0) == [comm.comm_id]
    assert there.opened == [({}, [], {"restored": True})]


def test_a_comm_that_was_closed_meanwhile_is_not_to_be_had(pair):
    comm = pair.kernel.new_comm("t")
    listed = pair.kernel.comm_info()["comms"]
    comm.close()
    forget(pair)
    there = pair.frontends[1]
    pair.join(there)
    found = there.take_up(listed)
    pair.run()
    assert found.result(0) == []
    assert there.opened == []


def test_after_a_gap_the_snapshot_comes(pair):
    comm = pair.kernel.new_comm("t", history=5)
    comm.snapshot(lambda: {"at": 7})
    pair.run()
    frontend = pair.frontends[0]
    comm.send({"n": 1})
    forget(pair)
    frontend.links[0].drop("iopub")
    pair.kernel.sessions._profile._outbox.forget_history()  # as after a very long time away
    comm.send({"n": 2})
    pair.pass_time(40)
    assert [data for data, _ in frontend.got] == [{"n": 2}, {"at": 7}]


# ---------------------------------------------------------------------- comms that a page opened


@pytest.fixture
def tab(pair):
    """Both frontends are the same tab: the second is what the first becomes when it is loaded again."""
    for frontend in pair.frontends:
        frontend.sessions._profile._presence._tab = "tab"
    pair.frontends[0].sessions.leave()
    pair.run()
    pair.join(pair.frontends[0])
    pair.kernel.closed = []

    @pair.kernel.register_target("k")
    def target(comm, msg):
        comm.on_close(lambda m: pair.kernel.closed.append(ours(m)))

    comm = pair.frontends[0].new_comm("k", {"mine": b"1"})
    pair.run()
    forget(pair)
    return comm


def test_comms_of_a_page_that_does_not_come_back_are_closed_after_a_minute(pair, tab):
    pair.frontends[0].sessions.leave()
    pair.pass_time(CLAIM_S - 1)
    assert tab.comm_id in pair.kernel.comms
    pair.pass_time(2)
    assert tab.comm_id not in pair.kernel.comms
    assert pair.kernel.closed == [{"lost": "the page that opened it is gone for 60 s"}]


def test_a_page_that_is_here_again_within_a_minute_keeps_them(pair, tab):
    pair.frontends[0].sessions.leave()
    pair.pass_time(30)
    pair.join(pair.frontends[0])
    pair.pass_time(100)
    assert tab.comm_id in pair.kernel.comms


def test_the_same_tab_takes_them_up_when_it_is_loaded_again(pair, tab):
    pair.frontends[0].sessions.leave()
    pair.run()
    there = pair.frontends[1]
    there.register_target("k", listen(there))
    assert late(pair) == [tab.comm_id]
    [(data, _, about)] = there.opened
    assert (bytes(data["mine"]), about) == (b"1", {"restored": True})
    pair.pass_time(100)
    assert tab.comm_id in pair.kernel.comms
    there.sessions.leave()
    pair.pass_time(CLAIM_S + 1)
    assert tab.comm_id not in pair.kernel.comms


@pytest.mark.parametrize("other", ["another tab", "", "still here"])
def test_nobody_else_does(pair, tab, other):
    there = pair.frontends[1]
    if other == "still here":
        pair.run()
    else:
        pair.frontends[0].sessions.leave()
        pair.run()
        there.sessions._profile._presence._tab = other
    there.register_target("k", listen(there))
    assert late(pair) == []
    assert there.opened == []


def test_a_plain_frontends_comms_are_never_closed(pair):
    pair.kernel.register_target("k", lambda comm, msg: None)
    comm = pair.frontends[1].new_comm("k")
    pair.run()
    pair.frontends[0].sessions.leave()
    pair.pass_time(200)
    assert comm.comm_id in pair.kernel.comms
