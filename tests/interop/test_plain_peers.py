"""What plain peers see of us, and what our features do against them: jupyter_client, ipykernel, IRkernel."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

import plain
from processes import environment, running_kernel
from tsushin import connect, connect_sync
from tsushin.errors import NoPeer
from tsushin.sessions import GRACE_S

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

SESSION = "tsushin.session"
WAIT_S = 20  # for one message; a busy machine is slow, a lost message never comes


# ------------------------------------------------------------------ our kernel end, at jupyter_client

# The first cell attaches. Afterwards nobody is hoped for any more.
OPEN = """
import time, tsushin
from tsushin import Comm
manager, noted = tsushin.comm_manager(), []
comm = Comm("page", {"hello": 1})
comm.on_gap(noted.append)
manager.on_peer(lambda *about: noted.append(about))
begun = time.monotonic()
try:
    comm.request_sync("early")
except tsushin.errors.NoPeer:
    print(time.monotonic() - begun)
"""
SAY = """
import numpy
said = Comm("said", {"open": b"xyz"})
said.send({"n": 1}, {"of": "mine"}, [b"abc"])
said.send({"array": numpy.arange(6, dtype="f4").reshape(2, 3), "n": 2})
for n in range(3, 50):
    said.send({"n": n}, coalesce="n")
said.handle("x", print)
said.close({"why": "done"})
"""
TARGETS = """
@manager.register_target("echo")
def echo(comm, msg):
    comm.on_msg(lambda m: comm.send({"back": m["content"]["data"]}, buffers=m["buffers"]))
    comm.on_close(lambda m: noted.append("closed"))
@manager.register_target("raises")
def raises(comm, msg):
    1 / 0
@manager.register_target("hears badly")
def hears_badly(comm, msg):
    comm.on_msg(lambda m: 1 / 0)
"""


class Stock:
    """jupyter_client's blocking client, and all that it hears on iopub, in order."""

    def __init__(self, client):
        self.client = client
        self.heard = []

    def until(self, is_last):
        """Hear all up to a message; return it."""
        begin = len(self.heard)
        while len(self.heard) == begin or not is_last(self.heard[-1]):
            self.heard.append(self.client.get_iopub_msg(timeout=WAIT_S))
        return self.heard[begin:]

    def until_idle(self, msg_id):
        """Hear all that a request causes; return it."""
        return self.until(
            lambda m: (
                m["parent_header"].get("msg_id") == msg_id
                and m["content"].get("execution_state") == "idle"
            )
        )

    def run(self, code):
        """Run a cell; return what it printed."""
        messages = self.until_idle(self.client.execute(code))
        assert [m["content"]["traceback"] for m in messages if m["msg_type"] == "error"] == []
        return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")

    def say(self, msg_type, content, buffers=None):
        """Send a comm message; return what it caused."""
        message = self.client.session.msg(msg_type, content)
        self.client.session.send(self.client.shell_channel.socket, message, buffers=buffers)
        return self.until_idle(message["header"]["msg_id"])

    def use(self, feature):
        """Use a feature; return what ``plain.cell`` prints."""
        return json.loads(self.run(plain.cell(feature)))


def comms_of(messages):
    return [m for m in messages if m["msg_type"].startswith("comm_")]


def told(messages):
    """Return what comm messages say."""
    return [(m["msg_type"], m["content"]["data"], len(m["buffers"])) for m in comms_of(messages)]


@contextmanager
def stock_client():
    """A stock client of a kernel that attaches while it listens."""
    with running_kernel() as manager:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=WAIT_S)
        stock = Stock(client)
        stock.early_s = float(stock.run(OPEN))
        stock.run(TARGETS)
        yield stock
        client.stop_channels()


@pytest.fixture(scope="module")
def stock():
    with stock_client() as stock:
        yield stock


