"""Comm messages while a cell runs: FACTS' busy table, with us attached.

Nothing here is timed: a cell that waits for something ends by it, or fails after ``LONG`` seconds.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from kernel.peer import data_of, of_type, printed

LONG = 8  # seconds; a cell that runs so long has waited in vain

# A cell that runs until the condition holds. What it does between two looks is the case.
BUSY = {
    "sleeping": "time.sleep(0.001)",
    "computing": "sum(range(2000))",
    "awaiting": "await asyncio.sleep(0.001)",
}
UNTIL = """
import asyncio, time
until = time.monotonic() + {LONG}
while not ({condition}) and time.monotonic() < until:
    {step}
print("in time" if {condition} else "too late")
"""
OPEN = """
c = Comm("x", run={run!r})
@c.on_msg
def on_msg(msg):
    seen.append(msg["content"]["data"])
    c.send({{"back": msg["content"]["data"]}})
"""


def until(condition, *step):
    return UNTIL.format(LONG=LONG, condition=condition, step="; ".join(step))


@pytest.fixture(params=["plain client", "subshell client"])
def header(request, kernel):
    """What a client adds to the header of a comm message: JupyterLab sends on a subshell."""
    if request.param == "plain client":
        yield {}
        return
    kernel.send("create_subshell_request", {}, channel="control")
    reply = kernel.client.get_control_msg(timeout=10)
    assert reply["content"]["status"] == "ok", reply
    subshell_id = reply["content"]["subshell_id"]
    yield {"subshell_id": subshell_id}
    kernel.send("delete_subshell_request", {"subshell_id": subshell_id}, channel="control")
    kernel.client.get_control_msg(timeout=10)


@pytest.fixture
def opened(kernel):
    """Open a comm in the kernel; return its id."""

    def open_(run="main", code=OPEN):
        messages = kernel.run(code.format(run=run))
        [open_msg] = of_type(messages, "comm_open")
        return open_msg["content"]["comm_id"]

    return open_


def start(kernel, code):
    """Start a cell and wait until it runs; return its id."""
    msg_id = kernel.client.execute(code)
    kernel.wait(
        lambda m: m["msg_type"] == "execute_input" and m["parent_header"]["msg_id"] == msg_id
    )
    return msg_id


def data(comm_id, **data):
    return {"comm_id": comm_id, "data": data}


# ------------------------------------------------------------------ the table


@pytest.mark.parametrize("busy", BUSY)
def test_a_handler_on_the_thread_runs_at_once(kernel, opened, header, busy):
    comm_id = opened("thread")
    cell = start(kernel, until("seen", BUSY[busy]))
    kernel.send("comm_msg", data(comm_id, n=1), header=header)
    assert printed(kernel.until_idle(cell)) == "in time\n"
    assert data_of([kernel.wait_type("comm_msg")]) == [{"back": {"n": 1}}]


@pytest.mark.parametrize("ask", ["c.poll()", "tsushin.poll()"])
@pytest.mark.parametrize("busy", BUSY)
def test_a_main_handler_runs_when_the_cell_asks(kernel, opened, header, busy, ask):
    comm_id = opened()
    cell = start(kernel, until("seen", ask, BUSY[busy]))
    kernel.send("comm_msg", data(comm_id, n=1), header=header)
    assert printed(kernel.until_idle(cell)) == "in time\n"


def test_a_main_handler_runs_when_an_async_cell_awaits(kernel, opened, header):
    comm_id = opened()
    cell = start(kernel, until("seen", BUSY["awaiting"]))
    kernel.send("comm_msg", data(comm_id, n=1), header=header)
    assert printed(kernel.until_idle(cell)) == "in time\n"


def test_a_main_handler_does_not_run_in_a_plain_cell_that_does_not_ask(kernel, opened, header):
    comm_id = opened()
    cell = start(kernel, "time.sleep(0.3); print(seen)")
    msg_id = kernel.send("comm_msg", data(comm_id, n=1), header=header)
    assert printed(kernel.until_idle(cell)) == "[]\n"
    assert data_of(kernel.until_idle(msg_id)) == [{"back": {"n": 1}}]


@pytest.mark.parametrize(
    "wait",
    [
        "c.wait(8)[0]",
        "c.expect_msg().result(8)",
        "await c.expect_msg()",
        "await anext(aiter(c))",
        "next(m for _ in iter(int, 1) for m in c.poll())",
    ],
)
def test_a_cell_gets_the_message_that_it_waits_for(kernel, opened, header, wait):
    comm_id = opened(code='c = Comm("x", run={run!r})')
    cell = start(kernel, f"msg = {wait}; print(msg['content']['data'])")
    kernel.send("comm_msg", data(comm_id, n=1), header=header)
    assert printed(kernel.until_idle(cell)) == "{'n': 1}\n"


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("ask", ["c.request_sync('bbox', timeout=8)", "await c.request('bbox')"])
def test_a_cell_gets_the_answer_that_it_waits_for(kernel, opened, header, ask, where):
    comm_id = opened(where)
    with kernel.joined():
        cell = kernel.client.execute(f"print({ask})")
        request = kernel.wait_type("comm_msg")["metadata"]["tsushin"]
        assert request["name"] == "bbox"
        metadata = {"tsushin": {"re": request["req"], "ok": True}}
        kernel.send("comm_msg", data(comm_id, value=[1, 2]), metadata=metadata, header=header)
        assert printed(kernel.until_idle(cell)) == "[1, 2]\n"


def test_an_answer_is_not_behind_a_handler(kernel, opened):
    comm_id = opened()
    with kernel.joined():
        cell = kernel.client.execute(f"""
