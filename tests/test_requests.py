"""Requests between two real managers: answers, errors, ends; nobody waits for ever."""

from __future__ import annotations

import pytest

from tsushin.errors import CommClosed, NoPeer, RemoteError, RemoteProtocolError
from tsushin.requests import MAX_RUNNING
from tsushin.testing import comm_pair
from tsushin.testing.runtimes import Gate


@pytest.fixture
def pair():
    pair = comm_pair()
    pair.join()
    return pair


@pytest.fixture
def ends(pair):
    """Both ends of an open comm: who asks, who answers."""
    expected = pair.frontend.expect_open("t")
    here = pair.kernel.new_comm("t")
    pair.run()
    return here, expected.result(0)


def test_the_answer_is_what_the_function_returns(pair, ends):
    here, there = ends
    there.handle("sum", lambda msg: sum(msg["content"]["data"]["of"]))
    answer = here.request("sum", {"of": [1, 2, 3]})
    pair.run()
    assert answer.result(0) == 6


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": None}, [1, {"b": 2}]])
def test_any_json_value_is_an_answer(pair, ends, value):
    here, there = ends
    there.handle("value", lambda _: value)
    answer = here.request("value")
    pair.run()
    assert answer.result(0) == value


def test_binary_travels_both_ways(pair, ends):
    here, there = ends
    there.handle("turn", lambda msg: {"back": bytes(msg["content"]["data"]["raw"])[::-1]})
    answer = here.request("turn", {"raw": b"abc"})
    pair.run()
    assert bytes(answer.result(0)["back"]) == b"cba"


def test_either_end_asks(pair, ends):
    here, there = ends
    here.handle("who", lambda _: "kernel")
    answer = there.request("who")
    pair.run()
    assert answer.result(0) == "kernel"


def test_requests_and_answers_are_no_messages(pair, ends):
    here, there = ends
    seen = []
    here.on_msg(seen.append)
    there.on_msg(seen.append)
    there.handle("x", lambda _: 1)
    here.request("x")
    pair.run()
    assert seen == []
    assert here.poll() == there.poll() == []


def test_the_traceback_stays_here_where_it_may_not_be_told(pair, ends):
    here, there = ends
    pair.frontend.allow_tracebacks = False
    there.handle("fails", lambda msg: 1 / 0)
    answer = here.request("fails")
    pair.run()
    with pytest.raises(RemoteError, match="ZeroDivisionError: division by zero") as caught:
        answer.result(0)
    assert caught.value.remote_traceback == ""


def test_what_the_function_raises_is_a_remote_error_with_its_traceback(pair, ends):
    here, there = ends

    @there.handle("fails")
    def fails(msg):
        raise KeyError("the key")

    answer = here.request("fails")
    pair.run()
    with pytest.raises(RemoteError, match="KeyError: 'the key'") as caught:
        answer.result(0)
    assert caught.value.name == "KeyError"
    assert 'raise KeyError("the key")' in caught.value.remote_traceback
    [(error, about)] = pair.frontend.runtime.reports
    assert isinstance(error, KeyError)
    assert about.startswith("handler of 'fails' of comm")


def test_an_answer_that_json_cannot_carry_is_an_error_that_names_it(pair, ends):
    here, there = ends
    there.handle("set", lambda _: {"a": {1}})
    answer = here.request("set")
    pair.run()
    with pytest.raises(RemoteError, match=r"data\.value\.a: JSON cannot carry set"):
        answer.result(0)


def test_where_nobody_handles_there_is_no_peer(pair, ends):
    here, _ = ends
    answer = here.request("nobody")
    pair.run()
    with pytest.raises(NoPeer, match="no handler for 'nobody'"):
        answer.result(0)


def test_without_an_answer_time_is_up_and_the_answer_is_late(pair, ends):
    here, there = ends
    there.handle("slow", lambda _: 1)
    answer = here.request("slow", timeout=0.01)
    with pytest.raises(TimeoutError, match="answer to 'slow'"):
        answer.result()
    pair.run()
    assert here._requests.late == 1


@pytest.mark.parametrize("closer", [0, 1])
def test_a_close_ends_the_wait(pair, ends, closer):
    here, _ = ends
    answer = here.request("x")
    ends[closer].close()
    pair.run()
    with pytest.raises(CommClosed):
        answer.result(0)


def test_a_loss_ends_the_wait(pair, ends):
    here, _ = ends
    answer = here.request("x")
    pair.kernel.lose("gone")
    with pytest.raises(CommClosed, match="gone"):
        answer.result(0)


def test_without_a_peer_that_knows_the_profile_there_is_none_at_once():
    plain = comm_pair()
    plain.frontend.register_target("t", lambda comm, msg: comm.handle("x", lambda _: 1))
    here = plain.kernel.new_comm("t")
    plain.run()
    with pytest.raises(NoPeer, match="nobody at the other end"):
        here.request("x").result(0)


def test_whoever_asks_and_waits_no_longer_ends_the_function_that_answers(pair, ends):
    here, there = ends
    ended = []

    @there.handle("slow")
    async def slow(msg):
        try:
            await Gate()
        finally:
            ended.append(True)

    answer = here.request("slow")
    for _ in range(5):
        while pair.choices():
            pair.choices()[0].step()
        pair.frontend.runtime.resume()
    answer.cancel()
    pair.run()
    assert ended == [True]
    assert there._requests._running == 0
    assert here._requests.late == 0


def test_of_several_frontends_the_first_answer_counts_and_the_others_are_ended():
    several = comm_pair(frontends=3, on_unknown="ignore")
    several.join()
    gate, ended = Gate(), []

    async def never(msg):
        try:
            await Gate()
        finally:
            ended.append(True)

    async def soon(msg):
        await gate
        return "second"

    for front, answers in zip(several.frontends, (None, never, soon), strict=True):
        front.register_target("t", lambda comm, _, f=answers: comm.handle("who", f) if f else None)
    here = several.kernel.new_comm("t")
    answer = here.request("who")
    several.run()
    gate.open()
    several.run()
    assert answer.result(0) == "second"
    assert ended == [True]