@pytest.fixture(scope="module")
def conversation():
    """All comm messages that a stock client hears of everything a kernel end can do, to its end."""
    with stock_client() as stock:
        for feature in plain.features("kernel"):
            stock.use(feature)
        stock.run(SAY)
        for target in ("echo", "raises", "nobody", "hears badly"):
            stock.say("comm_open", {"comm_id": target, "target_name": target, "data": {}})
            stock.say("comm_msg", {"comm_id": target, "data": {}})
        stock.say("comm_close", {"comm_id": "echo", "data": {}})
        stock.client.shutdown()
        stock.until(lambda m: m["msg_type"] == "shutdown_reply")
    return comms_of(stock.heard)


def test_right_after_attaching_a_page_is_hoped_for_as_long_as_stated(stock):
    assert GRACE_S / 2 < stock.early_s < GRACE_S * plain.SLOWER


@pytest.mark.parametrize("feature", plain.features("kernel"), ids=lambda f: f.name)
def test_a_feature_of_the_kernel_end_gives_what_is_documented_in_time(stock, feature):
    assert plain.wrong(feature, *stock.use(feature)) == []


def test_what_is_sent_is_heard_once_and_in_order(stock):
    begin = len(stock.heard)
    stock.run(SAY)
    messages = comms_of(stock.heard[begin:])
    assert told(messages) == [
        ("comm_open", {"open": None}, 1),
        ("comm_msg", {"n": 1}, 1),
        ("comm_msg", {"array": None, "n": 2}, 1),
        *(("comm_msg", {"n": n}, 0) for n in range(3, 50)),
        ("comm_close", {"why": "done"}, 0),
    ]
    opened, first, array = messages[:3]
    assert first["metadata"] == {"of": "mine"}
    assert [bytes(m["buffers"][0]) for m in (opened, first)] == [b"xyz", b"abc"]
    assert memoryview(array["buffers"][0]).cast("B").cast("f").tolist() == [0, 1, 2, 3, 4, 5]


def test_a_comm_of_the_client_is_answered(stock):
    stock.say("comm_open", {"comm_id": "a", "target_name": "echo", "data": {}})
    answer = stock.say("comm_msg", {"comm_id": "a", "data": {"n": 1}}, buffers=[b"abc"])
    assert told(answer) == [("comm_msg", {"back": {"n": 1}}, 1)]
    assert told(stock.say("comm_close", {"comm_id": "a", "data": {}})) == []
    assert stock.run("print(noted.pop())") == "closed\n"


@pytest.mark.parametrize(
    ("comm_id", "target", "answers"),
    [("b", "raises", ["comm_close"]), ("c", "nobody", ["comm_close"]), ("d", "hears badly", [])],
)
def test_an_error_in_the_kernel_is_no_more_than_a_close(stock, comm_id, target, answers):
    caused = stock.say("comm_open", {"comm_id": comm_id, "target_name": target, "data": {}})
    caused += stock.say("comm_msg", {"comm_id": comm_id, "data": {}})
    assert [m["msg_type"] for m in comms_of(caused)] == answers
    assert stock.run("print(6 * 7)") == "42\n"


def test_nothing_was_missed_and_nobody_came(stock):
    assert stock.run("print(noted)") == "[]\n"


def test_all_that_is_heard_is_valid(conversation):
    assert [found for message in conversation for found in plain.faults(message)] == []


def test_all_that_is_heard_is_about_comms_that_were_opened_but_for_one_announcement(conversation):
    opened = {m["content"]["comm_id"] for m in conversation if m["msg_type"] == "comm_open"}
    known = opened | {"echo", "raises", "nobody", "hears badly"}
    others = [m for m in conversation if m["content"]["comm_id"] not in known]
    announcement = ("comm_msg", {"comm_id": SESSION, "data": {"profile": 1}})
    assert [(m["msg_type"], m["content"]) for m in others] == [announcement]


def test_no_message_is_numbered_or_heard_twice(conversation):
    assert [m for m in conversation if "n" in m["metadata"].get("tsushin", {})] == []
    ids = [m["header"]["msg_id"] for m in conversation]
    assert len(ids) == len(set(ids))


