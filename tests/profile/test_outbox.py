"""What leaves one end, by which way, for whom: over memory links, with real managers."""

from __future__ import annotations

import pytest

from lanes import MemoryLane, pass_time, run
from tsushin.errors import LimitExceeded, NoPeer
from tsushin.profile.control import TARGET, control_id, is_control
from tsushin.profile.pieces import CUT_ABOVE_BYTES, PIECE_BYTES
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header, plain
from tsushin.testing import comm_pair

LARGE = bytes(range(256)) * (40 * 1024) + b"end"  # 10 MiB and a little


@pytest.fixture
def pair():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    for frontend in pair.frontends:
        frontend.got, frontend.gaps = [], []
        listen(frontend, "t", frontend)
    pair.kernel.got, pair.kernel.gaps = [], []
    listen(pair.kernel, "k", pair.kernel)
    return pair


def listen(end, target_name, into):
    @end.register_target(target_name)
    def target(comm, msg):
        into.comm = comm
        comm.on_msg(lambda m: into.got.append((m["content"]["data"], [*map(bytes, m["buffers"])])))
        comm.on_gap(into.gaps.append)


def users(pair):
    return [plain(m) for m in pair.sent if not is_control(m.content["comm_id"])]


def test_a_message_for_one_session_reaches_no_other_in_the_order_it_was_sent(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    comm.send({"n": 2}, to="frontend 1")
    comm.send({"n": 3}, to=pair.kernel.peers[0])
    comm.send({"n": 4})
    pair.run()
    assert [d["n"] for d, _ in pair.frontends[0].got] == [1, 3, 4]
    assert [d["n"] for d, _ in pair.frontends[1].got] == [1, 2, 4]


def test_a_plain_frontend_sees_nothing_of_what_is_for_another(pair):
    pair.join(pair.frontends[0])
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1}, to="frontend 0")
    pair.run()
    assert pair.frontends[0].got == [({"n": 1}, [])]
    assert pair.frontends[1].got == []
    assert [m.msg_type for m in users(pair)] == ["comm_open"]