@c.on_msg
def slow(msg):
    if not seen:
        seen.append(c.request_sync("bbox", timeout={LONG}))
c.wait({LONG})
print(seen)
""")
        kernel.send("comm_msg", data(comm_id))
        request = kernel.wait_type("comm_msg")["metadata"]["tsushin"]
        kernel.send("comm_msg", data(comm_id, n="later"))
        metadata = {"tsushin": {"re": request["req"], "ok": True}}
        kernel.send("comm_msg", data(comm_id, value=3), metadata=metadata)
        assert printed(kernel.until_idle(cell)) == "[3]\n"


def test_comm_info_is_answered_while_a_cell_runs(kernel, opened):
    comm_id = opened()
    cell = start(kernel, until("seen", "c.poll()", BUSY["sleeping"]))
    assert comm_id in kernel.comm_info()
    kernel.send("comm_msg", data(comm_id))
    assert printed(kernel.until_idle(cell)) == "in time\n"


def test_a_frontend_opens_and_closes_while_a_cell_runs(kernel):
    comm_id = uuid4().hex
    kernel.run("""
def target(comm, msg):
    seen.append("open")
    comm.on_close(lambda msg: seen.append("close"))
manager.register_target("t", target)
""")
    cell = start(kernel, until("len(seen) == 2", "tsushin.poll()", BUSY["sleeping"]))
    kernel.send("comm_open", {"comm_id": comm_id, "target_name": "t", "data": {}})
    kernel.send("comm_close", data(comm_id))
    assert printed(kernel.until_idle(cell)) == "in time\n"


# ------------------------------------------------------------------ order


@pytest.mark.parametrize("run", ["main", "thread"])
def test_messages_of_one_comm_keep_their_order_whatever_subshell_they_name(
    kernel, opened, header, run
):
    comm_id = opened(run)
    cell = start(kernel, until("len(seen) == 200", "tsushin.poll()", BUSY["computing"]))
    for n in range(200):
        kernel.send("comm_msg", data(comm_id, n=n), header=header if n % 3 else {})
    assert printed(kernel.until_idle(cell)) == "in time\n"
    assert kernel.value("[s['n'] for s in seen]") == list(range(200))


def test_execute_and_open_in_quick_succession_find_each_other(kernel):
    for _ in range(20):
        name, comm_id = uuid4().hex, uuid4().hex
        kernel.client.execute(
            f"manager.register_target({name!r}, lambda comm, msg: comm.send({{}}))"
        )
        opened = kernel.send("comm_open", {"comm_id": comm_id, "target_name": name, "data": {}})
        assert data_of(kernel.until_idle(opened)) == [{}]


def test_an_open_waits_for_the_cell_that_may_register_its_target(kernel):
    comm_id = uuid4().hex
    cell = start(
        kernel,
        """
for _ in range(100):
    tsushin.poll(); time.sleep(0.002)
manager.register_target("later", lambda comm, msg: comm.on_msg(lambda m: seen.append(m["content"]["data"])))
""",
    )
    kernel.send("comm_open", {"comm_id": comm_id, "target_name": "later", "data": {}})
    last = kernel.send("comm_msg", data(comm_id, n=1))
    kernel.until_idle(cell)
    kernel.until_idle(last)
    assert kernel.value("seen") == [{"n": 1}]


def test_messages_of_before_attaching_come_first(fresh_kernel):
    fresh_kernel.run("""
import comm, time
c = comm.create_comm(target_name="x")
c.on_msg(lambda msg: seen.append(msg["content"]["data"]["n"]))
""")
    comm_id = fresh_kernel.value("c.comm_id")
    cell = start(
        fresh_kernel,
        """
time.sleep(0.3)
tsushin.kernel.attach()
until = time.monotonic() + 1
while time.monotonic() < until:
    tsushin.poll(); time.sleep(0.01)