def test_a_request_is_a_message_with_its_data(conversation):
    asked = [m for m in conversation if "req" in m["metadata"].get("tsushin", {})]
    assert [m["content"]["data"] for m in asked] == [{}, {"a": 1}, {}, {}, {}, {}]


def test_the_kernel_closes_what_is_open_when_it_ends(conversation):
    [page] = [m["content"]["comm_id"] for m in conversation
              if m["content"].get("target_name") == "page"]  # fmt: skip
    of_page = [m["msg_type"] for m in conversation if m["content"]["comm_id"] == page]
    assert (of_page[0], of_page[-1], of_page.count("comm_close")) == ("comm_open", "comm_close", 1)


def test_a_list_of_comms_names_none_of_ours(stock):
    msg_id = stock.client.comm_info()
    replies = iter(lambda: stock.client.get_shell_msg(timeout=WAIT_S), None)
    reply = next(r for r in replies if r["parent_header"]["msg_id"] == msg_id)
    assert SESSION not in str(reply["content"])


# ------------------------------------------------------------------ our frontend, at plain kernels

# Each keeps what its comms of the target "echo" are told, and tells it as [comm id, message type, data].
IPYKERNEL = """
import json
heard, kernel = [], get_ipython().kernel
def note(kind, handler):
    def noted(stream, ident, msg):
        heard.append(msg)
        return handler(stream, ident, msg)
    return noted
for kind in ("comm_open", "comm_msg", "comm_close"):
    kernel.shell_handlers[kind] = note(kind, kernel.shell_handlers[kind])
def echo(comm, msg):
    comm.on_msg(lambda m: comm.send({"back": m["content"]["data"]}))
kernel.comm_manager.register_target("echo", echo)
"""
REFUSES = """
def refuse(stream, ident, parent):
    content = {"status": "error", "ename": "Error", "evalue": "no comms here", "traceback": []}
    kernel.session.send(stream, "comm_info_reply", content, parent, ident)
kernel.shell_handlers["comm_info_request"] = refuse
"""
OPENS = "import comm; c = comm.create_comm('page', data={'hello': 1})"
TELLS = """
print(json.dumps([[m["content"]["comm_id"], m["msg_type"], m["content"]["data"]] for m in heard]))
"""
IRKERNEL = """
heard <- list()
manager <- IRkernel::comm_manager()
manager$register_target("echo", function(comm, data) {
  note <- function(kind, data) heard <<- c(heard, list(list(comm$id, kind, data)))
  note("comm_open", data)
  comm$on_msg(function(data) { note("comm_msg", data); comm$send(list(back = data)) })
  comm$on_close(function(...) note("comm_close", list()))
})
"""
R_OPENS = "c <- manager$new_comm('page'); c$open(list(hello = 1))"
R_TELLS = "cat(as.character(jsonlite::toJSON(heard, auto_unbox = TRUE)))"
R = ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]


@dataclass(frozen=True)
class Plain:
    """A kernel that has never heard of us.

    Attributes:
        prepares, opens, tells: code that it runs.
        argv: its command; None is ipykernel's.
        connection_file, log: while it runs: paths.
    """

    prepares: str
    opens: str = OPENS
    tells: str = TELLS
    argv: list[str] | None = None
    connection_file: str = ""
    log: Path = Path()

    @contextmanager
    def running(self, log):
        """Start it, with a log of its own."""
        manager = KernelManager(kernel_name="python3")
        if self.argv is not None:
            manager.kernel_spec.argv = self.argv
        with log.open("w") as file:
            manager.start_kernel(env=environment(), stdout=file, stderr=subprocess.STDOUT)
        try:
            with connect_sync(connection_file=manager.connection_file) as fe:
                fe.execute(self.prepares)
            yield replace(self, connection_file=manager.connection_file, log=log)
        finally:
            manager.shutdown_kernel(now=True)

    async def told(self, fe, comm):
        """Return what it was told on a comm, as [message type, data]."""
        heard = json.loads((await fe.execute(self.tells)).stdout)
        return [rest for comm_id, *rest in heard if comm_id == comm.comm_id]


