"""One end of a comm, as users hold it."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tsushin.comm import Comm
from tsushin.errors import CommClosed, CommNotOpen, DuplicateComm, LocalProtocolError, NoHost
from tsushin.protocol.messages import Message, new_header
from tsushin.protocol.packed import Packed
from tsushin.testing import comm_pair


@pytest.fixture
def pair():
    return comm_pair()


@pytest.fixture
def manager(pair):
    return pair.kernel


@pytest.fixture
def joined(pair, manager):
    """Both ends of an open comm."""
    expected = pair.frontend.expect_open("t")
    here = Comm("t", manager=manager)
    pair.run()
    return here, expected.result(0)


def test_making_one_opens_it(pair, manager):
    comm = Comm("t", {"a": 1}, {"m": 2}, [b"x"], "c1", target_module="my/module", manager=manager)
    [sent] = pair.sent
    content = {key: value for key, value in sent.content.items() if key != "data"}
    assert content == {"comm_id": "c1", "target_name": "t", "target_module": "my/module"}
    assert (bytes(sent.content["data"]), sent.metadata, bytes(sent.buffers[0])) == (
        b'{"a":1}',
        {"m": 2},
        b"x",
    )
    assert (comm.comm_id, comm.target_name, comm.primary, comm.closed) == ("c1", "t", True, False)


def test_an_id_is_made_where_none_is_given(manager):
    ids = {Comm("t", manager=manager).comm_id for _ in range(10)}
    assert len(ids) == 10
    assert all(len(comm_id) == 32 for comm_id in ids)


def test_a_users_seed_does_not_bring_an_id_back(manager):
    ids = set()
    for _ in range(2):
        random.seed(7)
        ids.add(Comm("t", manager=manager).comm_id)
    assert len(ids) == 2


def test_a_forked_child_makes_ids_of_its_own():
    code = """
import os
from tsushin.comm import _new_id
is_parent = os.fork()
os.write(1, f"{_new_id()} ".encode())
if is_parent:
    os.wait()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(set(ran.stdout.split())) == 2


def test_without_a_host_there_is_no_comm(monkeypatch):
    monkeypatch.setattr("tsushin.host._finders", [])
    with pytest.raises(NoHost):
        Comm("t")


def test_a_secondary_one_sends_nothing_and_is_not_open(pair, manager):
    comm = Comm("t", primary=False, manager=manager)
    with pytest.raises(CommNotOpen):
        comm.send({})
    assert (pair.sent, comm.closed) == ([], False)


def test_a_secondary_one_can_be_opened_once(pair, manager):
    comm = Comm("t", primary=False, manager=manager)
    comm.open({"a": 1})
    with pytest.raises(DuplicateComm):
        comm.open()
    assert [m.msg_type for m in pair.sent] == ["comm_open"]


def test_a_closed_one_is_not_opened_again(pair, manager):
    comm = Comm("t", manager=manager)
    comm.close()
    with pytest.raises(CommClosed):
        comm.open()
    assert [m.msg_type for m in pair.sent] == ["comm_open", "comm_close"]


@pytest.mark.parametrize("call", ["open", "send", "close"])
def test_what_json_cannot_carry_is_refused_and_nothing_is_sent(pair, manager, call):
    comm = Comm("t", primary=call != "open", manager=manager)
    before = len(pair.sent)
    with pytest.raises(TypeError, match=r"data\.a\[1\]"):
        getattr(comm, call)({"a": [0, {1}]})
    assert (len(pair.sent), comm.closed) == (before, False)


def test_a_comm_that_cannot_open_is_in_no_registry(manager):
    with pytest.raises(TypeError):
        Comm("t", {"a": object()}, manager=manager)
    assert manager.comms == {}


def test_close_twice_is_a_no_op(pair, joined):
    here, _ = joined
    here.close()
    here.close()
    assert [m.msg_type for m in pair.sent] == ["comm_open", "comm_close"]


def test_close_after_the_peers_close_is_a_no_op(pair, joined):
    here, there = joined
    there.close()
    pair.run()
    here.close()
    assert [m.msg_type for m in pair.sent] == ["comm_open", "comm_close"]


def test_send_after_ones_own_close_raises_and_sends_nothing(pair, joined):
    here, _ = joined
    here.close({"mine": 1})
    with pytest.raises(CommClosed) as caught:
        here.send({})
    assert (caught.value.closed_by, caught.value.data, len(pair.sent)) == ("here", {}, 2)


def test_send_after_the_peers_close_raises_with_its_data(pair, joined):
    here, there = joined
    there.close({"why": "done", "b": b"x"})
    pair.run()
    with pytest.raises(CommClosed) as caught:
        here.send({})
    assert (caught.value.closed_by, caught.value.data["why"]) == ("there", "done")
    assert bytes(caught.value.data["b"]) == b"x"