""",
    )
    for n in range(5):
        fresh_kernel.send("comm_msg", data(comm_id, n=n))
    fresh_kernel.until_idle(cell)
    fresh_kernel.msg(comm_id, {"n": 5})
    assert fresh_kernel.value("seen") == list(range(6))


# ------------------------------------------------------------------ statuses and parents


def states(messages):
    return [
        (m["parent_header"]["msg_id"], m["content"]["execution_state"])
        for m in of_type(messages, "status")
    ]


def until_idle_all(kernel, msg_id):
    """Return all iopub messages up to the idle of ``msg_id``, whatever their parent."""
    messages = []
    while True:
        message = kernel.wait(lambda _: True)
        messages.append(message)
        if states([message]) == [(msg_id, "idle")]:
            return messages


@pytest.mark.parametrize("run", ["main", "thread"])
def test_the_running_cell_is_busy_again_after_a_message_was_handled(kernel, opened, run):
    comm_id = opened(run)
    kernel.kept.clear()
    cell = start(kernel, until("seen", "c.poll()", BUSY["sleeping"]))
    kernel.kept.clear()
    sent = kernel.send("comm_msg", data(comm_id))
    seen = states(until_idle_all(kernel, cell))
    assert seen == [(sent, "busy"), (sent, "idle"), (cell, "busy"), (cell, "idle")]


def test_between_cells_a_message_is_busy_and_idle(kernel, opened):
    comm_id = opened()
    sent = kernel.send("comm_msg", data(comm_id))
    assert states(until_idle_all(kernel, sent))[-2:] == [(sent, "busy"), (sent, "idle")]


@pytest.mark.parametrize("run", ["main", "thread"])
def test_what_a_handler_prints_and_sends_is_under_its_message_and_the_cell_keeps_its_own(
    kernel, opened, run
):
    comm_id = opened(
        run,
        """
c = Comm("x", run={run!r})
@c.on_msg
def on_msg(msg):
    print("from the handler")
    c.send({{"a": 1}})
    seen.append(1)
""",
    )
    cell = start(kernel, until("seen", "c.poll()", BUSY["sleeping"]))
    sent = kernel.send("comm_msg", data(comm_id))
    handled = kernel.until_idle(sent)
    assert (printed(handled), data_of(handled)) == ("from the handler\n", [{"a": 1}])
    assert printed(kernel.until_idle(cell)) == "in time\n"


@pytest.mark.parametrize("run", ["main", "thread"])
def test_a_handlers_error_is_shown_under_its_message_and_the_cell_goes_on(kernel, opened, run):
    comm_id = opened(
        run,
        """
c = Comm("x", run={run!r})
@c.on_msg
def on_msg(msg):
    seen.append(1)
    raise KeyError("in the handler")
""",
    )
    cell = start(kernel, until("seen", "c.poll()", BUSY["sleeping"]))
    sent = kernel.send("comm_msg", data(comm_id))
    [error] = of_type(kernel.until_idle(sent), "error")
    assert error["content"]["ename"] == "KeyError"
    assert printed(kernel.until_idle(cell)) == "in time\n"


@pytest.mark.parametrize("run", ["main", "thread"])
def test_system_exit_in_a_handler_ends_neither_cell_nor_kernel(kernel, opened, run):
    comm_id = opened(
        run,
        """
c = Comm("x", run={run!r})
@c.on_msg
def on_msg(msg):
    seen.append(1)
    raise SystemExit
""",
    )
    cell = start(kernel, until("seen", "c.poll()", BUSY["sleeping"]))
    kernel.send("comm_msg", data(comm_id))
    assert printed(kernel.until_idle(cell)) == "in time\n"


# ------------------------------------------------------------------ interrupting


@pytest.mark.parametrize(
    "wait", ["c.wait(60)", "c.request_sync('x', timeout=60)", "c.expect_msg(60).result()"]
)
def test_interrupting_the_kernel_ends_a_wait(fresh_kernel, wait):
    cell = start(fresh_kernel, f"c = Comm('x'); print('waits'); {wait}")
    fresh_kernel.wait(lambda m: m["msg_type"] == "stream")
    fresh_kernel.manager.interrupt_kernel()
    [error] = of_type(fresh_kernel.until_idle(cell), "error")
    assert error["content"]["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        ("c.wait(0.05)", "TimeoutError"),
        ("c.request_sync('x', timeout=0.05)", "TimeoutError"),
        ("c.close(); c.wait(5)", "CommClosed"),
        ("c.close(); c.request_sync('x')", "CommClosed"),
    ],
)
def test_a_wait_ends_with_what_ended_it(kernel, wait, error):
    with kernel.joined():
        messages = kernel.run(f"""
c = Comm('x')
try:
    {wait}
except Exception as error:
    print(type(error).__name__)
