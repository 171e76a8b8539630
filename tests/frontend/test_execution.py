from __future__ import annotations

import pytest

from frontend.messages import message
from tsushin.errors import KernelGone
from tsushin.frontend.execution import Execution, execution_error

REPLY = message("execute_reply", {"status": "ok", "execution_count": 3}, channel="shell")
IDLE = message("status", {"execution_state": "idle"})
BUSY = message("status", {"execution_state": "busy"})
OUTPUT = message("stream", {"name": "stdout", "text": "x"})


@pytest.mark.parametrize(
    "order",
    [(BUSY, OUTPUT, IDLE, REPLY), (BUSY, REPLY, OUTPUT, IDLE), (REPLY, BUSY, OUTPUT, IDLE)],
    ids=["idle first", "reply first", "reply before busy"],
)
async def test_over_when_reply_and_idle_are_here_in_whichever_order(order):
    execution = Execution(timeout_s=5)
    for number, step in enumerate(order):
        assert execution.expected.is_waiting(), number
        execution.message(step)
    result = await execution.expected
    assert (result.status, result.stdout, result.execution_count) == ("ok", "x", 3)


async def test_output_after_the_end_changes_nothing():
    execution = Execution(timeout_s=5)
    for step in (REPLY, IDLE, OUTPUT):
        execution.message(step)
    assert (await execution.expected).outputs == []


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ([REPLY], "reply arrived, kernel still busy"),
        ([BUSY, IDLE], "no reply, idle"),
    ],
)
async def test_time_out_says_what_is_missing(seen, text):
    execution = Execution(timeout_s=0.01)
    for step in seen:
        execution.message(step)
    with pytest.raises(TimeoutError, match=text):
        await execution.expected


async def test_ends_with_the_kernel():
    execution = Execution(timeout_s=5)
    execution.end(KernelGone("gone", why="restarted"))
    with pytest.raises(KernelGone):
        await execution.expected


def test_reply_of_an_error_becomes_the_error():
    error = execution_error(
        {"status": "error", "ename": "E", "evalue": "why", "traceback": ["line 1", "line 2"]}
    )
    assert (error.name, error.value, error.traceback) == ("E", "why", ["line 1", "line 2"])


@pytest.mark.parametrize("status", ["aborted", "abort", None, 7])
def test_any_other_status_is_not_run(status):
    assert execution_error({"status": status}).name == "Aborted"


def test_malformed_error_reply_still_is_an_error():
    error = execution_error({"status": "error", "ename": None, "traceback": 7})
    assert error.traceback == []
