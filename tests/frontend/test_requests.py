from __future__ import annotations

import pytest

from frontend.messages import message
from tsushin.errors import KernelGone
from tsushin.frontend.requests import Reply, Requests


class Watcher:
    def __init__(self):
        self.seen = []

    def message(self, message):
        self.seen.append(message.msg_type)

    def end(self, error):
        self.seen.append(error)


def test_watcher_sees_what_its_request_caused():
    requests, mine, others = Requests(), Watcher(), Watcher()
    requests.watch("1", mine)
    requests.watch("2", others)
    for parent in ("1", "2", "3", ""):
        requests.receive(message("status", parent=parent))
    assert (mine.seen, others.seen) == (["status"], ["status"])


@pytest.mark.parametrize("parent", [7, None, [], {"a": 1}])
def test_malformed_parent_is_nobodys(parent):
    requests, own = Requests(), Watcher()
    requests.watch("1", own)
    answer = message("status", parent="1")
    answer.parent_header["msg_id"] = parent
    requests.receive(answer)
    assert own.seen == []


def test_stopped_watcher_sees_nothing_more():
    requests, own = Requests(), Watcher()
    requests.watch("1", own)
    requests.stop("1")
    requests.stop("1")
    requests.receive(message("status", parent="1"))
    assert (own.seen, len(requests)) == ([], 0)


def test_end_reaches_every_watcher_once():
    requests, own = Requests(), Watcher()
    requests.watch("1", own)
    gone = KernelGone("gone", why="died")
    requests.end(gone)
    requests.end(gone)
    assert own.seen == [gone]


async def test_reply_is_the_content_of_the_matching_type():
    reply = Reply("comm_info_request")
    reply.message(message("status", {"execution_state": "idle"}))
    reply.message(message("comm_info_reply", {"comms": {}}, channel="shell"))
    assert await reply.expected == {"comms": {}}


async def test_reply_that_never_comes_is_named():
    with pytest.raises(TimeoutError, match="answer to comm_info_request: not within"):
        await Reply("comm_info_request", timeout_s=0.01).expected


async def test_reply_ends_with_the_kernel():
    reply = Reply("kernel_info_request")
    reply.end(KernelGone("gone", why="died"))
    with pytest.raises(KernelGone):
        await reply.expected