""")
    assert printed(messages) == f"{error}\n"


def test_the_peers_close_ends_a_wait(kernel, opened):
    comm_id = opened(code='c = Comm("x", run={run!r})')
    cell = start(kernel, "try: c.wait(8)\nexcept tsushin.CommClosed as error: print(error.data)")
    kernel.send("comm_close", data(comm_id, bye=1))
    assert printed(kernel.until_idle(cell)) == "{'bye': 1}\n"


# ------------------------------------------------------------------ what is not ours


def test_other_requests_pass_through_while_comms_are_tapped(kernel):
    msg_id = kernel.client.kernel_info()
    assert kernel.reply(msg_id)["msg_type"] == "kernel_info_reply"
    assert kernel.value("1 + 1") == 2


def test_a_forged_comm_message_is_refused_and_harms_nobody(kernel, opened):
    comm_id = opened()
    key = kernel.session.key
    kernel.session.key = b"another key"
    kernel.send("comm_msg", data(comm_id, forged=True))
    kernel.session.key = key
    assert data_of(kernel.msg(comm_id, {"n": 1})) == [{"back": {"n": 1}}]
    assert kernel.value("seen") == [{"n": 1}]


def test_a_replayed_comm_message_is_refused(kernel, opened):
    comm_id = opened()
    message = kernel.session.msg("comm_msg", data(comm_id, n=1))
    frames = kernel.session.serialize(message)
    for _ in range(2):
        kernel.client.shell_channel.socket.send_multipart(frames)
    kernel.until_idle(message["header"]["msg_id"])
    kernel.msg(comm_id, {"n": 2})
    assert kernel.value("seen") == [{"n": 1}, {"n": 2}]


def test_data_that_only_pythons_parser_takes_keeps_its_place(kernel, opened):
    comm_id = opened()
    kernel.send("comm_msg", data(comm_id, n=1))
    kernel.send("comm_msg", f'{{"comm_id": "{comm_id}", "data": {{"n": NaN}}}}'.encode())
    kernel.msg(comm_id, {"n": 3})
    assert kernel.value("[str(s['n']) for s in seen]") == ["1", "nan", "3"]


def test_detaching_gives_the_channel_back(kernel, opened):
    comm_id = opened()
    kernel.run("tsushin.kernel.detach()")
    assert data_of(kernel.msg(comm_id, {"n": 1})) == [{"back": {"n": 1}}]
    assert kernel.value("'dispatch_shell' in vars(kernel)") is False
    kernel.run("tsushin.kernel.attach()")
    assert data_of(kernel.msg(comm_id, {"n": 2})) == [{"back": {"n": 2}}]


def test_ipywidgets_hear_the_page_when_a_cell_asks(kernel):
    kernel.run("import ipywidgets; slider = ipywidgets.IntSlider(value=3)")
    comm_id = kernel.value("slider.comm.comm_id")
    cell = start(kernel, until("slider.value == 7", "tsushin.poll()", BUSY["sleeping"]))
    update = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    kernel.send("comm_msg", {"comm_id": comm_id, "data": update})
    assert printed(kernel.until_idle(cell)) == "in time\n"


# ------------------------------------------------------------------ bounds and ends


def test_more_than_may_wait_stops_the_reading_and_loses_nothing(kernel, opened):
    comm_id = opened()
    kernel.run("import tsushin.kernel.shell_delivery as d; most, d.MAX_WAITING = d.MAX_WAITING, 10")
    cell = start(kernel, "import time; time.sleep(0.5)")
    for n in range(100):
        kernel.send("comm_msg", data(comm_id, n=n))
    kernel.until_idle(cell)
    kernel.msg(comm_id, {"n": 100})
    assert kernel.value("[s['n'] for s in seen]") == list(range(101))
    kernel.run("d.MAX_WAITING = most")


def test_a_cell_that_asks_goes_on_getting_what_was_held_back(kernel, opened):
    comm_id = opened()
    kernel.run("import tsushin.kernel.shell_delivery as d; most, d.MAX_WAITING = d.MAX_WAITING, 10")
    cell = start(kernel, until("len(seen) == 200", "c.poll()", BUSY["sleeping"]))
    for n in range(200):
        kernel.send("comm_msg", data(comm_id, n=n))
    assert printed(kernel.until_idle(cell)) == "in time\n"
    kernel.run("d.MAX_WAITING = most")


def test_what_waits_when_it_is_detached_is_handled_all_the_same(fresh_kernel):
    fresh_kernel.run(OPEN.format(run="main"))
    comm_id = fresh_kernel.value("c.comm_id")
    cell = start(fresh_kernel, "import time; time.sleep(0.5); tsushin.kernel.detach()")
    for n in range(3):
        fresh_kernel.send("comm_msg", data(comm_id, n=n))
    fresh_kernel.until_idle(cell)
    fresh_kernel.msg(comm_id, {"n": 3})
    assert fresh_kernel.value("[s['n'] for s in seen]") == [0, 1, 2, 3]
