from __future__ import annotations

import asyncio
import itertools
import logging
import threading

import pytest

from tsushin.errors import Unsupported
from tsushin.kernel.process import ProcessKernel, kernel_of
from tsushin.protocol.messages import Message, new_header
from tsushin.testing import comm_pair


class RecordingPage:
    """A page that keeps what it is sent."""

    def __init__(self):
        self.received = []
        self._numbers = itertools.count(1)

    def send(self, frames):
        self.received.append(frames.message)

    def end(self, reason):
        raise AssertionError(reason)

    def message(self, msg_type, content, channel="shell"):
        msg_id = f"{id(self)}-{next(self._numbers)}"
        return Message(
            channel, new_header(msg_type, msg_id=msg_id, session="page", now=0.0), content=content
        )

    def kinds(self):
        return [m.content.get("execution_state", m.msg_type) for m in self.received]


@pytest.fixture
def kernel():
    return ProcessKernel()


@pytest.fixture
async def page():
    return RecordingPage()


@pytest.fixture
async def link(kernel, page):
    return await kernel.attach(page)


@pytest.fixture
def ask(link, page):
    def ask(msg_type, content=None):
        message = page.message(msg_type, content or {})
        link.receive(message)
        return message

    return ask


REQUESTS = [
    "kernel_info_request",
    "comm_info_request",
    "is_complete_request",
    "complete_request",
    "inspect_request",
    "history_request",
    "execute_request",
    "interrupt_request",
    "shutdown_request",
    "debug_request",
]


@pytest.mark.parametrize("kind", REQUESTS)
async def test_every_request_is_answered_between_busy_and_idle_with_it_as_the_parent(
    ask, page, kind
):
    request = ask(kind)
    kinds = page.kinds()
    assert (kinds[0], kinds[-1]) == ("busy", "idle")
    assert kinds.count(kind.replace("_request", "_reply")) == 1
    assert {m.parent_header["msg_id"] for m in page.received} == {request.header["msg_id"]}


async def test_kernel_info_has_what_frontends_read(ask, page):
    ask("kernel_info_request")
    [reply] = [m.content for m in page.received if m.channel == "shell"]
    assert reply["status"] == "ok"
    assert reply["language_info"]["name"] == "python"
    assert {"protocol_version", "implementation", "banner", "help_links"} <= set(reply)


async def test_code_is_refused_where_a_notebook_shows_it(ask, page):
    ask("execute_request", {"code": "1"})
    [error] = [m.content for m in page.received if m.msg_type == "error"]
    [reply] = [m.content for m in page.received if m.msg_type == "execute_reply"]
    assert reply["status"] == "error"
    assert error["ename"] == reply["ename"] == "NotSupported"


async def test_silent_code_is_refused_in_the_reply_only(ask, page):
    ask("execute_request", {"code": "1", "silent": True})
    assert page.kinds() == ["busy", "execute_reply", "idle"]


async def test_comm_info_lists_open_comms_by_target(kernel, ask, page):
    kernel.manager.register_target("a", lambda comm, msg: None)
    ask("comm_open", {"comm_id": "1", "target_name": "a", "data": {}})
    ask("comm_info_request", {"target_name": "a"})
    ask("comm_info_request", {"target_name": "b"})
    replies = [m.content["comms"] for m in page.received if m.msg_type == "comm_info_reply"]
    assert replies == [{"1": {"target_name": "a"}}, {}]


async def test_unknown_target_is_closed_on_iopub_before_idle(ask, page):
    request = ask("comm_open", {"comm_id": "1", "target_name": "nobody", "data": {"x": 1}})
    assert page.kinds() == ["busy", "comm_close", "idle"]
    close = page.received[1]
    assert (close.channel, close.content) == ("iopub", {"comm_id": "1", "data": {}})
    assert close.parent_header == request.header
    assert close.metadata["tsushin"]["error"]["code"] == "unknown_target"


async def test_what_a_handler_sends_has_the_handled_message_as_parent(kernel, ask, page):
    kernel.manager.register_target("t", lambda comm, msg: comm.send({"x": 1}))
    request = ask("comm_open", {"comm_id": "1", "target_name": "t", "data": {}})
    assert page.kinds() == ["busy", "comm_msg", "idle"]
    assert page.received[1].parent_header["msg_id"] == request.header["msg_id"]


async def test_an_async_handler_keeps_its_parent(kernel, ask, page):
    go_on, done = asyncio.Event(), asyncio.Event()

    @kernel.manager.register_target("t")
    async def target(comm, msg):
        await go_on.wait()
        comm.send({"x": 1})
        done.set()

    request = ask("comm_open", {"comm_id": "1", "target_name": "t", "data": {}})
    ask("kernel_info_request")
    go_on.set()
    await asyncio.wait_for(done.wait(), 5)
    [sent] = [m for m in page.received if m.msg_type == "comm_msg"]
    assert sent.parent_header["msg_id"] == request.header["msg_id"]


