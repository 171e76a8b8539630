"""``Frontend`` at a real ipykernel over ZMQ: both flows, executing, loss, restart, two frontends."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest
import zmq

from flows import PYTHON, frontend_opens, kernel_opens, the_other_end_closes, value
from laning import laned, until
from transports.zmq_kernel import ZmqKernel
from tsushin import ExecutionError, KernelGone, TransportClosed, connect
from tsushin.errors import CommClosed, Unsupported
from tsushin.profile.control import TARGET
from tsushin.protocol.messages import Message

pytestmark = pytest.mark.interop

SLEEP = "import time; time.sleep(60)"


@pytest.mark.parametrize("python", PYTHON)
async def test_kernel_opens_with_metadata_and_three_buffers(fe, python):
    await kernel_opens(fe, python)


@pytest.mark.parametrize("python", PYTHON)
async def test_frontend_opens_with_metadata_and_three_buffers(fe, python):
    await frontend_opens(fe, python)


@pytest.mark.parametrize("python", PYTHON)
async def test_either_end_closes_what_the_other_has_opened(fe, python):
    await the_other_end_closes(fe, python)


# ---------------------------------------------------------------- execute


async def test_execute_returns_what_was_printed_shown_and_given(fe):
    result = await fe.execute(
        "import sys; print('out'); print('err', file=sys.stderr); display({'a': 1}); 6 * 7"
    )
    assert (result.status, result.stdout, result.stderr, result.result) == (
        "ok",
        "out\n",
        "err\n",
        "42",
    )
    kinds = [output["output_type"] for output in result.outputs]
    assert sorted(kinds) == ["display_data", "execute_result", "stream", "stream"]
    assert result.execution_count > 0


async def test_error_carries_the_traceback(fe):
    with pytest.raises(ExecutionError) as raised:
        await fe.execute("def f():\n    1/0\nf()")
    assert raised.value.name == "ZeroDivisionError"
    assert raised.value.value == "division by zero"
    assert "f()" in "".join(raised.value.traceback)


async def test_error_can_be_returned_with_what_was_printed_before(fe):
    result = await fe.execute("print('before'); 1/0", raise_on_error=False)
    assert (result.status, result.stdout) == ("error", "before\n")
    assert result.error.name == "ZeroDivisionError"
    assert result.outputs[-1]["output_type"] == "error"


async def test_asking_for_input_is_an_error_in_the_kernel(fe):
    with pytest.raises(ExecutionError, match="StdinNotImplementedError"):
        await fe.execute("input('name?')")


async def test_outputs_are_seen_as_they_arrive(fe):
    seen = []
    release = fe.comm_manager.register_target("release", lambda comm, msg: seen.append("opened"))
    await fe.execute(
        "from tsushin import Comm; print('first', flush=True); Comm('release'); print('second')",
        on_output=lambda output: seen.append(output["text"]),
    )
    fe.comm_manager.unregister_target("release", release)
    assert "opened" in seen
    assert "".join(text for text in seen if text != "opened") == "first\nsecond\n"


async def test_callback_that_raises_is_reported_and_nothing_is_lost(fe):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def broken(output):
        raise ValueError("mine")

    result = await fe.execute("print('x')", on_output=broken)
    assert result.stdout == "x\n"
    assert [str(context["exception"]) for context in reported] == ["mine"]


async def test_executions_at_once_get_each_their_own(fe):
    results = await asyncio.gather(*(fe.execute(f"print({i}); {i}") for i in range(20)))
    assert [(r.stdout, r.result) for r in results] == [(f"{i}\n", str(i)) for i in range(20)]


async def test_execution_behind_one_that_raised_is_aborted(fe):
    first = asyncio.ensure_future(
        fe.execute("import time; time.sleep(0.1); 1/0", stop_on_error=True)
    )
    second = asyncio.ensure_future(fe.execute("2", raise_on_error=False))
    with pytest.raises(ExecutionError, match="ZeroDivisionError"):
        await first
    assert (await second).status == "aborted"


async def test_time_out_says_what_is_missing_and_interrupt_frees_the_kernel(own):
    started = asyncio.Event()
    running = asyncio.ensure_future(
        own.execute(f"print(1, flush=True); {SLEEP}", timeout=2, on_output=lambda _: started.set())
    )
    await started.wait()
    with pytest.raises(
        TimeoutError, match=r"execute \(no reply, kernel still busy\): not within 2 s"
    ):
        await running
    await own.interrupt()
    assert (await own.execute("1")).result == "1"


async def test_cancelled_wait_leaves_nothing_behind(fe):
    await fe._looking
    waiting = asyncio.ensure_future(fe.execute("import time; time.sleep(0.2)"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(fe._requests) == 0
    assert (await fe.execute("2")).result == "2"


async def test_kernel_info_names_the_language(fe):
    assert (await fe.kernel_info())["language_info"]["name"] == "python"


# ---------------------------------------------------------------- comms


async def test_comms_lists_what_is_open_by_target(fe):
    await fe.execute("from tsushin import Comm; a, b = Comm('list a'), Comm('list b')")
    a, b = await value(fe, "(a.comm_id, b.comm_id)")
    assert await fe.comms("list a") == {a: {"target_name": "list a"}}
    assert {a, b} <= set(await fe.comms())
    await fe.execute("a.close(); b.close()")


async def test_unknown_target_is_closed_where_this_frontend_is_the_only_one(own):
    await own.execute(
        "from ipykernel.comm import Comm\n"
        "closed = []\n"
        "c = Comm(target_name='nobody has this')\n"
        "c.on_close(lambda msg: closed.append((msg['content']['data'], msg['metadata'])))"
    )
    ((data, metadata),) = await value(own, "closed")
    assert data == {}
    assert metadata["tsushin"]["error"]["code"] == "unknown_target"


async def test_attached_frontend_without_the_target_does_not_disturb_the_first(shared_kernel):
    file = shared_kernel.connection_file
    async with connect(connection_file=file) as first, connect(connection_file=file) as second:
        opened = first.expect_open("only the first", timeout=10)
        await first.execute("from tsushin import Comm; c = Comm('only the first')")
        comm = await opened
        await second.execute("1")  # what the second had to say has reached the kernel
        await first.execute("c.send({'still': 'open'})")
        assert (await comm.expect_msg(10))["content"]["data"] == {"still": "open"}
        assert await value(first, "c.closed") is False
        assert second.comm_manager.unknown >= 2
        await first.execute("c.close()")


async def test_both_frontends_hear_what_the_kernel_sends(shared_kernel):
    file = shared_kernel.connection_file
    async with connect(connection_file=file) as first, connect(connection_file=file) as second:
        opens = [fe.expect_open("for both", timeout=10) for fe in (first, second)]
        await first.execute("from tsushin import Comm; c = Comm('for both'); c.send({'n': 1})")
        for opened in opens:
            comm = await opened
            assert (await comm.expect_msg(10))["content"]["data"] == {"n": 1}
        await first.execute("c.close()")


# The kernel's own mark (1,000) makes the *sender* drop when this machine is too busy to read at once: lifted,
# so that only what this end does is measured.
UNBOUNDED = """
import threading, zmq
iopub, done = get_ipython().kernel.iopub_thread, threading.Event()
iopub.schedule(lambda: (iopub.socket.setsockopt(zmq.SNDHWM, 0), done.set()))
assert done.wait(5)
"""


async def test_burst_of_20_000_from_the_kernel_loses_nothing(fe):
    await fe.execute(UNBOUNDED)
    opened = fe.expect_open("burst", timeout=10)
    await fe.execute("from ipykernel.comm import Comm; c = Comm(target_name='burst')")
    comm = await opened
    got = []
    comm.on_msg(lambda msg: got.append(msg["content"]["data"]["i"]))
    await fe.execute("for i in range(20_000): c.send({'i': i})")
    assert got == list(range(20_000))
    await fe.execute("c.close()")


# ---------------------------------------------------------------- loss


async def test_killed_kernel_ends_every_wait_at_once(own):
    pid = await value(own, "__import__('os').getpid()")
    comm, closes = await opened_comm(own)
    os.kill(pid, signal.SIGSTOP)  # it answers nothing
    waits = [
        asyncio.ensure_future(own.execute(SLEEP)),
        asyncio.ensure_future(own.comms()),
        own.expect_open("never"),
        comm.expect_msg(),
    ]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    for wait in waits:
        async with asyncio.timeout(2):
            with pytest.raises(KernelGone) as raised:
                await wait
        assert raised.value.why == "died"
    assert [msg["metadata"]["tsushin"]["lost"] for msg in closes] == ["kernel 'python3' died"]
    assert (comm.closed_by, own.is_alive) == ("lost", False)
    with pytest.raises(CommClosed):
        comm.send({})
    for call in (own.execute("1"), own.kernel_info(), own.interrupt()):
        with pytest.raises(KernelGone):
            await call


async def test_restart_ends_waits_loses_comms_and_keeps_targets(own):
    own.comm_manager.register_target("kept", lambda comm, msg: None)
    comm, closes = await opened_comm(own)
    waiting = asyncio.ensure_future(own.execute(SLEEP))
    await asyncio.sleep(0)
    await own.restart()
    with pytest.raises(KernelGone) as raised:
        await waiting
    assert raised.value.why == "restarted"
    assert (comm.closed_by, len(closes)) == ("lost", 1)
    assert (await own.execute("'kept' in dir()")).result == "False"
    await own.execute("from tsushin import Comm; c = Comm('kept')")
    assert await value(own, "c.closed") is False


async def test_restart_revives_a_kernel_that_died(own):
    pid = await value(own, "__import__('os').getpid()")
    waiting = asyncio.ensure_future(own.execute(SLEEP))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(KernelGone):
        await waiting
    await own.restart()
    assert own.is_alive
    assert await value(own, "__import__('os').getpid()") != pid


async def test_unsupported_restart_changes_nothing(fe):
    comm, closes = await opened_comm(fe)
    with pytest.raises(Unsupported):
        await fe.restart()
    assert (comm.closed, closes) == (False, [])
    assert (await fe.execute("1")).result == "1"


async def test_closing_ends_waits_and_comms_and_closes_own_comms_at_the_kernel(shared_kernel):
    fe = await connect(connection_file=shared_kernel.connection_file)
    await fe.execute(
        "closes = []\n"
        "def opened(comm, msg): comm.on_close(lambda msg: closes.append(msg['metadata']))\n"
        "get_ipython().kernel.comm_manager.register_target('of a leaver', opened)"
    )
    own = fe.comm_manager.new_comm("of a leaver")
    comm, closes = await opened_comm(fe)
    waiting = asyncio.ensure_future(fe.execute("import time; time.sleep(0.2)"))
    await asyncio.sleep(0)
    await fe.aclose()
    with pytest.raises(TransportClosed):
        await waiting
    assert (own.closed_by, comm.closed_by, len(closes)) == ("here", "lost", 1)
    await fe.aclose()
    async with connect(connection_file=shared_kernel.connection_file) as other:
        assert len(await value(other, "closes")) == 1
        assert comm.comm_id in await other.comms()
        await other.execute("c.close()")


async def opened_comm(fe):
    opened = fe.expect_open("a comm", timeout=10)
    await fe.execute("from tsushin import Comm; c = Comm('a comm')")
    comm = await opened
    closes = []
    comm.on_close(closes.append)
    return comm, closes


# ---------------------------------------------------------------- a kernel that misbehaves


@pytest.fixture
async def odd(tmp_path):
    """A frontend at sockets that a test drives: the kernel's side, and the frontend."""
    kernel = ZmqKernel(iopub=zmq.XPUB)
    file = tmp_path / "kernel.json"
    file.write_text(json.dumps(kernel.info))
    async with connect(connection_file=file, timeout=10) as fe:
        kernel.looked_for = await kernel.receive()
        assert kernel.looked_for.content == {"target_name": TARGET}  # it looks for the profile
        yield kernel, fe
    await kernel.aclose()


