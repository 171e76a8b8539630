"""A runtime that is stepped: nothing happens by itself."""

from __future__ import annotations

from tsushin.errors import RemoteProtocolError
from tsushin.testing import Clock, Gate, StepRuntime


def test_time_stands_still_until_it_is_told_to_pass():
    clock = Clock(10.0)
    assert (clock(), clock()) == (10.0, 10.0)
    clock.advance(2.5)
    assert clock() == 12.5


def test_callbacks_run_one_a_step_in_order():
    runtime, ran = StepRuntime(), []
    for number in (1, 2):
        runtime.soon(lambda n=number: ran.append(n))
    assert (ran, runtime.is_due()) == ([], True)
    runtime.step()
    assert (ran, runtime.is_due()) == ([1], True)
    runtime.step()
    assert (ran, runtime.is_due()) == ([1, 2], False)


def test_an_async_handler_goes_on_when_its_gate_is_open():
    runtime, gate, ended = StepRuntime(), Gate(), []

    async def handler():
        await gate

    runtime.spawn(handler(), ended.append)
    assert [runtime.resume(), runtime.resume(), ended] == [False, False, []]
    gate.open()
    assert (runtime.resume(), ended) == (True, [None])


def test_what_an_async_handler_raises_is_told():
    runtime, ended = StepRuntime(), []

    async def handler():
        raise SystemExit(3)

    runtime.spawn(handler(), ended.append)
    assert runtime.resume()
    assert [type(error) for error in ended] == [SystemExit]


def test_reports_and_faults_are_kept():
    runtime = StepRuntime()
    error, fault = ValueError("mine"), RemoteProtocolError("theirs")
    runtime.report(error, "on_msg of comm x", None)
    runtime.fault(fault)
    assert (runtime.reports, runtime.faults) == ([(error, "on_msg of comm x")], [fault])


def test_the_parent_is_what_the_test_says():
    runtime = StepRuntime()
    assert runtime.parent() == {}
    runtime.header = {"msg_id": "cell-1"}
    assert runtime.parent() == {"msg_id": "cell-1"}
