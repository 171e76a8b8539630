"""The documented flows, word for word, and what a kernel end owes a peer that makes mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from uuid import uuid4

import pytest

from kernel.peer import data_of, of_type, printed, started
from malformed import GOOD, malformed

ECHO = """
def target(comm, open_msg):
    @comm.on_msg
    def echo(msg):
        comm.send(msg["content"]["data"], msg["metadata"], msg["buffers"])
    @comm.on_close
    def closed(msg):
        seen.append(msg["content"]["data"])
kernel.comm_manager.register_target("echo", target)
"""


# ---------------------------------------------------------------------- the promises (DESIGN 1)


def test_kernel_opens_and_sends_as_documented(kernel):  # S4
    messages = kernel.run("""
        from ipykernel.comm import Comm

        # Use comm to send a message from the kernel
        my_comm = Comm(target_name='my_comm_target', data={'foo': 1})
        my_comm.send({'foo': 2})
    """)
    opened, sent = of_type(messages, "comm_open")[0], of_type(messages, "comm_msg")[0]
    assert opened["content"]["target_name"] == "my_comm_target"
    assert opened["content"]["data"] == {"foo": 1}
    assert sent["content"] == {"comm_id": opened["content"]["comm_id"], "data": {"foo": 2}}


def test_on_msg_is_a_decorator_as_documented(kernel):  # S5
    messages = kernel.run("""
        my_comm = tsushin.Comm(target_name='my_comm_target')

        # Add a callback for received messages.
        @my_comm.on_msg
        def _recv(msg):
            # Use msg['content']['data'] for the data in the message
            seen.append(msg['content']['data'])
    """)
    comm_id = of_type(messages, "comm_open")[0]["content"]["comm_id"]
    kernel.msg(comm_id, {"foo": 3})
    assert kernel.value("seen") == [{"foo": 3}]


def test_kernel_target_as_documented(kernel):  # S6
    kernel.run("""
def target_func(comm, open_msg):
    # comm is the kernel Comm instance
    # msg is the comm_open message

    # Register handler for later messages
    @comm.on_msg
    def _recv(msg):
        # Use msg['content']['data'] for the data in the message
        comm.send({'echo': msg['content']['data']})

    # Send data to the frontend on creation
    comm.send({'foo': 5})

get_ipython().kernel.comm_manager.register_target('my_comm_target', target_func)
    """)
    assert data_of(kernel.open("s6", "my_comm_target", {"foo": 6})) == [{"foo": 5}]
    assert data_of(kernel.msg("s6", {"foo": 7})) == [{"echo": {"foo": 7}}]


def test_either_side_closes_with_data(kernel):  # S9
    kernel.run(ECHO)
    kernel.open("there", "echo")
    assert of_type(kernel.close("there", {"bye": 1}), "comm_close") == []
    assert kernel.value("seen") == [{"bye": 1}]
    messages = kernel.run("c = Comm('x', {'hello': 1}); c.close({'bye': 2})")
    assert of_type(messages, "comm_open")[0]["content"]["data"] == {"hello": 1}
    closed = of_type(messages, "comm_close")[0]["content"]
    assert closed["data"] == {"bye": 2}
    assert len(closed["comm_id"]) == 32


def test_messages_carry_the_cell_as_parent_between_busy_and_idle(kernel):
    messages = kernel.run("c = Comm('x'); c.send({}); c.close()")
    types = [m["msg_type"] for m in messages]
    assert types == [
        "status", "execute_input", "comm_open", "comm_msg", "comm_close", "status",
    ]  # fmt: skip


# ---------------------------------------------------------------------- refusing


def test_unknown_target_is_closed_with_the_reason_in_metadata(kernel):
    messages = kernel.open("nobody", "no such target", {"secret": 1})
    (closed,) = of_type(messages, "comm_close")  # under our parent, before idle: exchange saw to it
    assert closed["content"] == {"comm_id": "nobody", "data": {}}
    error = closed["metadata"]["tsushin"]["error"]
    assert error == {
        "code": "unknown_target",
        "message": "no target 'no such target' is registered",
    }
    assert kernel.comm_info() == {}


def test_duplicate_open_is_refused_and_the_good_comm_lives_on(kernel):  # bug 1
    kernel.run(ECHO)
    kernel.open("twice", "echo")
    assert of_type(kernel.open("twice", "echo"), "comm_close") == []
    kernel.run("import gc; gc.collect()")
    assert data_of(kernel.msg("twice", {"n": 1})) == [{"n": 1}]
    assert any("expected a new id" in f for f in kernel.value("faults"))


def test_duplicate_open_of_a_stock_comm_is_refused_too(kernel):  # bug 1
    messages = kernel.run(ECHO + "import comm\nstock = comm.create_comm(target_name='x')")
    comm_id = of_type(messages, "comm_open")[0]["content"]["comm_id"]
    assert of_type(kernel.open(comm_id, "echo"), "comm_close") == []
    assert kernel.value("kernel.comm_manager.get_comm(stock.comm_id) is stock") is True


def test_reasons_tell_unknown_target_failed_target_and_close_apart(kernel):  # bug 7
    kernel.run("""