async def test_no_second_hello_is_said_where_a_message_of_the_kernel_end_was_here_first(odd):
    kernel, fe = odd
    announced = from_kernel(
        kernel, "iopub", "comm_msg", {"comm_id": TARGET, "data": {"profile": 1}}
    )
    kernel.send(announced)
    hello = await kernel.receive()
    assert (hello.msg_type, hello.content["target_name"]) == ("comm_open", TARGET)
    content = {"status": "ok", "comms": {TARGET: {"target_name": TARGET}}}
    kernel.send(from_kernel(kernel, "shell", "comm_info_reply", content, kernel.looked_for.header))
    await fe._looking
    fe.comm_manager.new_comm("next")
    assert (await kernel.receive()).content["target_name"] == "next"


def from_kernel(kernel, channel, kind, content, parent=None):
    return Message(channel, kernel.header(kind), parent or {}, {}, content)


async def test_malformed_frames_are_reported_and_the_next_message_arrives(odd, caplog):
    kernel, fe = odd
    opened = fe.expect_open("after", timeout=10)
    kernel.send_frames("iopub", [b"<IDS|MSG>", b"not signed", b"{}", b"{}", b"{}", b"{}"])
    kernel.send_frames("iopub", [b"nonsense"])
    kernel.send(from_kernel(kernel, "iopub", "comm_open", {"comm_id": 7, "target_name": "after"}))
    kernel.send(from_kernel(kernel, "iopub", "comm_open", {"comm_id": "a", "target_name": "after"}))
    assert (await opened).comm_id == "a"
    texts = [record.message.partition(":")[0] for record in caplog.records]
    assert texts == ["signature", "delimiter", "comm_open content.comm_id"]


