"""Who is at the other end, and what they think of a comm: ``ready``, ``peers``, ``on_peer``."""

from __future__ import annotations

import pytest

from tsushin.errors import CommClosed, NoPeer
from tsushin.testing import comm_pair


@pytest.fixture
def pair():
    return comm_pair(frontends=2, on_unknown="ignore")


def test_ready_is_the_first_peer_that_accepts(pair):
    pair.join()
    pair.frontends[1].register_target("t", lambda comm, msg: None)
    ready = pair.kernel.new_comm("t").ready()
    pair.pass_time(1)
    assert ready.result(0).session == "frontend 1"


def test_ready_is_there_at_once_for_who_asks_late(pair):
    pair.join()
    pair.frontends[0].register_target("t", lambda comm, msg: None)
    comm = pair.kernel.new_comm("t")
    pair.pass_time(1)
    assert comm.ready().result(0).session == "frontend 0"


def test_a_comm_that_a_frontend_opens_is_accepted_by_the_kernel(pair):
    pair.join()
    pair.kernel.register_target("t", lambda comm, msg: None)
    ready = pair.frontend.new_comm("t").ready()
    pair.pass_time(1)
    assert ready.result(0).session == "kernel"


def test_what_a_peer_had_open_before_its_hello_counts(pair):
    pair.frontends[0].register_target("t", lambda comm, msg: None)
    comm = pair.kernel.new_comm("t")
    pair.run()
    pair.join()
    assert comm.ready().result(0).session == "frontend 0"


def test_what_a_peer_opens_before_its_hello_is_answered_counts(pair):
    frontend = pair.frontends[0]
    frontend.register_target("t", lambda comm, msg: None)
    frontend.sessions.join()
    comm = pair.kernel.new_comm("t")
    while frontend.links[0].held():  # the open, while the hello is on its way
        next(one for one in pair.choices() if one.end is frontend).step()
    pair.pass_time(1)
    assert comm.ready().result(0).session == "frontend 0"


def test_a_close_ends_the_wait_for_a_peer(pair):
    pair.join()
    comm = pair.kernel.new_comm("t")
    ready = comm.ready()
    comm.close()
    with pytest.raises(CommClosed):
        ready.result(0)


def test_where_the_kernel_has_no_end_of_ours_there_is_no_peer(pair):
    pair.frontend.sessions.hope()
    ready = pair.frontend.new_comm("t").ready()
    assert ready.is_waiting()
    pair.frontend.sessions.decline()
    with pytest.raises(NoPeer):
        ready.result(0)


def test_where_it_has_said_so_there_is_no_peer_at_once(pair):
    pair.frontend.sessions.decline()
    with pytest.raises(NoPeer):
        pair.frontend.new_comm("t").ready(timeout=None).result(0)


def test_at_a_kernel_a_page_may_come_at_any_time(pair):
    comm = pair.kernel.new_comm("t")
    ready = comm.ready(timeout=None)
    pair.pass_time(60)
    assert ready.is_waiting()
    pair.frontends[0].register_target("t", lambda comm, msg: None)
    pair.frontends[0].restore(pair.kernel.comm_info()["comms"])
    pair.join()
    assert ready.result(0).session == "frontend 0"


def test_on_peer_hears_who_comes_and_goes(pair):
    seen = []

    @pair.kernel.on_peer
    def note(peer, is_live):
        seen.append((peer.session, sorted(peer.features), is_live))

    pair.join(pair.frontends[0])
    pair.frontends[0].sessions.leave()
    pair.run()
    features = ["cancel", "pieces", "requests", "restore", "sequence", "streams"]
    assert seen == [("frontend 0", features, True), ("frontend 0", features, False)]


def test_what_on_peer_raises_is_reported(pair):
    pair.kernel.on_peer(lambda peer, is_live: 1 / 0)
    pair.join(pair.frontends[0])
    [(error, about)] = pair.kernel.runtime.reports
    assert isinstance(error, ZeroDivisionError)
    assert about == "on_peer"
