from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tsushin
from endpoint_client import TIMEOUT_S, Client
from tsushin.kernel.own import process_manager
from tsushin.kernel.process import ProcessKernel
from tsushin.server import asgi_app, serve
from tsushin.testing import comm_pair

BLOCKING = """
import tsushin
from tsushin.kernel.own import process_manager
process_manager().register_target("echo", lambda comm, msg: comm.send(msg["content"]["data"]))
tsushin.serve(token="t")
print("returned", flush=True)
"""
SRC = Path(tsushin.__file__).parents[1]


@pytest.fixture
def blocking():
    """A process of its own inside ``tsushin.serve()``, and the address it wrote."""
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    ) as process:
        try:
            line = process.stderr.readline()
            yield process, line.split("serving at ")[1].split("?")[0]
        finally:
            process.kill()


def test_two_ends_by_serve_and_connect():
    kernel = ProcessKernel()
    kernel.manager.register_target("echo", lambda comm, msg: comm.send(msg["content"]["data"]))
    with (
        serve(kernel.manager, block=False) as serving,
        tsushin.connect_sync(serving.url, token=serving.token) as fe,
    ):
        comm = fe.comm_manager.new_comm("echo", {"x": 1})
        assert comm.expect_msg(TIMEOUT_S).result()["content"]["data"] == {"x": 1}


def test_a_comm_of_a_serving_process_belongs_to_it():
    with serve(block=False):
        comm = tsushin.Comm("page", manager=None)
        assert process_manager().get_comm(comm.comm_id) is comm
    assert comm.closed


def test_each_call_has_its_own_token_unless_given():
    with (
        serve(ProcessKernel().manager, block=False) as one,
        serve(ProcessKernel().manager, block=False, token="given") as two,
    ):
        assert (len(one.token) >= 32, two.token) == (True, "given")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "x.example", "::"])
def test_other_machines_are_let_in_only_when_allowed(host):
    with pytest.raises(ValueError, match="allow_remote"):
        serve(host=host, block=False)


def test_when_allowed_they_are():
    manager = ProcessKernel().manager
    with serve(manager, host="0.0.0.0", allow_remote=True, block=False) as serving:
        assert serving.url.startswith("http://127.0.0.1:")
        assert Client.of(serving).ask("api")[0] == 200


def test_the_manager_of_another_host_is_refused():
    for make in (serve, asgi_app):
        with pytest.raises(TypeError, match="plain process"):
            make(comm_pair().kernel)


async def test_blocking_inside_a_running_loop_says_what_to_do():
    with pytest.raises(RuntimeError, match="block=False"):
        serve(ProcessKernel().manager)


async def test_a_handler_may_close_what_serves_it():
    kernel = ProcessKernel()
    serving = serve(kernel.manager, block=False)
    kernel.manager.register_target("stop", lambda comm, msg: serving.close())
    async with tsushin.connect(serving.url, token=serving.token) as fe:
        comm = fe.comm_manager.new_comm("stop")
        with pytest.raises(tsushin.TsushinError):
            await comm.expect_msg(TIMEOUT_S)
    await asyncio.to_thread(serving._thread.join, TIMEOUT_S)
    assert not serving._thread.is_alive()


def test_ctrl_c_returns_from_serve(blocking):
    process, url = blocking
    kernels = Client(url, "t", "").ask("api/kernels")[2]
    with Client(url, "t", kernels[0]["id"]).socket() as page:
        assert page.ask("kernel_info_request")["status"] == "ok"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (0, "returned\n", "")


def test_sigterm_ends_the_process_as_it_always_does(blocking):
    process, _ = blocking
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (-signal.SIGTERM, "", "")