def fails(comm, msg):
    raise ValueError("no room")
kernel.comm_manager.register_target("fails", fails)
kernel.comm_manager.register_target("leaves", lambda comm, msg: comm.close())
""")
    closes = [
        of_type(kernel.open(name, name), "comm_close")[0]["metadata"]
        for name in ("unknown", "fails", "leaves")
    ]
    assert closes[0]["tsushin"]["error"]["code"] == "unknown_target"
    assert closes[1]["tsushin"]["error"] == {
        "code": "remote_error", "name": "ValueError", "message": "no room",
    }  # fmt: skip
    assert closes[2] == {}


# ---------------------------------------------------------------------- what goes out, strictly


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("float('nan')", "data.a: JSON has no nan"),
        ("{1, 2}", "data.a: JSON cannot carry set"),
        ("{(1, 2): 3}", "data.a: key (1, 2): expected str, got tuple"),
        ("[{'t': object()}]", "data.a[0].t: JSON cannot carry object"),
    ],
)
def test_what_json_cannot_carry_is_an_error_with_its_path(kernel, value, names):  # bug 5
    messages = kernel.run(f"""
c = Comm("x")
try:
    c.send({{"a": {value}}})
except TypeError as error:
    print(error)
""")
    assert names in printed(messages)
    assert of_type(messages, "comm_msg") == []


def test_bytes_in_data_travel_as_buffers_not_as_text(kernel):  # bug 5
    (sent,) = of_type(kernel.run("Comm('x').send({'a': b'raw'})"), "comm_msg")
    assert sent["content"]["data"] == {"a": None}
    assert sent["metadata"]["tsushin"]["bin"] == [{"path": ["a"], "buffer": 0, "kind": "bytes"}]
    assert [bytes(b) for b in sent["buffers"]] == [b"raw"]


def test_send_after_close_raises_and_publishes_nothing(kernel):  # bug 15
    messages = kernel.run("""
c = Comm("x")
c.close()
for call in (c.send, c.open):
    try:
        call({})
    except tsushin.CommClosed as error:
        print(error.closed_by)
c.close()
""")
    assert printed(messages) == "here\nhere\n"
    types = [m["msg_type"] for m in messages if m["msg_type"].startswith("comm_")]
    assert types == ["comm_open", "comm_close"]


def test_opening_twice_raises_and_publishes_once(kernel):  # bug 15
    messages = kernel.run("""
c = Comm("x")
try:
    c.open()
except tsushin.DuplicateComm as error:
    print(error.comm_id == c.comm_id)
""")
    assert printed(messages) == "True\n"
    assert len(of_type(messages, "comm_open")) == 1


def test_a_close_that_failed_can_be_tried_again(kernel):  # bug 15
    messages = kernel.run("""
c = Comm("x")
try:
    c.close({"a": object()})
except TypeError:
    c.close({"a": 1})
""")
    assert of_type(messages, "comm_close")[0]["content"]["data"] == {"a": 1}


# ---------------------------------------------------------------------- handlers


def test_registering_returns_the_function(kernel):  # bug 12
    assert kernel.value("""[
        f is Comm("x").on_msg(f) is Comm("x").on_close(f) is manager.register_target("t", f)
        for f in [lambda *_: None]
    ]""") == [True]


def test_unregistering_another_function_is_refused(kernel):  # bug 12
    messages = kernel.run("""
manager.register_target("t", print)
try:
    manager.unregister_target("t", len)
except ValueError as error:
    print(error)
""")
    assert "registered is <built-in function print>" in printed(messages)
    assert kernel.value("list(manager.targets)") == ["t"]


def test_messages_before_on_msg_are_kept_and_come_after_the_registering_cell(kernel):  # bug 14
    kernel.run("manager.register_target('t', lambda comm, msg: globals().update(c=comm))")
    kernel.open("early", "t")
    kernel.msg("early", {"n": 1})
    kernel.msg("early", {"n": 2})
    kernel.run("""