def test_who_closed_is_told_at_both_ends(pair, joined):
    here, there = joined
    here.close()
    pair.run()
    assert (here.closed_by, there.closed_by) == ("here", "there")


def test_on_close_is_not_called_for_ones_own_close(pair, joined):
    here, _ = joined
    here.on_close(lambda msg: pytest.fail("own close"))
    here.close()
    pair.run()


def test_on_close_gets_the_whole_message_once(pair, joined):
    here, there = joined
    closed = []
    here.on_close(closed.append)
    there.close({"why": 1})
    pair.run()
    here.close()
    pair.run()
    assert [(m["msg_type"], m["content"]["data"]) for m in closed] == [("comm_close", {"why": 1})]


def test_decorators_return_the_function(joined):
    here, _ = joined

    @here.on_msg
    def on_msg(msg):
        pass

    @here.on_close
    def on_close(msg):
        pass

    assert callable(on_msg)
    assert callable(on_close)
    assert here.on_msg(None) is None


def test_a_handler_that_raises_leaves_the_comm_open(pair, joined):
    here, there = joined

    @here.on_msg
    def handler(msg):
        raise ValueError("mine")

    there.send({})
    pair.run()
    [(error, about)] = pair.kernel.runtime.reports
    assert (str(error), about) == ("mine", f"on_msg of comm {here.comm_id[:8]} on target 't'")
    assert not here.closed


def test_a_message_before_on_msg_is_kept(pair, joined):
    here, there = joined
    there.send({"n": 1})
    pair.run()
    seen = []
    here.on_msg(seen.append)
    assert seen == []
    pair.run()
    assert [m["content"]["data"] for m in seen] == [{"n": 1}]


def test_messages_sent_in_the_open_handler_come_after_the_open(pair, manager):
    pair.frontend.register_target("t", lambda comm, msg: comm.send({"hello": 1}))
    comm = Comm("t", manager=manager)
    pair.run()
    assert comm.expect_msg().result(0)["content"]["data"] == {"hello": 1}


def test_expect_msg_made_before_the_answer(pair, joined):
    here, there = joined
    answer = here.expect_msg()
    assert answer.is_waiting()
    there.send({"n": 1})
    pair.run()
    assert answer.result(0)["content"]["data"] == {"n": 1}


def test_expect_msg_says_what_it_waits_for(joined):
    here, _ = joined
    with pytest.raises(
        TimeoutError, match=r"^comm_msg on comm \w{8} on target 't': not within 0 s"
    ):
        here.expect_msg(timeout=0).result()


def test_a_close_ends_expect_msg_at_both_ends(pair, joined):
    waits = [comm.expect_msg() for comm in joined]
    joined[0].close({"why": 1})
    pair.run()
    for wait in waits:
        with pytest.raises(CommClosed):
            wait.result(0)


def test_a_bytearray_changed_after_send_arrives_as_it_was_sent(pair, joined):
    here, there = joined
    large = bytearray(5_000_000)
    here.send({"in data": large}, buffers=[large])
    large[:] = b"\xff" * len(large)
    pair.run()
    got = there.expect_msg().result(0)
    assert bytes(got["content"]["data"]["in data"]) == bytes(got["buffers"][0]) == bytes(5_000_000)


def test_without_copy_the_caller_promises_to_leave_it_alone(pair, joined):
    here, there = joined
    value = bytearray(b"old")
    here.send(buffers=[value], copy=False)
    value[:] = b"new"
    pair.run()
    assert bytes(there.expect_msg().result(0)["buffers"][0]) == b"new"


def test_received_buffers_are_read_only(pair, joined):
    here, there = joined
    here.send(buffers=[bytearray(b"x")])
    pair.run()
    assert there.expect_msg().result(0)["buffers"][0].readonly


async def test_async_with_closes_at_the_end(pair, manager):
    async with Comm("t", manager=manager) as comm:
        assert not comm.closed
    assert comm.closed_by == "here"


async def test_async_with_closes_when_the_body_raises(manager):
    with pytest.raises(KeyError):
        async with Comm("t", manager=manager) as comm:
            raise KeyError
    assert comm.closed


def test_nothing_is_sent_when_one_is_collected(pair, manager):
    comm = Comm("t", manager=manager)
    manager.comms.clear()
    del comm
    assert [m.msg_type for m in pair.sent] == ["comm_open"]


def test_a_comm_says_what_it_is(pair, manager):
    comm = Comm("t", comm_id="c1", manager=manager)
    assert repr(comm) == "<Comm 't' c1 open>"
    comm.close()
    assert repr(comm) == "<Comm 't' c1 closed by here>"


def test_a_notebook_shows_its_text_unless_the_host_has_something_to_show(manager):
    comm = Comm("t", manager=manager)
    assert comm._repr_mimebundle_(include=None, exclude=None) is None
    manager.display = lambda: {"text/plain": "shown"}
    assert comm._repr_mimebundle_() == {"text/plain": "shown"}


