"""Who is there: hellos, goodbyes, silence, and lives that are over."""

from __future__ import annotations

import pytest
from msgspec import structs

from listening import controls, lose
from tsushin.errors import KernelGone
from tsushin.profile.control import TARGET, control_id, is_control
from tsushin.profile.outbox import REPEAT_S
from tsushin.profile.sessions import MAX_REPEATS


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
    new.sessions._profile._presence._left = ("frontend 0", "nobody")
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
    pair.kernel.sessions._profile._presence._epoch = "another"
    pair.kernel.sessions.reset()
    pair.frontends[0].sessions.join()
    pair.run()
    with pytest.raises(KernelGone):
        arrival.result(0)
    assert pair.frontends[0].got == ["closed"]
    assert [p.session for p in pair.frontends[0].peers] == ["kernel"]


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


def test_who_asks_for_the_target_by_name_learns_that_this_end_knows_the_profile(pair):
    assert pair.kernel.comm_info(TARGET)["comms"] == {TARGET: {"target_name": TARGET}}
    assert pair.frontend.comm_info(TARGET)["comms"] == {}