c.on_msg(lambda msg: seen.append(msg["content"]["data"]["n"]))
seen.append("registered")
""")
    kernel.msg("early", {"n": 3})
    assert kernel.value("seen") == ["registered", 1, 2, 3]


def test_async_handlers_are_awaited_one_message_at_a_time(kernel):  # bug 13
    kernel.run("""
import asyncio
def target(comm, msg):
    @comm.on_msg
    async def slow(msg):
        n = msg["content"]["data"]["n"]
        seen.append(f"start {n}")
        await go.wait()
        comm.send({"done": n})
    comm.on_close(lambda msg: seen.append("closed"))
go = asyncio.Event()
manager.register_target("slow", target)
""")
    kernel.open("a", "slow")
    kernel.msg("a", {"n": 1})
    kernel.msg("a", {"n": 2})
    assert kernel.value("seen") == ["start 1"]
    kernel.run("go.set()")
    assert kernel.wait_type("comm_msg")["content"]["data"] == {"done": 1}
    assert kernel.wait_type("comm_msg")["content"]["data"] == {"done": 2}


def test_on_close_runs_once_and_late_messages_harm_nobody(kernel):
    kernel.run(ECHO)
    kernel.open("late", "echo")
    kernel.close("late", {"n": 1})
    kernel.close("late", {"n": 2})
    assert data_of(kernel.msg("late", {"n": 3})) == []
    assert kernel.value("seen, faults, manager.late") == ([{"n": 1}], [], 2)


# ---------------------------------------------------------------------- comm_info


def test_comm_info_lists_by_target(kernel):
    kernel.run(ECHO + "c = Comm('mine', comm_id='m')")
    kernel.open("e", "echo")
    assert kernel.comm_info() == {"e": {"target_name": "echo"}, "m": {"target_name": "mine"}}
    assert kernel.comm_info({"target_name": "echo"}) == {"e": {"target_name": "echo"}}
    assert kernel.comm_info({"target_name": "none"}) == {}


def test_comm_info_is_answered_while_a_thread_opens_and_closes(kernel):  # bug 3
    kernel.run("""
import threading
stay = [Comm("stay") for _ in range(300)]
stop = threading.Event()
def churn():
    while not stop.wait(0.0005):
        for _ in range(20):  # in the registry only: nothing is sent that the client would have to read
            comm = Comm("churn", primary=False)
            manager.register_comm(comm)
            manager.unregister_comm(comm)