def test_what_is_for_one_session_is_repaired_for_it_and_no_hole_for_the_other(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    comm.send({"n": 1}, to="frontend 0")
    for frontend in pair.frontends:
        assert frontend.links[0].drop("iopub")
    comm.send({"n": 2})
    pair.pass_time(5)
    assert [d["n"] for d, _ in pair.frontends[0].got] == [1, 2]
    assert [d["n"] for d, _ in pair.frontends[1].got] == [2]
    again = [m for m in pair.sent if m.content["comm_id"] == control_id("frontend 1")]
    shown = [a for m in again for a in m.content["data"].get("again", [])]
    assert all(a["content"]["data"] == {} for a in shown if a["metadata"]["tsushin"].get("to"))


def test_to_somebody_who_is_not_there_is_an_error_and_nothing_is_sent(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    before = len(pair.sent)
    with pytest.raises(NoPeer, match="'nobody' is not there"):
        comm.send({}, to="nobody")
    with pytest.raises(NoPeer):
        comm.request("x", to="nobody")
    assert len(pair.sent) == before


def test_at_a_frontend_the_kernel_is_whom_it_is_for_anyway(pair):
    pair.join()
    comm = pair.frontend.new_comm("k")
    comm.send({"n": 1}, to="kernel")
    pair.run()
    assert pair.kernel.got == [({"n": 1}, [])]
    assert users(pair)[-1].content["data"] == {"n": 1}


def test_a_request_to_one_session_is_answered_by_it(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    pair.run()
    for frontend in pair.frontends:
        frontend.comm.handle("who", lambda msg, name=frontend.name: name)
    answer = comm.request("who", to="frontend 1")
    pair.run()
    assert answer.result(0) == "frontend 1"
    asked = comm.request("nothing", to="frontend 1")
    pair.run()
    with pytest.raises(NoPeer, match="no handler"):
        asked.result(0)


def test_an_answer_goes_to_who_asked_only(pair):
    pair.join()
    pair.kernel.register_target("k", lambda comm, _: comm.handle("x", lambda msg: "secret"))
    comm = pair.frontend.new_comm("k")
    pair.run()
    answer = comm.request("x")
    before = len(users(pair))
    pair.run()
    assert answer.result(0) == "secret"
    assert all(m.channel == "shell" for m in users(pair)[before:])


def test_a_large_message_goes_in_pieces_and_comes_out_whole_in_its_place(pair):
    pair.join()
    comm = pair.frontend.new_comm("k")
    comm.send({"n": 1})
    comm.send({"n": 2}, buffers=[LARGE, b""])
    comm.send({"n": 3})
    pair.pass_time(1)
    assert pair.kernel.got == [({"n": 1}, []), ({"n": 2}, [LARGE, b""]), ({"n": 3}, [])]
    assert all(sum(b.nbytes for b in m.buffers) <= PIECE_BYTES for m in pair.sent)
    assert [m.content["data"] for m in users(pair)] == [{}, {"n": 1}, {"n": 3}]


def test_a_large_open_and_a_large_answer_do_too(pair):
    pair.join()

    @pair.kernel.register_target("big")
    def target(comm, msg):
        pair.kernel.opened = bytes(msg["buffers"][0])
        comm.handle("get", lambda _: {"volume": LARGE})

    comm = pair.frontend.new_comm("big", buffers=[LARGE])
    pair.pass_time(1)
    assert pair.kernel.opened == LARGE
    answer = comm.request("get")
    pair.pass_time(1)
    assert bytes(answer.result(0)["volume"]) == LARGE
    assert all(sum(b.nbytes for b in m.buffers) <= PIECE_BYTES for m in pair.sent)


def test_a_broadcast_of_a_kernel_goes_whole_as_plain_frontends_may_listen(pair):
    pair.join(pair.frontends[0])
    comm = pair.kernel.new_comm("t")
    comm.send({}, buffers=[LARGE])
    pair.run()
    assert pair.frontends[0].got == pair.frontends[1].got == [({}, [LARGE])]


def test_lost_pieces_are_sent_again(pair):
    pair.join()
    comm = pair.frontend.new_comm("k")
    pair.run()
    comm.send({"n": 1}, buffers=[LARGE])
    link = pair.kernel.links[0]
    link.drop("shell")
    pair.pass_time(20)
    assert pair.kernel.got == [({"n": 1}, [LARGE])]
    assert pair.kernel.gaps == []


def test_progress_is_told_up_to_the_end(pair):
    pair.join()
    comm, told = pair.frontend.new_comm("k"), []
    comm.send({}, buffers=[LARGE], on_progress=lambda done, total: told.append((done, total)))
    pair.pass_time(1)
    totals = {total for _, total in told}
    assert len(totals) == 1
    assert min(totals) >= len(LARGE)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
    assert len(told) == 11
    comm.send({}, on_progress=lambda done, total: told.append("small"))
    pair.run()
    assert told[-1] == "small"


def test_progress_that_says_no_ends_the_sending_and_what_follows_arrives(pair):
    pair.join()
    comm = pair.frontend.new_comm("k")
    comm.send({"n": 1}, buffers=[LARGE * 3], on_progress=lambda done, _: done < 3 * PIECE_BYTES)
    while pair.frontend.runtime.is_due():
        pair.frontend.runtime.step()
    comm.send({"n": 2})
    pair.pass_time(1)
    assert pair.kernel.got == [({"n": 2}, [])]
    assert sum(b.nbytes for m in pair.sent for b in m.buffers) < 10 * PIECE_BYTES


def test_what_on_progress_raises_is_reported(pair):
    pair.join()

    def fail(done, total):
        raise ValueError(done)

    pair.frontend.new_comm("k").send({}, on_progress=fail)
    pair.run()
    [(error, about)] = [(r[0], r[1]) for r in pair.frontend.runtime.reports]
    assert (type(error), about) == (ValueError, "on_progress")


def test_a_request_nobody_waits_for_any_more_is_not_sent(pair):
    pair.join()
    comm = pair.frontend.new_comm("k")
    comm.send({"n": 1}, buffers=[LARGE * 3])  # what is behind it waits
    answer = comm.request("x", {"secret": 1})
    answer.cancel()
    pair.pass_time(2)
    assert len(pair.kernel.got) == 1
    assert not any(m.content["data"] == {"secret": 1} for m in users(pair))


def test_a_route_that_takes_no_such_message_is_an_error_where_nobody_joins_pieces():
    pair = comm_pair()
    pair.frontend.sessions._profile._outbox.max_whole_bytes = CUT_ABOVE_BYTES
    comm = pair.frontend.new_comm("k")
    with pytest.raises(LimitExceeded, match="joins no pieces"):
        comm.send({}, buffers=[LARGE])
    pair.join()
    pair.kernel.register_target("k", lambda comm, _: None)
    pair.frontend.new_comm("k").send({}, buffers=[LARGE])


def test_a_message_above_the_receivers_limit_is_a_fault_and_a_gap_and_the_next_arrives():
    pair = comm_pair(limits=Limits(max_joined_bytes=9 << 20))
    pair.kernel.got, pair.kernel.gaps = [], []
    listen(pair.kernel, "k", pair.kernel)
    pair.join()
    comm = pair.frontend.new_comm("k")
    comm.send({}, buffers=[LARGE])
    comm.send({"n": 2})
    pair.pass_time(1)
    assert pair.kernel.got == [({"n": 2}, [])]
    assert pair.kernel.gaps == [1]
    [fault] = pair.kernel.runtime.faults
    assert "max_joined_bytes" in str(fault)


def test_what_is_queued_and_kept_is_bounded_while_a_large_message_leaves(pair):
    pair.join()
    outbox = pair.frontend.sessions._profile._outbox
    comm = pair.frontend.new_comm("k")
    pair.run()
    comm.send({}, buffers=[LARGE * 6])
    assert outbox.nbytes <= 5 * PIECE_BYTES  # a window of it
    pair.pass_time(2)
    assert len(pair.kernel.got) == 1
    assert (outbox.queued_bytes(), outbox.nbytes) == (0, 0)


def test_a_large_message_that_nobody_is_left_to_join_is_a_fault_and_what_follows_is_sent(pair):
    pair.join()
    comm, told = pair.frontend.new_comm("k"), []
    pair.run()
    comm.send({"n": 1}, buffers=[LARGE], on_progress=lambda done, total: told.append(done))
    comm.send({"n": 2})
    pair.kernel.sessions.leave()
    pair.run()
    [fault] = pair.frontend.runtime.faults
    assert "was not sent" in str(fault)
    assert len(LARGE) not in told
    assert pair.kernel.got == [({"n": 2}, [])]


def test_an_id_that_a_peer_names_is_the_text_that_is_kept_already():
    outbox = comm_pair().kernel.sessions._profile._outbox
    comm_id = str(1234567)
    outbox.keep(comm_id, 0)
    known, other = outbox.as_known([str(1234567), "other"])
    assert known is comm_id
    assert other == "other"


def test_what_is_kept_of_all_comms_is_bounded():
    pair = comm_pair(limits=Limits(max_all_history_bytes=10_000))
    comms = [pair.kernel.new_comm("t", {"n": n}, buffers=[bytes(3000)]) for n in range(5)]
    outbox = pair.kernel.sessions._profile._outbox
    assert [len(outbox.kept(comm.comm_id)) for comm in comms] == [1, 1, 1, 0, 0]
    comms[0].close()
    again = pair.kernel.new_comm("t", buffers=[bytes(3000)])
    assert len(outbox.kept(again.comm_id)) == 1
    for comm in comms[1:]:
        comm.close()
    again.close()
    assert outbox._kept_bytes == 0


def test_without_a_peer_what_a_newer_one_replaces_may_wait_and_nothing_overtakes_it(pair):
    profile, sent = pair.kernel.sessions._profile, []
    comm = pair.kernel.new_comm("t")

    def send(n, **ways):
        content = {"comm_id": comm.comm_id, "data": {"n": n}}
        header = new_header("comm_msg", msg_id=str(n), session="kernel", now=0)
        profile.send(Message("iopub", header, content=content), 10.0, **ways)
        sent.extend(m.content["data"]["n"] for m, _ in profile.messages_to_send())

    for n in range(3):
        send(n, coalesce="k", pause_s=0.5)
    assert (sent, profile.deadline()) == ([], 10.5)
    profile.tick(10.5)
    sent.extend(m.content["data"]["n"] for m, _ in profile.messages_to_send())
    assert (sent, profile.deadline()) == ([2], float("inf"))
    send(3, coalesce="k", pause_s=0.5)
    send(4)
    assert sent == [2, 3, 4]


def test_carriers_of_a_kernel_end_have_the_id_that_every_session_listens_to(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1}, to="frontend 0")
    assert pair.sent[-1].content["comm_id"] == TARGET


# ------------------------------------------------------------------ lanes


@pytest.mark.parametrize("is_kernel", [True, False])
def test_pieces_go_by_the_lane_and_go_on_by_the_standard_route_when_it_ends(laned, is_kernel):
    comm = laned.kernel.new_comm("t") if is_kernel else laned.frontends[0].new_comm("k")
    run(laned, laned.lane)
    laned.sent.clear()
    receiver = laned.frontends[0] if is_kernel else laned.kernel
    comm.send({"n": 1}, buffers=[LARGE], to="frontend 0" if is_kernel else None)
    assert not any(m.buffers for m in laned.sent)
    for _ in range(3):
        laned.lane.step("front" if is_kernel else "kernel")
    laned.lane.end()
    comm.send({"n": 2})
    pass_time(laned, 2)
    assert receiver.got == [({"n": 1}, [LARGE]), ({"n": 2}, [])]
    assert laned.frontends[1].got == ([({"n": 2}, [])] if is_kernel else [])


def test_a_comm_that_is_on_its_way_is_not_opened_by_the_lane(laned):
    laned.lane.end()
    comm = laned.kernel.new_comm("t")
    comm.send({"n": 1})
    laned.lane = MemoryLane(laned.kernel, laned.frontends[0])
    laned.lane.begin()
    brought = [again for m in laned.lane.to_front for again in m.content["data"].get("again", ())]
    assert [again["content"]["data"] for again in brought] == [{"n": 1}]
    run(laned, laned.lane)
    assert laned.frontends[0].got == laned.frontends[1].got == [({"n": 1}, [])]


def test_what_waits_leaves_when_a_lane_begins(laned):
    laned.lane.end()
    comm = laned.frontends[0].new_comm("k")
    run(laned)
    for n in range(600):
        comm.send({"n": n})
    assert laned.frontends[0].sessions.has_queued
    laned.lane = MemoryLane(laned.kernel, laned.frontends[0])
    laned.lane.begin()
    assert not laned.frontends[0].sessions.has_queued
    run(laned, laned.lane)
    assert [d["n"] for d, _ in laned.kernel.got] == list(range(600))


def test_what_is_confirmed_is_not_sent_again_when_the_route_changes(laned):
    comm = laned.kernel.new_comm("t")
    for n in range(100):
        comm.send({"n": n})
    pass_time(laned, 2, laned.lane)
    laned.sent.clear()
    laned.lane.end()
    assert laned.sent == []
    assert laned.kernel.sessions._profile._outbox._history == {}


def test_a_message_for_who_left_meanwhile_is_for_nobody_and_no_hole(laned):
    comm = laned.kernel.new_comm("t")
    run(laned, laned.lane)
    for n in range(1200):
        comm.send({"n": n})  # the standard route of the second is full: the rest waits
    comm.send({"n": -1}, to="frontend 0")
    comm.send({"n": 1200})
    laned.frontends[0].sessions.leave()
    laned.frontends[0].got.clear()
    run(laned, laned.lane)
    pass_time(laned, 20, laned.lane)
    assert [d["n"] for d, _ in laned.frontends[1].got] == list(range(1201))
