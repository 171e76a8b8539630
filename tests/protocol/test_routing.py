"""The router by itself: what the vectors do not say. Scenarios of both languages: ``test_vectors.py``."""

from __future__ import annotations

import pytest

from tsushin.errors import CommClosed, CommNotOpen, DuplicateComm, LimitExceeded, UnknownTarget
from tsushin.protocol.events import Closed, Late, Opened, ProtocolFault, Received, Unknown
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.protocol.routing import CommRecord, Outgoing, Router
from tsushin.protocol.states import State

NOW = 1_764_000_000.0
EMPTY = Outgoing({})


def router(channel="iopub", on_unknown="close", limits=None):
    ids = iter(range(100_000))
    return Router(
        channel=channel,
        session="here",
        on_unknown=on_unknown,
        knows_target=lambda name: name == "t",
        new_msg_id=lambda: f"here-{next(ids)}",
        limits=limits or Limits(),
        username="ada",
    )


def message(msg_type, comm_id="c1", **content):
    header = new_header(msg_type, msg_id="m1", session="there", now=NOW)
    return Message("shell", header, content={"comm_id": comm_id, "data": {}, **content})


def opening(comm_id="c1", target_name="t"):
    return message("comm_open", comm_id, target_name=target_name)


def opened(comm_id="c1", **options):
    made = router(**options)
    made.receive(opening(comm_id), NOW)
    assert isinstance(made.next_event(), Opened)
    return made


def only_event(made):
    [event] = made.events()
    return event


def test_next_event_takes_the_oldest_and_then_none():
    made = router()
    made.receive(opening(), NOW)
    made.receive(message("comm_msg"), NOW)
    kinds = [type(event) for event in iter(made.next_event, None)]
    assert kinds == [Opened, Received]
    assert made.next_event() is None


def test_events_takes_them_all_once():
    made = opened()
    made.receive(message("comm_msg"), NOW)
    made.receive(message("comm_close"), NOW)
    assert [type(event) for event in made.events()] == [Received, Closed]
    assert made.events() == []


def test_messages_to_send_are_taken_once_and_in_order():
    made = opened()
    for _ in range(3):
        made.send_msg(made.record("c1"), EMPTY, NOW)
    ids = [sent.header["msg_id"] for sent in made.messages_to_send()]
    assert ids == ["here-0", "here-1", "here-2"]
    assert made.messages_to_send() == []


def test_a_header_is_made_of_what_the_router_was_given():
    made = opened()
    made.send_msg(made.record("c1"), EMPTY, NOW)
    [sent] = made.messages_to_send()
    assert sent.header == new_header(
        "comm_msg", msg_id="here-0", session="here", now=NOW, username="ada"
    )


def test_buffers_pass_through_uncopied():
    made, view = opened(), memoryview(b"abc")
    made.send_msg(made.record("c1"), Outgoing({}, {}, (view,)), NOW)
    assert made.messages_to_send()[0].buffers[0] is view


def test_a_refusal_has_the_whole_header_of_the_open_as_its_parent():
    made, bad = router(), opening(target_name="nobody")
    made.receive(bad, NOW)
    event = only_event(made)
    assert isinstance(event.error, UnknownTarget)
    assert event.error.reply.parent_header == bad.header
    assert event.error.reply.parent_header is not bad.header


def test_a_refusal_says_why_for_people():
    made = router()
    made.receive(opening(target_name="nobody"), NOW)
    reply = only_event(made).error.reply
    assert reply.metadata["tsushin"]["error"]["message"] == "no target 'nobody' is registered"


def test_the_target_is_looked_up_when_the_open_arrives():
    names = set()
    made = Router(
        channel="iopub",
        session="here",
        on_unknown="close",
        knows_target=names.__contains__,
        new_msg_id=lambda: "x",
    )
    made.receive(opening("c1", "later"), NOW)
    names.add("later")
    made.receive(opening("c2", "later"), NOW)
    assert [type(event) for event in made.events()] == [ProtocolFault, Opened]


def test_the_record_says_who_opened():
    made = opened("c1")
    record = CommRecord("c2", "t", primary=True)
    made.send_open(record, EMPTY, NOW)
    assert (made.record("c1").primary, made.record("c2").primary) == (False, True)


def test_a_closed_comm_is_not_a_record_any_more():
    made = opened()
    made.receive(message("comm_close"), NOW)
    assert made.record("c1") is None


@pytest.mark.parametrize(
    ("how", "closed_by"), [("send_close", "here"), ("receive", "there"), ("lose", "lost")]
)
def test_who_closed_is_a_fact_of_the_record(how, closed_by):
    made = opened()
    record = made.record("c1")
    if how == "send_close":
        made.send_close(record, EMPTY, NOW)
    elif how == "receive":
        made.receive(message("comm_close"), NOW)
    else:
        made.lose("gone")
    assert (record.state, record.closed_by) == (State.CLOSED, closed_by)


