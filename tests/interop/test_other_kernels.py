"""Both flows in Python kernels other than ipykernel, real ones; `make matrix`."""

from __future__ import annotations

from uuid import uuid4

import pytest

import matrix
from kernel.peer import data_of, of_type, printed, started

pytestmark = [pytest.mark.matrix, pytest.mark.interop, pytest.mark.timeout(120)]

# Environment -> the arguments that start its kernel, and what holds its comms there.
KERNELS = {
    "spyder-kernels": (
        ["-m", "spyder_kernels.console", "-f", "{connection_file}"],
        "KernelCommManager",
    ),
    "async-kernel": (
        ["-m", "async_kernel", "start", "--connection_file={connection_file}", "--name=async"],
        "ProvidedManager",
    ),
    "xeus-python": (["-m", "xpython_launcher", "-f", "{connection_file}"], "ProvidedManager"),
}
PREPARE = """
import tsushin
from tsushin import Comm
seen = []
@tsushin.comm_manager().register_target("echo")
def echo(comm, msg):
    comm.on_msg(lambda m: comm.send({"back": m["content"]["data"]}, buffers=m["buffers"]))
    comm.on_close(lambda m: seen.append("closed"))
"""


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request):
    arguments, holder = KERNELS[request.param]
    argv = [matrix.python(request.param), *arguments]
    with started(argv=argv, prepare=PREPARE) as peer:
        peer.holder = holder
        yield peer


def published(kernel, messages, msg_type):
    """Return a message of the cell, which may have no parent (async-kernel sets none)."""
    found = of_type(messages, msg_type)
    return found[0] if found else kernel.wait_type(msg_type)


def test_the_kernel_opens_sends_and_hears(kernel):
    messages = kernel.run("""
c = Comm("page", {"hello": 1})
c.send({"n": 1}, buffers=[b"xyz"])
c.on_msg(lambda m: c.send({"heard": m["content"]["data"]}))
""")
    opened, sent = (published(kernel, messages, kind) for kind in ("comm_open", "comm_msg"))
    assert opened["content"]["data"] == {"hello": 1}
    assert (sent["content"]["data"], bytes(sent["buffers"][0])) == ({"n": 1}, b"xyz")
    kernel.send("comm_msg", {"comm_id": opened["content"]["comm_id"], "data": {"n": 2}})
    assert data_of([kernel.wait_type("comm_msg")]) == [{"heard": {"n": 2}}]


def test_the_page_opens_sends_and_closes(kernel):
    comm_id = uuid4().hex
    kernel.open(
        comm_id, "echo"
    )  # one after the other: async-kernel handles messages beside each other
    kernel.send("comm_msg", {"comm_id": comm_id, "data": {"n": 1}}, buffers=[b"abc"])
    answer = kernel.wait_type("comm_msg")
    assert (data_of([answer]), bytes(answer["buffers"][0])) == ([{"back": {"n": 1}}], b"abc")
    kernel.send("comm_close", {"comm_id": comm_id, "data": {}})
    assert printed(kernel.run("print(seen.pop())")) == "closed\n"


def test_its_comms_are_held_as_documented(kernel):
    assert (
        printed(kernel.run("print(type(tsushin.comm_manager()).__name__)")) == f"{kernel.holder}\n"
    )
