"""What is around the handling of one message, in a real kernel."""

from __future__ import annotations

import signal

import pytest

from kernel.peer import of_type, printed
from tsushin.kernel.handling import interruptible

HANDLE = """
from tsushin.protocol.messages import Message
handling = manager.delivery.handling
one = Message("shell", {"msg_id": "one", "msg_type": "comm_msg", "session": "s"})
"""


def about(messages, msg_id):
    return [m for m in messages if m["parent_header"].get("msg_id") == msg_id]


def test_a_message_is_handled_between_busy_and_idle_with_itself_as_parent(kernel):
    kernel.kept.clear()
    kernel.run(HANDLE + 'handling.handle(one, lambda: print("here"))')
    caused = about(kernel.kept, "one")
    assert [m["msg_type"] for m in caused] == ["status", "stream", "status"]
    assert [m["content"]["execution_state"] for m in of_type(caused, "status")] == ["busy", "idle"]


def test_afterwards_the_cell_has_its_own_parent_again(kernel):
    messages = kernel.run(HANDLE + 'handling.handle(one, lambda: None); print("the cell")')
    assert printed(messages) == "the cell\n"


def test_what_it_raises_passes_and_it_is_idle_all_the_same(kernel):
    kernel.kept.clear()
    messages = kernel.run(f"""{HANDLE}
try:
    handling.handle(one, lambda: 1 / 0)
except ZeroDivisionError:
    print("raised")
""")
    assert printed(messages) == "raised\n"
    assert about(kernel.kept, "one")[-1]["content"] == {"execution_state": "idle"}


def test_a_message_that_ran_nothing_is_busy_and_idle_too(kernel):
    kernel.kept.clear()
    kernel.run(HANDLE + "handling.note(one)")
    assert [m["content"]["execution_state"] for m in about(kernel.kept, "one")] == ["busy", "idle"]


@pytest.fixture
def ignored():
    """As between two requests: ipykernel ignores Ctrl-C then."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored")
def test_ctrl_c_gets_in_while_a_handler_runs_and_not_after():
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_signal_handler_stays():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def test_quietly_it_is_handled_under_another_parent_and_without_a_status(kernel):
    kernel.kept.clear()
    messages = kernel.run(
        HANDLE + 'handling.handle_quietly(one, one, lambda: print("here")); print("the cell")'
    )
    caused = about(kernel.kept, "one")
    assert [m["msg_type"] for m in caused] == ["stream"]
    assert printed(messages) == "the cell\n"