def test_closed_ids_are_bounded():
    made = router(limits=Limits(max_closed_ids=10))
    for n in range(100):
        record = CommRecord(f"c{n}", "t", primary=True)
        made.send_open(record, EMPTY, NOW)
        made.send_close(record, EMPTY, NOW)
    made.messages_to_send()
    for n in range(100):
        made.receive(message("comm_msg", f"c{n}"), NOW)
    kinds = [type(event) for event in made.events()]
    assert kinds == [Unknown] * 90 + [Late] * 10


def test_the_data_of_a_close_is_not_kept_by_the_router():
    made = opened()
    made.receive(message("comm_close", data={"large": "x" * 1000}), NOW)
    made.events()
    assert made._closed == {"c1": None}


def test_a_failed_open_leaves_nothing():
    made = router(limits=Limits(max_comm_id_chars=3))
    record = CommRecord("long", "t", primary=True)
    with pytest.raises(LimitExceeded):
        made.send_open(record, EMPTY, NOW)
    assert (record.state, made.record("long"), made.messages_to_send()) == (
        State.UNOPENED,
        None,
        [],
    )


def test_a_forgotten_comm_leaves_no_trace():
    made = opened()
    record = made.record("c1")
    made.forget(record)
    made.receive(message("comm_msg"), NOW)
    assert isinstance(only_event(made), Unknown)
    with pytest.raises(CommClosed):
        made.send_msg(record, EMPTY, NOW)


def test_forgetting_a_comm_that_is_not_here_leaves_the_other():
    made = opened()
    made.forget(CommRecord("c1", "t", primary=True))
    assert made.open_comms() == {"c1": "t"}


def test_a_foreign_comm_that_closed_is_remembered_as_closed():
    made = router()
    made.remember_closed("theirs")
    made.receive(message("comm_msg", "theirs"), NOW)
    assert isinstance(only_event(made), Late)


def test_an_id_too_long_to_be_opened_is_not_remembered_either():
    made = router(limits=Limits(max_comm_id_chars=3))
    made.receive(opening("long", "nobody"), NOW)
    made.receive(message("comm_close", "very long"), NOW)
    assert made._closed == {}


def test_a_refused_open_leaves_a_remembered_id():
    made = router()
    made.receive(opening(), NOW)
    made.refuse(made.next_event(), {"code": "remote_error", "message": "no"}, NOW)
    made.receive(message("comm_msg"), NOW)
    assert isinstance(only_event(made), Late)


def test_errors_of_calls_name_the_comm_the_target_and_the_input():
    record = CommRecord("c1", "t", primary=True)
    with pytest.raises(CommNotOpen, match=r"comm 'c1' on target 't': SEND_MSG before it was open"):
        router().send_msg(record, EMPTY, NOW)


def test_a_duplicate_says_what_the_known_one_is():
    made = opened()
    with pytest.raises(DuplicateComm, match="this one is OPEN"):
        made.adopt(CommRecord("c1", "t", primary=False))
    made.receive(message("comm_close"), NOW)
    with pytest.raises(DuplicateComm, match="this one is CLOSED"):
        made.adopt(CommRecord("c1", "t", primary=False))


def test_peer_data_in_a_fault_is_short():
    made = router(on_unknown="ignore", channel="shell")
    made.receive(message("comm_open", target_name={"x" * 1000: 1}), NOW)
    assert len(str(only_event(made).error)) < 120


def test_keep_delivers_an_open_and_its_messages_when_released():
    names = set()
    made = Router(
        channel="shell",
        session="here",
        on_unknown="keep",
        knows_target=names.__contains__,
        new_msg_id=lambda: "unused",
    )
    for each in (opening(), message("comm_msg"), opening("c2"), message("comm_close", "c2")):
        made.receive(each, NOW)
    assert made.events() == []  # nobody here has seen any of it
    made.receive(opening(), NOW)
    assert isinstance(only_event(made), ProtocolFault)  # it waits already
    names.add("t")
    made.release("t", NOW)
    assert [type(event) for event in made.events()] == [Opened, Received]
    assert [made.open_comms(), made.messages_to_send()] == [{"c1": "t"}, []]
    made.receive(opening("c2"), NOW)
    assert isinstance(only_event(made), ProtocolFault)  # it was closed while it waited


def test_a_loss_empties_what_is_kept():
    made = router(on_unknown="keep")
    made.receive(opening(target_name="later"), NOW)
    made.lose("gone")
    made.release("later", NOW)
    assert made.events() == []