def test_a_comm_that_is_opened_later_is_primary(pair):
    comm = Comm("t", primary=False, manager=pair.kernel)
    assert not comm.primary
    comm.open()
    assert comm.primary


# ------------------------------------------------------------------ polling, waiting, iterating


def test_poll_takes_what_nobody_has_read_in_order(pair, joined):
    here, there = joined
    for n in range(3):
        there.send({"n": n})
    pair.run()
    assert [m["content"]["data"]["n"] for m in here.poll()] == [0, 1, 2]
    assert here.poll() == []


def test_poll_leaves_messages_to_on_msg(pair, joined):
    here, there = joined
    seen = []
    there.send({"n": 1})
    pair.run()
    here.on_msg(seen.append)
    assert here.poll() == []
    pair.run()
    assert [m["content"]["data"] for m in seen] == [{"n": 1}]


def test_wait_returns_at_once_what_is_there(pair, joined):
    here, there = joined
    there.send({"n": 1})
    pair.run()
    assert [m["content"]["data"] for m in here.wait()] == [{"n": 1}]


def test_wait_ends_when_time_is_up(joined):
    with pytest.raises(TimeoutError, match="a message on comm"):
        joined[0].wait(0.01)


def test_wait_gives_what_came_before_the_close_and_then_the_close(pair, joined):
    here, there = joined
    there.send({"n": 1})
    there.close({"bye": 1})
    pair.run()
    assert len(here.wait()) == 1
    with pytest.raises(CommClosed) as caught:
        here.wait()
    assert caught.value.data == {"bye": 1}


def collected(comm, seen):
    async def collect():
        async for msg in comm:
            seen.append(msg["content"]["data"])
        seen.append("end")

    return collect()


async def test_iterating_gives_every_message_and_ends_with_the_close(pair, joined):
    here, there = joined
    for n in range(3):
        there.send({"n": n})
    there.close()
    pair.run()
    seen = []
    await collected(here, seen)
    assert seen == [{"n": 0}, {"n": 1}, {"n": 2}, "end"]


async def test_iterating_raises_what_lost_the_comm(pair, joined):
    pair.kernel.lose("gone")
    with pytest.raises(CommClosed, match="gone"):
        await collected(joined[0], [])


async def test_an_iteration_that_is_cancelled_loses_nothing(pair, joined):
    here, there = joined
    waiting = asyncio.ensure_future(collected(here, []))
    await asyncio.sleep(0)
    waiting.cancel()
    there.send({"n": 1})
    pair.run()
    await asyncio.wait([waiting])
    assert len(here.poll()) == 1


def test_iterating_where_on_msg_takes_the_messages_is_refused(joined):
    here, _ = joined
    here.on_msg(print)
    with pytest.raises(LocalProtocolError, match="on_msg is set"):
        aiter(here)


def test_what_it_was_opened_with_is_made_anew_each_time(joined):
    _, there = joined
    there.open_msg["content"]["data"]["mine"] = 1
    assert there.open_msg["content"]["data"] == {}


@pytest.mark.parametrize("made_under", ["opening", "cell"])
def test_a_comm_that_a_peer_opened_keeps_what_it_was_made_under(pair, manager, made_under):
    header = new_header("comm_open", msg_id="opening", session="s", now=0)
    opening = Message("shell", header, content={"comm_id": "c", "target_name": "t", "data": {}})
    manager.runtime.header = {**header, "msg_id": made_under}
    comm = Comm("t", comm_id="c", primary=False, manager=manager)
    comm._opened_by(opening, Packed.of(opening))
    manager.runtime.header = {}
    manager.register_comm(comm)
    comm.send({})
    assert pair.sent[-1].parent_header == {**header, "msg_id": made_under}


def test_who_receives_is_one_whichever_thread_asks_first(manager):
    comm = Comm("t", manager=manager)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: comm._delivery, range(64)))
    assert all(one is made[0] for one in made)


def test_a_user_may_put_something_of_their_own_on_it(manager):
    comm = Comm("t", manager=manager)
    comm.mine = 1
    assert (comm.mine, comm.target_module, comm.open_msg) == (1, None, None)


@pytest.mark.parametrize("run", ["Main", "", None, 3])
def test_run_is_main_or_thread(manager, run):
    with pytest.raises(ValueError, match="expected 'main' or 'thread'"):
        Comm("t", manager=manager, run=run)
    with pytest.raises(ValueError, match="expected 'main' or 'thread'"):
        manager.register_target("t", print, run=run)


def test_comms_of_a_target_run_where_the_target_says(pair, manager):
    manager.register_target("t", lambda comm, msg: None, run="thread")
    there = pair.frontend.new_comm("t")
    pair.run()
    assert manager.get_comm(there.comm_id).run == "thread"
