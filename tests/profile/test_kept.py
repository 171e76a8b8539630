from __future__ import annotations

from msgspec.structs import replace

from tsushin.profile.kept import MAX_OPEN_BYTES, Kept
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header


def message(msg_type, n=0):
    header = new_header(msg_type, msg_id=str(n), session="s", now=0)
    return Message("iopub", header, content={"comm_id": "c", "data": {"n": n}})


def opening(**more):
    header = new_header("comm_open", msg_id="m", session="s", now=1.5, username="u")
    content = {"comm_id": "c", "target_name": "t", "data": {"a": [1]}}
    return Message("iopub", header, content={**content, **more})


OPEN = opening()


def test_the_open_and_the_newest_messages_are_kept():
    kept = Kept("c", 2)
    kept.put(OPEN, 10)
    for n in range(5):
        kept.put(message("comm_msg", n), 10)
    assert kept.messages() == [OPEN, message("comm_msg", 3), message("comm_msg", 4)]


def test_an_open_comes_back_as_it_was_sent():
    sent = replace(
        opening(target_module="m"),
        parent_header={"msg_id": "cell"},
        metadata={"tsushin": {"bin": []}, "mine": 1},
        buffers=(memoryview(b"abc"),),
    )
    for message in (OPEN, sent):
        kept = Kept("c")
        kept.put(message, 10)
        assert kept.messages() == [message]
        assert list(kept.messages()[0].header) == list(message.header)


def test_nothing_but_the_open_is_kept_unless_asked_for():
    kept = Kept("c")
    kept.put(OPEN, 10)
    kept.put(message("comm_msg"), 10)
    assert kept.messages() == [OPEN]


def test_messages_are_bounded_in_bytes():
    kept = Kept("c", 100, Limits(max_history_bytes=25))
    kept.put(OPEN, 10)
    for n in range(5):
        kept.put(message("comm_msg", n), 10)
    assert kept.messages() == [OPEN, message("comm_msg", 3), message("comm_msg", 4)]
    assert kept.nbytes == 30


def test_a_large_open_is_not_kept_and_then_there_is_nothing_to_take_up():
    kept = Kept("c", 5)
    kept.put(OPEN, MAX_OPEN_BYTES + 1)
    kept.put(message("comm_msg"), 10)
    assert kept.messages() == []
