from __future__ import annotations

import pytest

from frontend.messages import message
from tsushin.frontend.watch import StatusWatch


def status(state, session="kernel"):
    return message("status", {"execution_state": state}, session=session)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("restarting", "restarted"),
        ("autorestarting", "restarted"),
        ("dead", "died"),
        ("terminating", "shut down"),
        ("busy", None),
        ("idle", None),
        ("starting", None),
        (None, None),
        ([], None),
    ],
)
def test_status_of_a_server(state, why):
    assert StatusWatch().verdict(status(state)) == why


@pytest.mark.parametrize(
    ("restart", "why"), [(True, "restarted"), (False, "shut down"), (1, "shut down")]
)
def test_kernel_that_says_it_shuts_down(restart, why):
    assert StatusWatch().verdict(message("shutdown_reply", {"restart": restart})) == why


def test_answer_to_ones_own_shutdown_request_is_no_news():
    own = message("shutdown_reply", {"restart": False}, channel="control")
    assert StatusWatch().verdict(own) is None


def test_starting_of_another_process_after_work_is_a_restart():
    watch = StatusWatch()
    assert [watch.verdict(status(s)) for s in ("starting", "busy", "idle")] == [None] * 3
    assert watch.verdict(status("starting", session="next")) == "restarted"


def test_starting_said_late_by_the_same_process_is_no_restart():
    watch = StatusWatch()
    assert watch.verdict(status("busy")) is None
    assert watch.verdict(status("starting")) is None


def test_session_is_that_of_the_process_at_work():
    watch = StatusWatch()
    watch.verdict(status("starting", session="kernel"))
    assert watch.session is None
    watch.verdict(status("busy", session="kernel"))
    watch.verdict(status("restarting", session="server"))
    assert watch.session == "kernel"
