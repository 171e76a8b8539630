from __future__ import annotations

import asyncio

import pytest

from tsushin.kernel.answers import Answers
from tsushin.kernel.process import ProcessKernel
from tsushin.protocol.messages import Message, new_header


class Page:
    def __init__(self):
        self.got = []

    def send(self, frames):
        self.got.append(frames.message)


@pytest.fixture
async def end():
    """One end with comms: who asks, and what it publishes."""
    kernel, published = ProcessKernel(), []
    kernel.add(Page(), asyncio.get_running_loop())
    answers = Answers(kernel.manager, about="a test", publish=published.append)

    def ask(msg_type, content=None, channel="shell"):
        page = Page()
        header = new_header(msg_type, msg_id="m1", session="s", now=0)
        answers.dispatch(Message(channel, header, content=content or {}), page)
        return page.got

    return ask, published, kernel.manager


async def test_kernel_info_says_what_this_end_is(end):
    (reply,) = end[0]("kernel_info_request", channel="control")
    assert (reply.channel, reply.msg_type) == ("control", "kernel_info_reply")
    assert "a test with comms" in reply.content["banner"]


async def test_comm_info_lists_the_comms(end):
    ask, _, manager = end
    comm = manager.new_comm("here")
    (reply,) = ask("comm_info_request", {"target_name": "here"})
    assert reply.content["comms"] == {comm.comm_id: {"target_name": "here"}}


async def test_code_is_refused_in_words_to_who_asked_and_on_iopub(end):
    ask, published, _ = end
    (reply,) = ask("execute_request", {"code": "1"})
    assert (reply.content["status"], reply.content["ename"]) == ("error", "NotSupported")
    assert "this kernel is a test, it has comms only" in reply.content["evalue"]
    assert [message.msg_type for message in published] == ["error"]
    ask("execute_request", {"code": "1", "silent": True})
    assert len(published) == 1


async def test_comms_go_to_the_manager(end):
    ask, _, manager = end
    opened = []
    manager.register_target("here", lambda comm, msg: opened.append(comm.comm_id))
    assert ask("comm_open", {"comm_id": "c1", "target_name": "here", "data": {}}) == []
    assert opened == ["c1"]


@pytest.mark.parametrize(("kind", "channel"), [("hello", "shell"), ("comm_msg", "iopub")])
async def test_what_no_page_may_send_is_a_fault(end, caplog, kind, channel):
    assert end[0](kind, channel=channel) == []
    assert "expected" in caplog.text