thread = threading.Thread(target=churn)
thread.start()
""")
    try:
        for _ in range(30):
            assert len(kernel.comm_info({"target_name": "stay"})) == 300
    finally:
        kernel.run("stop.set(); thread.join(5)")


# ---------------------------------------------------------------------- malformed (FACTS 7, 8, 13)


@pytest.mark.parametrize(
    "comm_id",
    ["x" * 62, "y" * 80, "線-日本語-\U0001f600", "", "a b\n", "'; drop"],
    ids=["62", "80", "non-ascii", "empty", "space", "quote"],
)
def test_any_text_is_an_id(kernel, comm_id):
    kernel.run(ECHO)
    kernel.open(comm_id, "echo")
    (echoed,) = of_type(kernel.msg(comm_id, {"n": 1}), "comm_msg")
    assert echoed["content"] == {"comm_id": comm_id, "data": {"n": 1}}
    assert list(kernel.comm_info()) == [comm_id]
    kernel.close(comm_id, {"bye": 1})
    assert kernel.value("seen") == [{"bye": 1}]


MALFORMED = [
    (msg_type, content)
    for msg_type, whole in {
        "comm_open": {"comm_id": "bad", "target_name": "echo", "data": {}},
        "comm_msg": {"comm_id": "good", "data": {}},
        "comm_close": {"comm_id": "good", "data": {}},
    }.items()
    for content in [
        # Every field missing, and of every other type; null and [] for data are lenient on purpose.
        *(
            {k: v for k, v in whole.items() if k != left_out}
            for left_out in whole
            if left_out != "data"
        ),
        *({**whole, "comm_id": bad} for bad in (None, 7, 1.5, True, [], {}, ["good"])),
        *({**whole, "data": bad} for bad in (7, "text", True, [1])),
        *(
            {**whole, "target_name": bad}
            for bad in (None, 7, [], {}, True)
            if "target_name" in whole
        ),
        *({**whole, "target_module": bad} for bad in (7, []) if "target_name" in whole),
        *({**whole, "comm_id": bad} for bad in ("x" * 257, "\ud800") if "target_name" in whole),
        {},
        [],
        [whole],
        "text",
        7,
        None,
    ]
]


@pytest.fixture
def good(kernel):
    """The id of a comm that echoes."""
    comm_id = uuid4().hex  # a kernel takes an id once
    kernel.run(ECHO)
    kernel.open(comm_id, "echo")
    return comm_id


@pytest.mark.parametrize(
    ("msg_type", "content"), MALFORMED, ids=[f"{t}-{json.dumps(c)[:60]}" for t, c in MALFORMED]
)
def test_malformed_content_is_reported_and_the_next_message_works(kernel, good, msg_type, content):
    kernel.send(msg_type, json.dumps(content).replace("good", good).encode())
    assert data_of(kernel.msg(good, {"n": 1})) == [{"n": 1}]
    assert kernel.value("len(faults)") == 1
    assert list(kernel.comm_info()) == [good]


@pytest.mark.parametrize("metadata", [7, "x", [1]])
def test_malformed_metadata_is_reported(kernel, good, metadata):
    kernel.send("comm_msg", {"comm_id": good, "data": {}}, metadata=metadata)
    assert data_of(kernel.msg(good, {"n": 1})) == [{"n": 1}]
    assert kernel.value("len(faults)") == 1


def test_malformed_binary_entries_are_reported(kernel, good):
    metadata = {"tsushin": {"bin": [{"path": ["a"], "buffer": 9, "kind": "bytes"}]}}
    assert data_of(kernel.msg(good, {"a": None}, metadata=metadata)) == []
    assert data_of(kernel.msg(good, {"n": 1})) == [{"n": 1}]
    assert "metadata.tsushin.bin[0]" in kernel.value("faults[0]")


def test_every_malformed_message_of_the_vectors_is_reported_once(kernel, good):
    kernel.run("kernel.comm_manager.register_target('t', lambda comm, msg: seen.append(msg))")
    for bad in malformed():
        content = json.dumps(bad.content).replace(f'"{GOOD}"', f'"{good}"').encode()
        kernel.send(bad.msg_type, content, metadata=bad.metadata, buffers=bad.buffers)
        assert data_of(kernel.msg(good, {"n": 1})) == [{"n": 1}], bad.name
        assert kernel.value("len(faults), faults.clear()") == (1, None), bad.name
    assert kernel.value("seen") == []
    assert list(kernel.comm_info()) == [good]


@pytest.mark.parametrize("data", [None, []])
def test_absent_data_counts_as_an_empty_object(kernel, good, data):
    messages = kernel.exchange("comm_msg", {"comm_id": good, "data": data})
    assert data_of(messages) == [{}]


def test_comm_messages_on_the_control_channel_harm_nobody(kernel):
    kernel.run(ECHO)
    kernel.exchange(
        "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}}, channel="control"
    )
    assert kernel.comm_info() == {}
    kernel.open("c", "echo")
    assert data_of(kernel.msg("c", {"n": 1})) == [{"n": 1}]


@pytest.mark.parametrize("content", [b"[]", b"7", b'{"target_name": 7}', b'{"target_name": []}'])
def test_comm_info_answers_a_malformed_request(kernel, content):
    assert kernel.comm_info(content) == {}


def test_a_message_for_an_unknown_id_is_a_warning(kernel):
    kernel.msg("stranger", {"n": 1})
    kernel.close("stranger")
    assert [f.partition(": ")[2] for f in kernel.value("faults")] == [
        "comm_msg 'stranger': no comm with this id is open",
        "comm_close 'stranger': no comm with this id is open",
    ]


def test_importing_the_host_does_not_import_ipykernel():
    code = "import sys, tsushin.kernel; print('ipykernel' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True
    )
    assert run.stdout == "False\n"


def test_where_messages_are_read_on_the_main_thread_that_is_said_once(kernel):
    kernel.run("""
from types import SimpleNamespace
delivery, manager.delivery = manager.delivery, SimpleNamespace(is_beside=False)
noted, manager._has_noted = manager._has_noted, False
Comm("x", run="thread"), Comm("x", run="thread")
manager.delivery, manager._has_noted = delivery, noted
""")
    [note] = kernel.value("faults")
    assert 'handlers with run="thread" run when a cell asks' in note


@pytest.mark.parametrize(("said", "is_told"), [("0", "False"), ("1", "True")])
def test_the_environment_says_whether_tracebacks_are_told(said, is_told):
    with started(env={"TSUSHIN_TRACEBACKS": said}) as peer:
        assert (
            printed(peer.run("print(tsushin.comm_manager().allow_tracebacks)")).strip() == is_told
        )