@pytest.mark.parametrize(
    "content", [{}, {"status": 7}, {"status": "error", "ename": 1, "evalue": [], "traceback": {}}]
)
async def test_malformed_reply_ends_the_execution_with_an_error(odd, content):
    kernel, fe = odd
    running = asyncio.ensure_future(fe.execute("1", timeout=10))
    request = await kernel.receive()
    for broken in ("stream", "display_data", "execute_result", "error", "clear_output", "status"):
        kernel.send(from_kernel(kernel, "iopub", broken, {"data": 7, "text": 7}, request.header))
    kernel.send(from_kernel(kernel, "shell", "execute_reply", content, request.header))
    idle = {"execution_state": "idle"}
    kernel.send(from_kernel(kernel, "iopub", "status", idle, request.header))
    with pytest.raises(ExecutionError):
        await running


async def test_kernel_that_asks_for_input_all_the_same_gets_an_empty_line(odd):
    kernel, fe = odd
    fe.comm_manager.new_comm("x")  # the kernel's side learns who it talks to
    assert (await kernel.receive()).msg_type == "comm_open"
    question = from_kernel(kernel, "stdin", "input_request", {"prompt": "name?", "password": False})
    kernel.send(question)
    answer = await kernel.receive()
    assert (answer.channel, answer.msg_type) == ("stdin", "input_reply")
    assert answer.content["value"] == ""
    assert answer.parent_header == question.header


