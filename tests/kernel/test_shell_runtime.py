"""What users see of their handlers: events around them, errors where they belong, a kernel that lives."""

from __future__ import annotations

from uuid import uuid4

import pytest

from kernel.peer import data_of, of_type, printed


@pytest.fixture
def opened(kernel):
    """Open a comm whose target is ``handle``, defined by the code given; return its id."""

    def open_(code):
        kernel.run(code)
        kernel.run("manager.register_target('run', lambda comm, msg: comm.on_msg(handle))")
        comm_id = uuid4().hex
        kernel.open(comm_id, "run")
        return comm_id

    return open_


RAISES = """
def helper():
    raise ValueError("no such layer")
def handle(msg):
    print("before")
    if msg["content"]["data"].get("n") != 1:
        helper()
    seen.append("fine")
"""


def test_an_error_in_on_msg_is_shown_under_its_message(kernel, opened):
    comm_id = opened(RAISES)
    messages = kernel.msg(comm_id)  # all of these have our message as their parent
    types = [m["msg_type"] for m in messages]
    assert types == ["status", "stream", "error", "status"]
    error = messages[2]["content"]
    assert (error["ename"], error["evalue"]) == ("ValueError", "no such layer")
    assert f"on_msg of comm {comm_id[:8]} on target 'run'" in error["traceback"][-1]


def test_the_traceback_begins_in_the_users_code(kernel, opened):
    (error,) = of_type(kernel.msg(opened(RAISES)), "error")
    text = "\n".join(error["content"]["traceback"])
    assert "helper" in text
    assert "/tsushin/" not in text


def test_after_an_error_the_comm_stays_and_the_next_message_works(kernel, opened):
    comm_id = opened(RAISES)
    kernel.msg(comm_id)
    kernel.msg(comm_id, {"n": 1})
    assert kernel.value("seen") == ["fine"]


def test_an_error_in_on_close_is_shown(kernel):
    kernel.run("""
def target(comm, msg):
    @comm.on_close
    def closed(msg):
        1 / 0
manager.register_target("closes", target)
""")
    kernel.open("closes", "closes")
    (error,) = of_type(kernel.close("closes"), "error")
    assert error["content"]["ename"] == "ZeroDivisionError"
    assert kernel.comm_info() == {}


def test_an_error_in_a_target_closes_the_comm_and_is_shown(kernel):
    kernel.run("manager.register_target('bad', lambda comm, msg: 1 / 0)")
    messages = kernel.open("bad", "bad")
    assert of_type(messages, "error")[0]["content"]["ename"] == "ZeroDivisionError"
    (closed,) = of_type(messages, "comm_close")
    assert closed["content"] == {"comm_id": "bad", "data": {}}


@pytest.mark.parametrize(
    "body",
    ["def __str__(self): raise RuntimeError('no text')", r"def __str__(self): return 'a \ud800 b'"],
    ids=["no text", "surrogate"],
)
def test_an_exception_whose_text_cannot_be_sent_is_still_shown(kernel, opened, body):
    comm_id = opened(f"""
class Odd(Exception):
    {body}
def handle(msg):
    seen.append(1)
    raise Odd
""")
    for _ in range(2):  # and the comm goes on
        (error,) = of_type(kernel.msg(comm_id), "error")
        assert error["content"]["ename"] == "Odd"
    assert kernel.value("seen") == [1, 1]