IPYKERNELS = [
    pytest.param(Plain(IPYKERNEL), id="ipykernel"),
    pytest.param(Plain(IPYKERNEL + REFUSES), id="no-comm-info"),
]
R_KERNEL = pytest.param(
    Plain(IRKERNEL, R_OPENS, R_TELLS, R), id="IRkernel", marks=pytest.mark.matrix
)


@pytest.fixture(scope="module", params=[*IPYKERNELS, R_KERNEL])
def kernel(request, tmp_path_factory):
    with request.param.running(tmp_path_factory.mktemp("kernel") / "log") as kernel:
        yield kernel


@pytest.fixture
async def fe(kernel):
    async with connect(connection_file=kernel.connection_file) as fe:
        yield fe


async def use(feature, comm, manager):
    """Use a feature here; return what ``plain.cell`` prints."""
    scope = {"comm": comm, "manager": manager}
    exec(plain.USE.format(code=feature.code, bound=feature.bound_s), scope)
    return await scope["used"]()


async def test_a_request_before_the_kernel_has_said_anything_ends_too(fe):
    asked = fe.comm_manager.new_comm("echo").request("x", timeout=None)
    with pytest.raises(NoPeer):
        await asyncio.wait_for(asked, WAIT_S)


@pytest.mark.parametrize("feature", plain.features("frontend"), ids=lambda f: f.name)
async def test_a_feature_of_a_frontend_gives_what_is_documented_in_time(fe, feature):
    comm, gaps = fe.comm_manager.new_comm("echo"), []
    comm.on_gap(gaps.append)
    await fe.execute("1")  # the kernel has answered what it was asked at first
    assert plain.wrong(feature, *await use(feature, comm, fe.comm_manager)) == []
    assert gaps == []


async def test_what_is_sent_is_heard_once_in_order_and_answered(kernel, fe):
    comm = fe.comm_manager.new_comm("echo", {"a": 1})
    for n in range(3):
        comm.send({"n": n}, coalesce="n")
        assert data_of(await comm.expect_msg(WAIT_S)) == {"back": {"n": n}}
    comm.close()
    *heard, (last, _) = await kernel.told(fe, comm)
    sent = [["comm_open", {"a": 1}], *(["comm_msg", {"n": n}] for n in range(3))]
    assert (heard, last) == (sent, "comm_close")


async def test_on_a_comm_of_the_kernel_there_is_no_peer(kernel, fe):
    opened = fe.expect_open("page", timeout=WAIT_S)
    await fe.execute(kernel.opens)
    comm = await opened
    assert data_of(comm.open_msg) == {"hello": 1}
    with pytest.raises(NoPeer):
        await asyncio.wait_for(comm.request("x", timeout=None), WAIT_S)


async def use_all(fe):
    """Use every feature on a comm of its own, and close it."""
    comm = fe.comm_manager.new_comm("echo", {"open": b"xyz"})
    for feature in plain.features("frontend"):
        await use(feature, comm, fe.comm_manager)
    comm.close()
    return comm


async def test_the_kernel_logs_nothing(kernel):
    before = kernel.log.read_text()
    async with connect(connection_file=kernel.connection_file) as fe:
        comm = await use_all(fe)
        kinds = [kind for kind, _ in await kernel.told(fe, comm)]
        assert (kinds[0], kinds[-1]) == ("comm_open", "comm_close")
    assert kernel.log.read_text() == before


@pytest.mark.parametrize("kernel", IPYKERNELS, indirect=True)
async def test_all_that_a_kernel_hears_is_valid_and_about_that_comm(kernel, fe):
    await fe.execute("heard.clear()")
    comm = await use_all(fe)
    result = await fe.execute("print(json.dumps(heard, default=lambda _: 'bytes'))")
    heard = [
        m for m in json.loads(result.stdout) if m["header"]["session"] == fe.comm_manager.session
    ]
    assert [found for message in heard for found in plain.faults(message)] == []
    assert {message["content"]["comm_id"] for message in heard} == {comm.comm_id}


def data_of(message):
    return message["content"]["data"]
