"""Both flows in Python kernels other than ipykernel, real ones; `make matrix`."""

from __future__ import annotations

import subprocess
from pathlib import Path
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
    "metakernel": (
        [str(Path(__file__).with_name("metakernel_kernel.py")), "-f", "{connection_file}"],
        "KernelCommManager",
    ),
    "sos": (["-m", "sos_notebook.kernel", "-f", "{connection_file}"], "KernelCommManager"),
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


# Those that stand on ipykernel deliver while a cell runs, as it does.
BUSY = ["spyder-kernels", "metakernel", "sos"]


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, tmp_path_factory):
    if request.param == "sos":  # it looks for its own kernelspec
        folder = tmp_path_factory.mktemp("sos")
        install = [matrix.python("sos"), "-m", "sos_notebook.install", "--prefix", str(folder)]
        subprocess.run(install, check=True, capture_output=True)
        request.getfixturevalue("jupyter_path")(folder / "share" / "jupyter")
    arguments, holder = KERNELS[request.param]
    argv = [matrix.python(request.param), *arguments]
    with started(argv=argv, prepare=PREPARE) as peer:
        peer.name, peer.holder = request.param, holder
        yield peer


@pytest.fixture(scope="module")
def jupyter_path():
    with pytest.MonkeyPatch.context() as patch:
        yield lambda folder: patch.setenv("JUPYTER_PATH", str(folder))


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


def test_a_running_cell_that_polls_is_reached(kernel):
    if kernel.name not in BUSY:
        assert (
            kernel.holder == "ProvidedManager"
        )  # between cells: test_the_page_opens_sends_and_closes
        return
    kernel.run("import time")
    cell = kernel.client.execute("""
b, got, until = Comm("busy"), [], time.monotonic() + 20
while not got and time.monotonic() < until:
    got += b.poll()
    time.sleep(0.01)
print(len(got), "while it ran")
""")
    comm_id = kernel.wait_type("comm_open")["content"]["comm_id"]
    kernel.send("comm_msg", {"comm_id": comm_id, "data": {}})
    assert printed(kernel.until_idle(cell)) == "1 while it ran\n"