@pytest.mark.parametrize("way_out", ["raise SystemExit(3)", "import sys; sys.exit()"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_system_exit_does_not_end_the_kernel(kernel, opened, way_out, kind):  # bug 2
    comm_id = opened(f"{kind} handle(msg):\n    {way_out}")
    kernel.send("comm_msg", {"comm_id": comm_id, "data": {}})
    assert kernel.wait_type("error")["content"]["ename"] == "SystemExit"
    assert kernel.value("1 + 1") == 2


def test_system_exit_in_a_target_does_not_end_the_kernel(kernel):  # bug 2
    kernel.run("import sys; manager.register_target('exits', lambda comm, msg: sys.exit())")
    messages = kernel.open("exits", "exits")
    assert (
        of_type(messages, "comm_close")[0]["metadata"]["tsushin"]["error"]["name"] == "SystemExit"
    )
    assert kernel.value("1 + 1") == 2


def test_system_exit_in_a_kept_message_does_not_end_the_kernel(kernel):  # bug 2
    kernel.run("manager.register_target('k', lambda comm, msg: globals().update(c=comm))")
    kernel.open("kept-exit", "k")
    kernel.msg("kept-exit")
    kernel.run("import sys; f = c.on_msg(lambda msg: sys.exit())")
    assert kernel.wait_type("error")["content"]["ename"] == "SystemExit"
    assert kernel.value("1 + 1") == 2


@pytest.mark.parametrize("kept", [False, True], ids=["arriving", "kept"])
def test_a_handler_can_be_interrupted(kernel, kept):
    kernel.run("""
import threading
def loops(msg):
    print("looping", flush=True)
    threading.Event().wait(15)
manager.register_target("loops", lambda comm, msg: globals().update(c=comm))
""")
    comm_id = uuid4().hex
    kernel.open(comm_id, "loops")
    if kept:
        kernel.msg(comm_id)
        kernel.run("f = c.on_msg(loops)")
    else:
        kernel.run("f = c.on_msg(loops)")
        kernel.send("comm_msg", {"comm_id": comm_id, "data": {}})
    kernel.wait(lambda m: m["content"].get("text") == "looping\n")
    kernel.manager.interrupt_kernel()
    assert kernel.value("1 + 1") == 2  # answered long before the 15 s


def test_an_error_in_an_async_handler_is_shown_under_its_message(kernel, opened):
    comm_id = opened("""
import asyncio
async def handle(msg):
    await asyncio.sleep(0)
    raise ValueError("later")
""")
    msg_id = kernel.send("comm_msg", {"comm_id": comm_id, "data": {}})
    error = kernel.wait_type("error")
    assert error["content"]["evalue"] == "later"
    assert error["parent_header"]["msg_id"] == msg_id


def test_events_fire_around_each_handler_also_after_an_error(kernel, opened):  # bug 17
    comm_id = opened(RAISES)
    kernel.run("""
def before(): seen.append("pre")
def after(): seen.append("post")
get_ipython().events.register("pre_execute", before)
get_ipython().events.register("post_execute", after)
seen.clear()
""")
    kernel.msg(comm_id)
    kernel.msg(comm_id, {"n": 1})
    kernel.run("""
result = list(seen)
get_ipython().events.unregister("pre_execute", before)
get_ipython().events.unregister("post_execute", after)
""")
    # The first "post" and the last "pre" are of the cells around.
    assert kernel.value("result") == ["post", "pre", "post", "pre", "fine", "post", "pre"]


def test_what_a_handler_prints_is_under_its_message(kernel, opened):
    comm_id = opened("def handle(msg): print('hello')")
    assert printed(kernel.msg(comm_id)) == "hello\n"


def test_what_a_handler_sends_is_under_its_message(kernel, opened):
    comm_id = opened("def handle(msg): Comm('x').send({'a': 1})")
    assert data_of(kernel.msg(comm_id)) == [{"a": 1}]


def test_a_kernel_without_an_ipython_shell_runs_handlers_too(kernel):  # bug 16
    # The kernel of another language, as ipykernel's base class makes it: no shell, no events.
    msg_id = kernel.client.execute("""
import asyncio
from ipykernel.kernelbase import Kernel
from tsushin.kernel.iopub import IopubSender
from tsushin.kernel.shell_delivery import ShellDelivery
from tsushin.kernel.shell_runtime import ShellRuntime
from tsushin.protocol.messages import Message
class Plain(Kernel):
    pass
plain = Plain(session=kernel.session, iopub_socket=kernel.iopub_socket)
delivery = ShellDelivery(plain, asyncio.get_event_loop(), manager, IopubSender(plain))
runtime = ShellRuntime(plain, asyncio.get_event_loop, delivery)
print(hasattr(plain, "shell"), runtime.run(lambda: "ran", Message("shell", {"msg_id": ""})))
runtime.report(ValueError("shown"), "a test", None)
""")
    messages = kernel.until_idle(msg_id)
    assert printed(messages) == "False ran\n"
    error = kernel.wait_type("error")  # that kernel has handled nothing: no parent
    assert error["content"]["traceback"][0] == "ValueError: shown\n"