async def test_what_is_sent_outside_handlers_has_no_parent(kernel, link, page):
    kernel.manager.new_comm("page", {"x": 1})
    assert [m.parent_header for m in page.received] == [{}]


async def test_a_handler_that_raises_is_reported_and_idle_still_comes(kernel, ask, page):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    kernel.manager.register_target("t", lambda comm, msg: 1 / 0)
    ask("comm_open", {"comm_id": "1", "target_name": "t", "data": {}})
    assert page.kinds() == ["busy", "comm_close", "idle"]
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


async def test_iopub_goes_to_all_pages_and_replies_to_the_one_that_asked(kernel, ask, page):
    other = RecordingPage()
    await kernel.attach(other)
    ask("kernel_info_request")
    assert page.kinds() == ["busy", "kernel_info_reply", "idle"]
    assert other.kinds() == ["busy", "idle"]


async def test_a_page_that_goes_takes_nothing_from_the_others(kernel, ask, page):
    other = RecordingPage()
    gone = await kernel.attach(other)
    await gone.aclose()
    kernel.manager.new_comm("page")
    assert page.kinds() == ["comm_open"]
    assert other.received == []


async def test_comms_outlive_the_page_that_opened_them(kernel, link, ask):
    kernel.manager.register_target("t", lambda comm, msg: None)
    ask("comm_open", {"comm_id": "1", "target_name": "t", "data": {}})
    await link.aclose()
    assert list(kernel.manager.comms) == ["1"]


@pytest.mark.parametrize(
    ("kind", "channel"), [("comm_msg", "iopub"), ("nonsense", "shell"), ("status", "control")]
)
async def test_what_no_frontend_may_send_is_reported(link, page, caplog, kind, channel):
    with caplog.at_level(logging.WARNING, "tsushin"):
        link.receive(page.message(kind, {"comm_id": "1", "data": {}}, channel))
    assert "expected" in caplog.text


async def test_answers_to_questions_nobody_asked_are_ignored(link, page):
    link.receive(page.message("input_reply", {"value": "x"}, "stdin"))
    assert page.received == []


async def test_it_can_neither_be_interrupted_nor_restarted(kernel):
    with pytest.raises(Unsupported):
        await kernel.interrupt()
    with pytest.raises(Unsupported):
        await kernel.restart()


async def test_handlers_run_on_the_first_loop_whatever_loop_brings_the_message(kernel, link):
    threads, ran = [], asyncio.Event()

    @kernel.manager.register_target("t")
    def target(comm, msg):
        threads.append(threading.current_thread())
        ran.set()

    async def elsewhere():
        page = RecordingPage()
        far = await kernel.attach(page)
        far.receive(page.message("comm_open", {"comm_id": "1", "target_name": "t", "data": {}}))

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    await asyncio.wait_for(ran.wait(), 5)
    assert threads == [threading.current_thread()]


def test_a_later_loop_takes_over_from_one_that_ended(kernel):
    opened = []
    kernel.manager.register_target("t", lambda comm, msg: opened.append(comm.comm_id))

    async def attach_and_open(comm_id):
        page = RecordingPage()
        link = await kernel.attach(page)
        link.receive(
            page.message("comm_open", {"comm_id": comm_id, "target_name": "t", "data": {}})
        )

    asyncio.run(attach_and_open("1"))
    asyncio.run(attach_and_open("2"))
    assert opened == ["1", "2"]


def test_what_is_registered_before_anything_is_served_waits_for_it(kernel):
    asked = []
    kernel.manager.runtime.soon(lambda: asked.append("ran"))

    async def attach():
        await kernel.attach(RecordingPage())
        await asyncio.sleep(0)

    asyncio.run(attach())
    assert asked == ["ran"]


async def test_comms_are_closed_with_the_last_endpoint(kernel, link, page):
    kernel.serving_begins()
    kernel.serving_begins()
    comm = kernel.manager.new_comm("page")
    kernel.serving_ends("the first one")
    assert not comm.closed
    kernel.serving_ends("the second one")
    assert page.kinds() == ["comm_open", "comm_close"]
    assert page.received[1].metadata == {"reason": "the second one"}


def test_a_manager_of_another_host_is_refused():
    with pytest.raises(TypeError, match="plain process"):
        kernel_of(comm_pair().kernel)


def test_a_kernel_is_found_by_its_manager(kernel):
    assert kernel_of(kernel.manager) is kernel
