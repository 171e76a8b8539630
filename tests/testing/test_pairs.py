"""The pair itself: broadcasts, choices, cuts."""

from __future__ import annotations

import pytest

from tsushin.errors import TransportLost
from tsushin.testing import comm_pair
from tsushin.testing import pairs as pairs_module


def watch(end, seen):
    end.register_target("t", lambda comm, msg: seen.append((end.name, comm)))


def test_nothing_happens_until_it_is_stepped():
    pair, seen = comm_pair(), []
    watch(pair.frontend, seen)
    pair.kernel.new_comm("t")
    assert seen == []
    [choice] = pair.choices()
    assert (choice.end.name, choice.channel) == ("frontend 0", "iopub")
    choice.step()
    assert (len(seen), pair.choices()) == (1, [])


def test_a_kernels_message_reaches_every_frontend():
    pair, seen = comm_pair(frontends=3), []
    for end in pair.frontends:
        watch(end, seen)
    pair.kernel.new_comm("t", {"b": b"x"})
    pair.run()
    assert [name for name, _ in seen] == ["frontend 0", "frontend 1", "frontend 2"]
    data = [comm.open_msg["content"]["data"] for _, comm in seen]
    assert data[0] is not data[1]


def test_a_frontends_message_reaches_the_kernel_only():
    pair, seen = comm_pair(frontends=2), []
    watch(pair.kernel, seen)
    pair.frontends[1].new_comm("t")
    assert [choice.end.name for choice in pair.choices()] == ["kernel"]
    pair.run()
    assert pair.frontends[0].unknown == 0


def test_links_are_stepped_in_any_order():
    pair, seen = comm_pair(frontends=2), []
    watch(pair.kernel, seen)
    for end in pair.frontends:
        end.new_comm("t", comm_id=end.name)
    for choice in reversed(pair.choices()):
        choice.step()
    assert [comm.comm_id for _, comm in seen] == ["frontend 1", "frontend 0"]


def test_a_callback_that_is_due_is_a_choice():
    pair = comm_pair()
    pair.kernel.new_comm("t").on_msg(lambda msg: None)
    assert [(c.end.name, c.channel) for c in pair.choices()] == [
        ("frontend 0", "iopub"),
        ("kernel", None),
    ]


def test_a_cut_loses_one_frontend_and_leaves_the_other():
    pair = comm_pair(frontends=2)
    for end in pair.frontends:
        watch(end, [])
    comm = pair.kernel.new_comm("t")
    pair.run()
    lost, kept = (end.comms[comm.comm_id] for end in pair.frontends)
    pair.cut(pair.frontends[0])
    comm.send({"n": 1})
    pair.run()
    assert (lost.closed_by, kept.closed, comm.closed) == ("lost", False, False)
    with pytest.raises(TransportLost):
        pair.frontends[0].new_comm("t")


def test_two_ends_that_answer_each_other_for_ever_are_stopped(monkeypatch):
    monkeypatch.setattr(pairs_module, "_MAX_STEPS", 100)
    pair = comm_pair()
    pair.kernel.register_target("t", lambda comm, _: comm.on_msg(lambda m: comm.send()))
    comm = pair.frontend.new_comm("t")
    comm.on_msg(lambda m: comm.send())
    comm.send()
    with pytest.raises(RuntimeError, match="still something to do after 100 steps"):
        pair.run()


def test_what_was_sent_is_recorded_once_in_order():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    comm = pair.kernel.new_comm("t")
    comm.send()
    comm.close()
    assert [m.msg_type for m in pair.sent] == ["comm_open", "comm_msg", "comm_close"]