def test_where_every_frontend_has_no_handler_there_is_no_peer():
    several = comm_pair(frontends=2, on_unknown="ignore")
    several.join()
    for front in several.frontends:
        front.register_target("t", lambda comm, msg: None)
    here = several.kernel.new_comm("t")
    answer = here.request("who")
    several.run()
    with pytest.raises(NoPeer, match="no handler"):
        answer.result(0)


def test_where_every_frontend_has_refused_the_comm_there_is_no_peer_at_once():
    several = comm_pair(frontends=2, on_unknown="ignore")
    several.join()
    here = several.kernel.new_comm("nobody knows it")
    several.pass_time(1)
    with pytest.raises(NoPeer):
        here.request("who").result(0)


def test_a_request_before_any_peer_waits_a_moment_for_the_first():
    pair = comm_pair()
    pair.kernel.sessions.announce()
    pair.frontend.register_target("t", lambda comm, msg: comm.handle("x", lambda _: 1))
    here = pair.kernel.new_comm("t")
    answer = here.request("x")
    assert answer.is_waiting()
    pair.run()  # it knows requests without a hello, too
    assert answer.result(0) == 1
    late = here.request("y")
    pair.frontend.links[0].drop("iopub")
    pair.pass_time(3)
    with pytest.raises(NoPeer):
        late.result(0)


def slow(gate):
    """A target whose function answers once the gate is open."""

    async def answer(_):
        await gate
        return 1

    return lambda comm, _: comm.handle("x", answer)


@pytest.mark.parametrize("is_new", [False, True], ids=["", "just after the kernel end came"])
def test_who_joins_after_a_request_was_sent_is_not_waited_for(is_new):
    pair = comm_pair(frontends=2, on_unknown="ignore")
    first, second = pair.frontends
    first.register_target("t", slow(Gate()))
    if is_new:
        pair.kernel.sessions.announce()
    pair.join(first)
    here = pair.kernel.new_comm("t")
    pair.run()
    answer = here.request("x")
    pair.run()
    if not is_new:
        pair.join(second)
    assert answer.is_waiting()
    first.sessions.leave()
    pair.run()
    if is_new:
        pair.join(second)
    with pytest.raises(NoPeer):
        answer.result(0)


def test_who_says_hello_just_after_the_kernel_end_came_may_have_heard_it_before():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    first, second = pair.frontends
    gate = Gate()
    first.register_target("t", lambda comm, msg: None)
    second.register_target("t", slow(gate))
    pair.kernel.sessions.announce()
    pair.join(first)
    here = pair.kernel.new_comm("t")
    pair.run()
    answer = here.request("x")
    pair.join(second)
    assert answer.is_waiting()  # the first one has no handler
    gate.open()
    pair.run()
    assert answer.result(0) == 1


def test_a_request_on_a_closed_comm_is_refused_and_nobody_waits(ends):
    here, _ = ends
    here.close()
    with pytest.raises(CommClosed):
        here.request("x")
    assert here._requests._waiting == {}


def test_async_functions_answer_beside_each_other(pair, ends):
    here, there = ends
    gates = {"a": Gate(), "b": Gate()}

    @there.handle("wait")
    async def wait(msg):
        name = msg["content"]["data"]["name"]
        await gates[name]
        return name

    first, second = (here.request("wait", {"name": name}) for name in "ab")
    pair.run()
    gates["b"].open()
    pair.run()
    assert (first.is_waiting(), second.result(0)) == (True, "b")
    gates["a"].open()
    pair.run()
    assert first.result(0) == "a"


def test_more_at_once_than_allowed_wait_their_turn(pair, ends):
    here, there = ends
    gate, running = Gate(), []

    @there.handle("wait")
    async def wait(msg):
        running.append(1)
        await gate

    answers = [here.request("wait") for _ in range(MAX_RUNNING + 5)]
    pair.run()
    assert len(running) == MAX_RUNNING
    gate.open()
    pair.run()
    assert [answer.result(0) for answer in answers] == [None] * (MAX_RUNNING + 5)


def test_an_answer_to_a_closed_comm_harms_nobody(pair, ends):
    here, there = ends
    gate = Gate()

    @there.handle("wait")
    async def wait(msg):
        await gate

    here.request("wait")
    pair.run()
    there.close()
    gate.open()
    pair.run()
    assert pair.frontend.runtime.reports == []


def test_handle_returns_its_function_and_the_last_one_counts(pair, ends):
    here, there = ends

    def first(msg):
        return 1

    assert there.handle("x", first) is first
    there.handle("x")(lambda _: 2)
    answer = here.request("x")
    pair.run()
    assert answer.result(0) == 2


@pytest.mark.parametrize("arguments", [(print,), ("x", 3)])
def test_handle_refuses_what_is_no_name_or_no_function(ends, arguments):
    with pytest.raises(TypeError, match="handle"):
        ends[0].handle(*arguments)


def test_a_malformed_request_is_a_fault_and_reaches_nobody(pair, ends):
    here, there = ends
    seen = []
    there.on_msg(seen.append)
    here._send_entry({}, {"req": 3})
    pair.run()
    [fault] = pair.frontend.runtime.faults
    assert isinstance(fault, RemoteProtocolError)
    assert seen == []


def test_a_sync_request_has_its_answer_or_ends(pair, ends):
    here, _ = ends
    with pytest.raises(TimeoutError):  # nothing comes while a test waits
        here.request_sync("x", timeout=0.01)