async def test_kernel_that_never_answers_ends_in_time(odd):
    _, fe = odd
    with pytest.raises(TimeoutError, match="answer to comm_info_request"):
        await fe.comms(timeout=0.05)


async def test_restore_offers_a_comm_of_before_to_its_target(fe):
    await fe.execute("from tsushin import Comm; c = Comm('restore', {'told': 'again'})")
    opened = fe.expect_open("restore", timeout=10)
    [comm_id] = await fe.restore()
    comm = await opened
    assert (comm.comm_id, comm.open_msg["content"]["data"]) == (
        comm_id,
        {"told": "again"},
    )
    await fe.execute("c.close()")


async def test_code_runs_after_the_comm_messages_that_were_sent_before_however_large(fe):
    await fe.execute(
        "import tsushin\n"
        "sizes = []\n"
        "@tsushin.comm_manager().register_target('sizes')\n"
        "def opened(comm, msg):\n"
        "    comm.on_msg(lambda m: sizes.append(sum(b.nbytes for b in m['buffers'])))"
    )
    comm = fe.comm_manager.new_comm("sizes")
    for mib in (5, 20, 5):  # the second goes in pieces
        comm.send(buffers=[bytes(mib << 20)])
    runs = [fe.execute("[s >> 20 for s in sizes]"), fe.execute("del sizes[:]"), fe.execute("sizes")]
    first, _, last = await asyncio.gather(*runs)
    assert (first.result, last.result) == ("[5, 20, 5]", "[]")


