"""The comms and targets of one end: DESIGN 4 and 5 between two real managers, step by step.

One piece, as ``manager.py`` is: its test file mirrors it.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import msgspec
import numpy as np
import pytest

from tsushin.comm import Comm
from tsushin.errors import (
    CommClosed,
    DuplicateComm,
    KernelGone,
    TransportLost,
    UnknownTarget,
)
from tsushin.manager import CommManager
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.testing import Gate, comm_pair


@pytest.fixture
def pair():
    return comm_pair()


@pytest.fixture
def kernel(pair):
    return pair.kernel


@pytest.fixture
def frontend(pair):
    return pair.frontend


def types_sent(pair):
    return [message.msg_type for message in pair.sent]


def echo(comm, _msg):
    comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))


def feed(end, msg_type, **content):
    """Give an end a message as a peer might send it, checked by nobody."""
    header = new_header(msg_type, msg_id="m1", session="peer", now=0.0)
    metadata = content.pop("metadata", {})
    end.receive(Message("shell", header, {}, metadata, content))


class Foreign:
    """A comm of another package: three members and nothing else."""

    __slots__ = ("comm_id", "seen")

    def __init__(self, comm_id="f1"):
        self.comm_id = comm_id
        self.seen = []

    def handle_msg(self, msg):
        self.seen.append(msg)

    def handle_close(self, msg):
        self.seen.append(msg)


# ------------------------------------------------------------------ targets


@pytest.mark.parametrize("opener", ["kernel", "frontend"])
def test_either_side_opens_and_the_other_answers(pair, opener):
    ends = {"kernel": pair.kernel, "frontend": pair.frontend}
    here = ends.pop(opener)
    [there] = ends.values()
    there.register_target("echo", echo)
    comm = here.new_comm("echo")
    comm.send({"n": 1}, {"m": 2}, [b"abc"])
    answer = comm.expect_msg()
    pair.run()
    got = answer.result(0)
    assert (got["content"]["data"], got["metadata"]) == ({"n": 1}, {"m": 2})
    assert [bytes(b) for b in got["buffers"]] == [b"abc"]


def test_a_target_gets_the_comm_and_the_open(pair, kernel, frontend):
    seen = []
    kernel.register_target("t", lambda comm, msg: seen.append((comm, msg)))
    opened = frontend.new_comm("t", {"a": 1}, {"m": 2}, [b"x"])
    pair.run()
    [(comm, msg)] = seen
    assert (comm.comm_id, comm.primary, kernel.comms) == (
        opened.comm_id,
        False,
        {comm.comm_id: comm},
    )
    assert (msg["content"]["data"], msg["metadata"], comm.open_msg) == ({"a": 1}, {"m": 2}, msg)


def test_register_target_returns_the_function(kernel):
    def f(comm, msg):
        pass

    assert kernel.register_target("t", f) is f
    assert kernel.register_target("u")(f) is f
    assert kernel.targets == {"t": f, "u": f}


@pytest.mark.parametrize("text", ["test_manager_target:opened", "test_manager_target.opened"])
def test_a_target_may_be_an_import_string(monkeypatch, kernel, text):
    module = type(msgspec)("test_manager_target")
    module.opened = lambda comm, msg: None
    monkeypatch.setitem(__import__("sys").modules, "test_manager_target", module)
    assert kernel.register_target("t", text) is module.opened


@pytest.mark.parametrize("text", ["no_such_module:f", "os:no_such_name"])
def test_an_import_string_that_leads_nowhere_raises_at_once(kernel, text):
    with pytest.raises((ImportError, AttributeError)):
        kernel.register_target("t", text)
    assert kernel.targets == {}


@pytest.mark.parametrize("value", [7, [], "os:sep"])
def test_a_target_is_a_function(kernel, value):
    with pytest.raises(TypeError, match="target 't': expected a function"):
        kernel.register_target("t", value)


def test_a_decorator_without_its_name_is_a_mistake(kernel):
    with pytest.raises(TypeError, match="expected a name"):

        @kernel.register_target
        def f(comm, msg):
            pass


def test_a_later_target_of_a_name_replaces_the_first(pair, kernel, frontend):
    kernel.register_target("t", lambda comm, msg: pytest.fail("replaced"))
    seen = []
    kernel.register_target("t", lambda comm, msg: seen.append(comm))
    frontend.new_comm("t")
    pair.run()
    assert len(seen) == 1


def test_unregister_returns_the_function_and_later_opens_are_refused(pair, kernel, frontend):
    assert kernel.unregister_target("t", kernel.register_target("t", echo)) is echo
    comm = frontend.new_comm("t")
    pair.run()
    assert comm.closed


def test_unregister_with_another_function_leaves_the_target(kernel):
    kernel.register_target("t", echo)
    with pytest.raises(ValueError, match=r"expected .* registered is"):
        kernel.unregister_target("t", print)
    assert kernel.targets == {"t": echo}


def test_unregister_of_nothing_is_a_key_error(kernel):
    with pytest.raises(KeyError):
        kernel.unregister_target("t")


def test_unregistering_leaves_open_comms_alone(pair, kernel, frontend):
    kernel.register_target("t", echo)
    comm = frontend.new_comm("t")
    pair.run()
    kernel.unregister_target("t")
    comm.send({"n": 1})
    answer = comm.expect_msg()
    pair.run()
    assert answer.result(0)["content"]["data"] == {"n": 1}


# ------------------------------------------------------------------ targets with a module


def test_a_target_module_means_nothing_to_an_end_without_modules(frontend, kernel, pair):
    modules = []
    frontend.register_target("t", lambda comm, _msg: modules.append(comm.target_module))
    known = Comm("t", target_module="./m.js", manager=kernel)
    unknown = Comm("nobody", target_module="./m.js", manager=kernel)
    pair.run()
    assert (modules, known.closed, unknown.closed) == (["./m.js"], False, True)


# ------------------------------------------------------------------ unknown targets


def test_a_kernel_closes_an_open_it_does_not_know(pair, frontend):
    comm = frontend.new_comm("nobody", {"secret": 1})
    closed = []
    comm.on_close(closed.append)
    pair.run()
    [msg] = closed
    assert (comm.closed_by, msg["content"]["data"]) == ("there", {})
    assert msg["metadata"]["tsushin"]["error"]["code"] == "unknown_target"
    assert msg["parent_header"] == pair.sent[0].header
    assert [type(f) for f in pair.kernel.runtime.faults] == [UnknownTarget]


def test_a_frontend_that_started_its_kernel_closes_what_it_does_not_know(pair, kernel):
    comm = kernel.new_comm("nobody")
    pair.run()
    assert (comm.closed_by, pair.sent[-1].channel) == ("there", "shell")


def test_an_attached_frontend_never_closes_what_it_does_not_know():
    pair = comm_pair(frontends=2, on_unknown="ignore")
    first, second = (end for end in pair.frontends)
    first.register_target("t", echo)
    comm = pair.kernel.new_comm("t")
    comm.send({"n": 1})
    answer = comm.expect_msg()
    pair.run()
    assert answer.result(0)["content"]["data"] == {"n": 1}
    assert (second.unknown, second.comms, pair.frontends[1].runtime.faults) == (2, {}, [])


def test_the_second_frontends_messages_reach_a_comm_the_first_one_closed_as_late():
    pair = comm_pair(frontends=2)
    for end in pair.frontends:
        end.register_target("t", lambda comm, msg: None)
    comm = pair.kernel.new_comm("t")
    pair.run()
    pair.frontends[0].comms[comm.comm_id].close()
    pair.frontends[1].comms[comm.comm_id].send({})
    pair.run()
    assert (pair.kernel.late, pair.kernel.runtime.faults) == (1, [])


def test_unknown_ids_are_normal_at_a_frontend_and_reported_at_a_kernel(pair):
    for end in pair.ends:
        feed(end, "comm_msg", comm_id="other", data={})
        assert end.unknown == 1
    assert pair.frontend.runtime.faults == []
    [fault] = pair.kernel.runtime.faults
    assert str(fault) == "comm_msg 'other': no comm with this id is open"


def test_a_target_gone_between_open_and_run_is_left_alone_by_an_attached_frontend():
    pair = comm_pair(on_unknown="ignore")
    manager = pair.frontend
    expected = manager.expect_open("t")
    asked = manager._waits_for

    def waits_for(name):
        answer = asked(name)
        expected.cancel()  # as another thread might, just now
        return answer

    manager._waits_for = waits_for
    pair.kernel.new_comm("t")
    pair.run()
    assert (types_sent(pair), manager.comms, manager.unknown) == (["comm_open"], {}, 1)


# ------------------------------------------------------------------ targets that fail


def test_a_target_that_raises_closes_its_comm_with_the_error(pair, kernel, frontend):
    def target(comm, msg):
        raise ValueError("not today")

    kernel.register_target("t", target)
    comm = frontend.new_comm("t")
    closed = []
    comm.on_close(closed.append)
    pair.run()
    error = closed[0]["metadata"]["tsushin"]["error"]
    assert error == {"code": "remote_error", "name": "ValueError", "message": "not today"}
    assert (kernel.comms, frontend.comms) == ({}, {})


def test_a_target_that_raises_is_reported_to_its_user(pair, kernel, frontend):
    def target(comm, msg):
        raise SystemExit

    kernel.register_target("t", target)
    comm = frontend.new_comm("t")
    pair.run()
    [(error, about)] = pair.kernel.runtime.reports
    assert isinstance(error, SystemExit)
    assert about == f"target of comm {comm.comm_id[:8]} on target 't'"


def test_an_async_target_that_raises_closes_its_comm(pair, kernel, frontend):
    gate = Gate()

    async def target(comm, msg):
        await gate
        raise ValueError("not today")

    kernel.register_target("t", target)
    comm = frontend.new_comm("t")
    pair.run()
    assert not comm.closed
    gate.open()
    pair.run()
    assert comm.closed


def test_the_error_is_reported_even_when_the_link_is_gone(pair, kernel, frontend):
    def target(comm, msg):
        pair.frontend.links[0].cut()
        raise ValueError("not today")

    frontend.register_target("t", target)
    kernel.new_comm("t")
    pair.run()
    assert [str(error) for error, _ in pair.frontend.runtime.reports] == ["not today"]
    assert frontend.comms == {}


def test_a_refused_comms_waits_end(pair, kernel, frontend):
    waits = []

    def target(comm, msg):
        waits.append(comm.expect_msg())
        raise ValueError

    kernel.register_target("t", target)
    frontend.new_comm("t")
    pair.run()
    with pytest.raises(CommClosed):
        waits[0].result(0)


# ------------------------------------------------------------------ expect_open


def test_expect_open_made_before_gets_the_comm(pair, kernel, frontend):
    expected = frontend.expect_open("t")
    opened = kernel.new_comm("t", {"a": 1})
    opened.send({"n": 1})
    pair.run()
    comm = expected.result(0)
    assert comm.open_msg["content"]["data"] == {"a": 1}
    assert comm.expect_msg().result(0)["content"]["data"] == {"n": 1}


def test_expect_open_goes_before_the_target_and_once(pair, kernel, frontend):
    seen = []
    frontend.register_target("t", lambda comm, msg: seen.append(comm.comm_id))
    expected = frontend.expect_open("t")
    first, second = kernel.new_comm("t"), kernel.new_comm("t")
    pair.run()
    assert expected.result(0).comm_id == first.comm_id
    assert seen == [second.comm_id]


@pytest.mark.parametrize("how", ["cancel", "time out"])
def test_an_open_that_is_no_longer_expected_is_refused(pair, kernel, frontend, how):
    expected = frontend.expect_open("t", timeout=0.0)
    if how == "cancel":
        expected.cancel()
    comm = kernel.new_comm("t")
    pair.run()
    assert comm.closed
    with pytest.raises((TimeoutError, CancelledError)):
        expected.result(0)


def test_a_loss_ends_expect_open(frontend):
    expected = frontend.expect_open("t")
    frontend.lose("the kernel died", KernelGone("the kernel died", why="died"))
    with pytest.raises(KernelGone):
        expected.result(0)


# ------------------------------------------------------------------ duplicates


def test_a_second_open_of_a_live_id_is_reported_and_hurts_nobody(pair, kernel, frontend):
    kernel.register_target("t", echo)
    comm = frontend.new_comm("t")
    pair.run()
    feed(pair.kernel, "comm_open", comm_id=comm.comm_id, target_name="t", data={})
    comm.send({"n": 1})
    answer = comm.expect_msg()
    pair.run()
    assert answer.result(0)["content"]["data"] == {"n": 1}
    assert len(pair.kernel.runtime.faults) == 1
    assert "comm_close" not in types_sent(pair)


def test_a_new_comm_with_a_live_id_is_refused_and_sends_nothing(pair, kernel):
    kernel.new_comm("t", comm_id="c1")
    with pytest.raises(DuplicateComm) as caught:
        kernel.new_comm("t", comm_id="c1")
    assert caught.value.comm_id == "c1"
    assert types_sent(pair) == ["comm_open"]


def test_adopting_what_was_closed_meanwhile_is_refused(pair, kernel, frontend):
    frontend.register_target("t", lambda comm, msg: None)
    comm = kernel.new_comm("t", comm_id="c1")
    pair.run()
    comm.close()
    pair.run()
    with pytest.raises(DuplicateComm):
        frontend.register_comm(Comm("t", comm_id="c1", primary=False, manager=frontend))
    assert frontend.comms == {}


def test_adopting_joins_the_conversation(pair, kernel, frontend):
    kernel.register_comm(there := Comm("t", comm_id="c1", primary=False, manager=kernel))
    assert frontend.register_comm(Comm("t", comm_id="c1", primary=False, manager=frontend)) == "c1"
    there.send({"n": 1})
    pair.run()
    assert frontend.get_comm("c1").expect_msg().result(0)["content"]["data"] == {"n": 1}


# ------------------------------------------------------------------ closing and losing


def test_closing_tells_the_other_end_once_with_data(pair, kernel, frontend):
    kernel.register_target("t", echo)
    comm = frontend.new_comm("t")
    pair.run()
    closed = []
    kernel.comms[comm.comm_id].on_close(closed.append)
    comm.close({"why": 1}, {"m": 2}, [b"x"])
    pair.run()
    [msg] = closed
    assert (msg["content"]["data"], msg["metadata"], bytes(msg["buffers"][0])) == (
        {"why": 1},
        {"m": 2},
        b"x",
    )
    assert (kernel.comms, frontend.comms) == ({}, {})


def test_a_close_crossing_a_close_is_late_and_no_fault(pair, kernel, frontend):
    kernel.register_target("t", lambda comm, msg: None)
    comm = frontend.new_comm("t")
    pair.run()
    kernel.comms[comm.comm_id].close()
    comm.close()
    pair.run()
    assert [end.late for end in pair.ends] == [1, 1]
    assert [end.runtime.faults for end in pair.ends] == [[], []]


def test_a_loss_runs_on_close_with_the_reason_and_ends_waits(pair, kernel, frontend):
    comm = frontend.new_comm("t", comm_id="c1")
    closed, wait = [], comm.expect_msg()
    comm.on_close(closed.append)
    frontend.lose("the kernel died", KernelGone("the kernel died", why="died"))
    pair.run()
    assert closed[0]["metadata"] == {"tsushin": {"lost": "the kernel died"}}
    assert closed[0]["content"] == {"comm_id": "c1", "data": {}}
    assert (comm.closed_by, frontend.comms) == ("lost", {})
    with pytest.raises(KernelGone):
        wait.result(0)


def test_a_loss_is_told_to_foreign_comms_too(kernel):
    foreign = Foreign()
    kernel.register_comm(foreign)
    kernel.lose("forked")
    assert foreign.seen[0]["metadata"]["tsushin"] == {"lost": "forked"}
    assert kernel.comms == {}


def test_after_a_loss_the_end_can_be_used_again(pair, kernel, frontend):
    frontend.new_comm("t")
    frontend.lose("restarted")
    pair.run()
    kernel.register_target("t", echo)
    comm = frontend.new_comm("t")
    comm.send({"n": 1})
    answer = comm.expect_msg()
    pair.run()
    assert answer.result(0)["content"]["data"] == {"n": 1}


def test_close_all_closes_ours_and_leaves_foreign_comms(pair, kernel):
    ours, foreign = kernel.new_comm("t"), Foreign()
    kernel.register_comm(foreign)
    kernel.close_all("shut down")
    assert (ours.closed, list(kernel.comms)) == (True, ["f1"])
    assert pair.sent[-1].metadata == {"reason": "shut down"}


def test_close_all_goes_on_where_the_link_is_gone(pair, frontend):
    comms = [frontend.new_comm("t") for _ in range(3)]
    pair.frontend.links[0].cut()
    frontend.close_all("shut down")
    assert all(comm.closed for comm in comms)


# ------------------------------------------------------------------ failing transports


def test_an_open_that_cannot_leave_leaves_nothing_open(pair, frontend):
    pair.frontend.links[0].cut()
    with pytest.raises(TransportLost):
        frontend.new_comm("t", comm_id="c1")
    assert (frontend.comms, frontend._router.open_comms()) == ({}, {})


def test_after_a_failed_open_the_id_is_free(frontend, pair):
    link = pair.frontend.links[0]
    fails = iter([True])

    def send(message, send=link.send):
        if next(fails, False):
            raise TransportLost("for a moment")
        send(message)

    link.send = send
    with pytest.raises(TransportLost):
        frontend.new_comm("t", comm_id="c1")
    assert frontend.new_comm("t", comm_id="c1").comm_id == "c1"


def test_a_close_that_cannot_leave_closes_here_all_the_same(pair, frontend):
    comm = frontend.new_comm("t")
    pair.frontend.links[0].cut()
    with pytest.raises(TransportLost):
        comm.close()
    assert (comm.closed, frontend.comms) == (True, {})
    comm.close()


def test_a_refusal_that_cannot_leave_is_still_reported(pair):
    pair.frontend.links[0].cut()
    feed(pair.frontend, "comm_open", comm_id="c1", target_name="nobody")
    assert [type(f) for f in pair.frontend.runtime.faults] == [UnknownTarget]


# ------------------------------------------------------------------ malformed binary

BAD = {"tsushin": {"bin": [{"path": ["a"], "buffer": 9, "kind": "bytes"}]}}


def test_a_message_with_malformed_binary_is_reported_and_later_ones_work(pair, kernel, frontend):
    comm = frontend.new_comm("t", comm_id="c1")
    feed(pair.frontend, "comm_msg", comm_id="c1", data={"a": None}, metadata=BAD)
    feed(pair.frontend, "comm_msg", comm_id="c1", data={"n": 1})
    assert comm.expect_msg().result(0)["content"]["data"] == {"n": 1}
    assert len(pair.frontend.runtime.faults) == 1


def test_an_open_with_malformed_binary_is_refused(pair, kernel, frontend):
    frontend.register_target("t", lambda comm, msg: pytest.fail("must not run"))
    feed(pair.frontend, "comm_open", comm_id="c1", target_name="t", metadata=BAD)
    assert types_sent(pair) == ["comm_close"]
    assert frontend.comms == {}


@pytest.mark.parametrize(
    "data", [{}, {"data": []}, {"data": None}, {"data": {"a": None}}], ids=repr
)
def test_a_close_with_malformed_binary_closes_all_the_same(pair, frontend, data):
    comm, closed = frontend.new_comm("t", comm_id="c1"), []
    comm.on_close(closed.append)
    feed(pair.frontend, "comm_close", comm_id="c1", metadata=BAD, **data)
    assert (comm.closed_by, len(closed), frontend.comms) == ("there", 1, {})


@pytest.mark.parametrize(
    "value", [b"abc", np.arange(6.0).reshape(2, 3), memoryview(b"")], ids=["bytes", "array", "view"]
)
def test_binary_that_arrives_before_anybody_reads_is_kept(pair, kernel, frontend, value):
    expected = frontend.expect_open("t")
    kernel.new_comm("t", {"a": value}).send({"a": value})
    pair.run()
    comm = expected.result(0)
    for data in (comm.open_msg["content"]["data"], comm.expect_msg().result(0)["content"]["data"]):
        assert bytes(memoryview(data["a"])) == bytes(memoryview(value))


def test_the_limit_of_open_comms_holds_for_a_peer():
    pair = comm_pair(limits=Limits(max_open_comms=1))
    pair.kernel.register_target("t", lambda comm, msg: None)
    for comm_id in ("c1", "c2"):
        feed(pair.kernel, "comm_open", comm_id=comm_id, target_name="t")
    assert list(pair.kernel.comms) == ["c1"]
    assert pair.sent[-1].metadata["tsushin"]["error"]["code"] == "limit_exceeded"


@pytest.mark.parametrize("msg_type", ["status", "execute_request", "", "comm_info_reply"])
def test_other_messages_are_passed_over(pair, kernel, msg_type):
    feed(pair.kernel, msg_type, comm_id="c1")
    assert (pair.kernel.runtime.faults, kernel.unknown, kernel.comms) == ([], 0, {})


# ------------------------------------------------------------------ foreign comms


def test_a_foreign_comm_gets_its_messages_as_they_are(pair, kernel):
    kernel.register_comm(foreign := Foreign())
    feed(pair.kernel, "comm_msg", comm_id="f1", data={"n": 1})
    assert foreign.seen[0]["content"] == {"comm_id": "f1", "data": {"n": 1}}


def test_a_foreign_comm_that_is_closed_leaves_and_late_messages_are_late(pair, kernel):
    kernel.register_comm(foreign := Foreign())
    feed(pair.kernel, "comm_close", comm_id="f1", data={})
    feed(pair.kernel, "comm_msg", comm_id="f1", data={})
    assert (len(foreign.seen), kernel.comms, kernel.late) == (1, {}, 1)
    assert pair.kernel.runtime.faults == []


def test_a_foreign_comm_that_unregisters_leaves_late_messages_late(pair, kernel):
    foreign = Foreign()
    kernel.register_comm(foreign)
    assert kernel.unregister_comm(foreign) is foreign
    feed(pair.kernel, "comm_close", comm_id="f1", data={})
    assert (kernel.late, pair.kernel.runtime.faults) == (1, [])


def test_a_foreign_handler_that_raises_is_reported(pair, kernel):
    foreign = type("Raising", (Foreign,), {"handle_msg": lambda self, msg: 1 / 0})()
    kernel.register_comm(foreign)
    feed(pair.kernel, "comm_msg", comm_id="f1", data={})
    assert isinstance(pair.kernel.runtime.reports[0][0], ZeroDivisionError)


@pytest.mark.parametrize("how", ["open", "register", "register ours", "peer"])
def test_nobody_takes_the_id_of_a_live_foreign_comm(pair, kernel, how):
    foreign = Foreign()
    kernel.register_comm(foreign)
    kernel.register_target("t", echo)
    if how == "peer":
        feed(pair.kernel, "comm_open", comm_id="f1", target_name="t")
    else:
        with pytest.raises(DuplicateComm):
            {
                "open": lambda: kernel.new_comm("t", comm_id="f1"),
                "register": lambda: kernel.register_comm(Foreign()),
                "register ours": lambda: kernel.register_comm(
                    Comm("t", comm_id="f1", primary=False, manager=kernel)
                ),
            }[how]()
    assert (kernel.comms["f1"], pair.sent) == (foreign, [])


def test_registering_a_foreign_comm_again_changes_nothing(kernel):
    foreign = Foreign()
    assert [kernel.register_comm(foreign) for _ in range(2)] == ["f1", "f1"]


def test_comm_info_lists_foreign_comms(kernel):
    kernel.new_comm("t", comm_id="c1")
    kernel.register_comm(Foreign())
    assert kernel.comm_info() == {
        "status": "ok",
        "comms": {"c1": {"target_name": "t"}, "f1": {"target_name": ""}},
    }
    assert list(kernel.comm_info("t")["comms"]) == ["c1"]


# ------------------------------------------------------------------ unregister_comm


def test_unregister_comm_sends_nothing_and_ends_waits(pair, kernel):
    comm = kernel.new_comm("t")
    wait = comm.expect_msg()
    assert kernel.unregister_comm(comm) is comm
    assert (types_sent(pair), comm.closed) == (["comm_open"], True)
    with pytest.raises(CommClosed):
        wait.result(0)


def test_unregister_comm_of_another_with_the_same_id_is_a_key_error(kernel):
    comm = kernel.new_comm("t", comm_id="f1")
    with pytest.raises(KeyError):
        kernel.unregister_comm(Foreign())
    assert kernel.get_comm("f1") is comm


# ------------------------------------------------------------------ parents, threads, sharing


def test_what_is_sent_has_the_parent_of_the_moment(pair, kernel):
    pair.kernel.runtime.header = {"msg_id": "cell-1"}
    comm = kernel.new_comm("t")
    pair.kernel.runtime.header = {"msg_id": "cell-2"}
    comm.send({})
    assert [m.parent_header["msg_id"] for m in pair.sent] == ["cell-1", "cell-2"]


def test_time_comes_from_the_clock(pair, kernel):
    pair.clock.now = 0.0
    kernel.new_comm("t")
    assert pair.sent[0].header["date"] == "1970-01-01T00:00:00.000000+00:00"


def test_a_registry_can_be_shared(pair):
    comms, targets = {}, {"t": echo}
    runtime = pair.kernel.runtime
    manager = CommManager(
        send=pair.sent.append,
        runtime=runtime,
        channel="iopub",
        on_unknown="close",
        comms=comms,
        targets=targets,
    )
    manager.new_comm("t", comm_id="c1")
    assert (list(comms), manager.comms is comms, manager.targets is targets) == (["c1"], True, True)


def test_threads_may_open_send_close_and_ask_at_once(pair, kernel):
    errors, rounds = [], 200

    def hammer():
        try:
            for _ in range(rounds):
                comm = kernel.new_comm("t")
                comm.send({})
                kernel.comm_info()
                comm.close()
        except BaseException as error:  # told to the test by the list
            errors.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert errors == []
    assert (kernel.comms, len(pair.sent)) == ({}, 4 * rounds * 3)
    assert len({m.header["msg_id"] for m in pair.sent}) == len(pair.sent)


def test_two_threads_that_close_one_comm_send_one_close(pair, kernel):
    for _ in range(100):
        comm, barrier, errors = kernel.new_comm("t"), threading.Barrier(2), []

        def close(comm=comm, barrier=barrier, errors=errors):
            barrier.wait(10)
            try:
                comm.close()
            except BaseException as error:  # told to the test by the list
                errors.append(error)

        threads = [threading.Thread(target=close) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert errors == []
    assert types_sent(pair).count("comm_close") == 100


# ------------------------------------------------------------------ targets that come later


@pytest.fixture
def keeping():
    return comm_pair(on_unknown="keep")


def noted(seen):
    """Return a target that notes the open and what comes after it."""

    def target(comm, msg):
        seen.append((msg["content"]["data"], msg["metadata"]))
        comm.on_msg(lambda m: seen.append(m["content"]["data"]))

    return target


def test_a_comm_waits_for_its_target_with_its_messages(keeping):
    comm = keeping.kernel.new_comm("later", {"hello": 1})
    for n in range(3):
        comm.send({"n": n})
    keeping.run()
    seen = []
    keeping.frontend.register_target("later", noted(seen))
    assert seen == []  # not inside the registering call
    keeping.run()
    assert seen == [({"hello": 1}, {}), {"n": 0}, {"n": 1}, {"n": 2}]
    assert types_sent(keeping) == ["comm_open", "comm_msg", "comm_msg", "comm_msg"]
    assert not comm.closed


def test_a_comm_closed_while_it_waited_is_never_seen(keeping):
    keeping.kernel.new_comm("later").close()
    keeping.run()
    seen = []
    keeping.frontend.register_target("later", noted(seen))
    keeping.run()
    assert seen == []
    assert keeping.frontend.comms == {}


def test_a_comm_waits_on_where_its_target_was_unregistered_at_once(keeping):
    keeping.kernel.new_comm("later")
    keeping.run()
    seen = []
    keeping.frontend.register_target("later", noted(seen))
    keeping.frontend.unregister_target("later")
    keeping.run()
    assert seen == []
    keeping.frontend.register_target("later", noted(seen))
    keeping.run()
    assert len(seen) == 1


def test_expect_open_takes_the_comm_that_waited_longest(keeping):
    first, second = (keeping.kernel.new_comm("later") for _ in range(2))
    keeping.run()
    expected = keeping.frontend.expect_open("later")
    keeping.run()
    assert expected.result().comm_id == first.comm_id
    assert second.comm_id not in keeping.frontend.comms


def test_what_waited_is_lost_with_the_kernel(keeping):
    keeping.kernel.new_comm("later")
    keeping.run()
    keeping.frontend.lose("gone")
    seen = []
    keeping.frontend.register_target("later", noted(seen))
    keeping.run()
    assert seen == []


def test_register_comm_takes_over_a_comm_that_waits(keeping):
    comm = keeping.kernel.new_comm("later")
    keeping.run()
    mine = Comm("later", comm_id=comm.comm_id, primary=False, manager=keeping.frontend)
    keeping.frontend.register_comm(mine)
    seen = []
    mine.on_msg(lambda m: seen.append(m["content"]["data"]))
    comm.send({"n": 1})
    keeping.run()
    assert seen == [{"n": 1}]


@pytest.mark.parametrize("on_unknown", ["close", "ignore", "keep"])
def test_restore_offers_comms_of_before_to_their_targets_and_sends_nothing(on_unknown):
    pair = comm_pair(frontends=0)
    comm = pair.kernel.new_comm("t", {"not": "told again"})
    other = pair.kernel.new_comm("not-registered")
    info = pair.kernel.comm_info()["comms"]
    late = comm_pair(on_unknown=on_unknown)
    seen = []
    late.frontend.register_target("t", noted(seen))
    assert late.frontend.restore(info) == [comm.comm_id]
    assert late.frontend.restore(info) == []  # it is open now
    late.run()
    assert seen == [({}, {"tsushin": {"restored": True}})]
    assert late.sent == []
    late.frontend.register_target("not-registered", noted(seen))
    late.run()
    assert (other.comm_id in late.frontend.comms) == (on_unknown == "keep")


def test_a_comm_that_waited_works_both_ways():
    pair = comm_pair(frontends=2, on_unknown="keep")
    comm = pair.kernel.new_comm("t")
    pair.cut(pair.frontend)
    _, late = pair.frontends
    late.register_target("t", echo)
    pair.run()
    answer = comm.expect_msg()
    comm.send({"n": 1})
    pair.run()
    assert answer.result()["content"]["data"] == {"n": 1}


def test_restore_leaves_a_closed_comm_closed(keeping):
    comm = keeping.kernel.new_comm("t")
    info = keeping.kernel.comm_info()["comms"]
    comm.close()
    keeping.run()
    keeping.frontend.register_target("t", echo)
    assert keeping.frontend.restore(info) == []