HEAR_ALL = """
import tsushin
heard = []
@tsushin.comm_manager().register_target("flood")
def opened(comm, msg):
    comm.on_msg(lambda m: heard.append(m["content"]["data"]["n"]))
"""


@pytest.mark.parametrize("lane", [False, True])
async def test_code_runs_soon_after_what_was_sent_before_though_more_is_sent_all_the_time(
    shared_kernel, lane
):
    async with connect(connection_file=shared_kernel.connection_file, lane=lane) as fe:
        await fe.execute(HEAR_ALL)
        comm = fe.comm_manager.new_comm("flood")
        await comm.ready()
        sent = 0

        async def flood():
            nonlocal sent
            while True:
                while len(fe.comm_manager.sessions._profile._outbox._queue) < 500:
                    comm.send({"n": sent})
                    sent += 1
                await asyncio.sleep(0)

        flooding = asyncio.ensure_future(flood())
        while not fe.comm_manager.sessions.has_queued:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for _ in range(5):
            before = sent
            assert int((await fe.execute("len(heard)", timeout=10)).result) >= before
        flooding.cancel()
        await comm.drain()
        assert (await fe.execute(f"heard == list(range({sent}))")).result == "True"
        comm.close()


async def test_code_that_still_waits_when_the_kernel_is_restarted_is_not_run_by_the_next_one(own):
    await own.execute(HEAR_ALL)
    await laned(own)
    free = asyncio.Event()
    own._lane_arrived = free.wait  # what was sent before has not arrived
    waiting = asyncio.ensure_future(own.execute("ran = True"))
    await until(own._turn.locked)
    await own.restart()
    free.set()
    with pytest.raises(KernelGone) as raised:
        await waiting
    assert raised.value.why == "restarted"
    assert await value(own, "'ran' in dir()") is False


async def test_code_that_is_not_sent_in_time_is_not_waited_for_longer(own):
    await own.execute(HEAR_ALL)
    await laned(own)
    own._lane_arrived = asyncio.Event().wait  # what was sent never arrives
    began = asyncio.get_running_loop().time()
    first = asyncio.ensure_future(own.execute("1", timeout=None))
    with pytest.raises(TimeoutError, match="has not left"):
        await own.execute("2", timeout=0.5)
    assert asyncio.get_running_loop().time() - began < 5
    first.cancel()


async def test_who_comes_while_the_kernel_detaches_is_told(shared_kernel):
    async with connect(connection_file=shared_kernel.connection_file) as fe:
        for _ in range(20):
            await fe.execute("import tsushin.kernel; tsushin.kernel.attach()")
            async with connect(connection_file=shared_kernel.connection_file) as late:
                await late.execute("tsushin.kernel.detach()")  # its hello is on its way
                await until(lambda late=late: not late.comm_manager.peers, 5)
