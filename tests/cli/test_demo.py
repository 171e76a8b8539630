from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time

import psutil
import pytest

from demo_process import START_TIMEOUT_S, Demo
from tsushin.server.static_files import has_page

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def demo():
    assert has_page(), "build the page first: python tools/node.py build"
    demo = Demo()
    with demo.process:
        yield demo
        demo.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_a_signal_and_leaves_no_process(demo, number):
    demo.client()
    family = demo.family()
    assert demo.kernel_process() in family
    assert demo.end(number) == 0, demo.output
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert demo.output.rstrip().endswith("Stopped: kernel and page are gone.")


def test_a_page_talks_to_the_real_kernel(demo):
    with demo.client().socket() as page:
        code = "from ipykernel.comm import Comm; c = Comm('page', {'x': 1}); print(6 * 7)"
        about = page.until_idle(page.send("execute_request", {"code": code, "silent": False}))
        [opened] = [m.content for m in about if m.msg_type == "comm_open"]
        printed = [m.content["text"] for m in about if m.content.get("name") == "stdout"]
        assert (opened["data"], printed) == ({"x": 1}, ["42\n"])


def test_the_page_is_served(demo):
    status, headers, body = demo.client().ask("", token="")
    assert (status, headers.get_content_type()) == (200, "text/html")
    assert b"playground.js" in body


def test_a_killed_kernel_is_shown_and_can_be_restarted(demo):
    client = demo.client()
    with client.socket() as page:
        page.ask("kernel_info_request")
        killed = demo.kernel_process()
        killed.kill()
        demo.read_until("The kernel died")
        states = [page.until("status").content["execution_state"]]
        while states[-1] != "dead":
            states.append(page.until("status").content["execution_state"])
        assert client.ask("api/kernels")[2][0]["execution_state"] == "dead"
        status, _, model = client.ask(f"api/kernels/{client.kernel_id}/restart", method="POST")
        assert (status, model["execution_state"]) == (200, "idle")
        assert page.ask("kernel_info_request")["status"] == "ok"
    assert demo.kernel_process().pid != killed.pid
    assert demo.end(signal.SIGINT) == 0, demo.output


def test_a_signal_while_the_kernel_starts_ends_it_too():
    demo = Demo()
    with demo.process:
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(demo.family()) < 2:
            assert time.monotonic() < deadline
            with contextlib.suppress(subprocess.TimeoutExpired):
                demo.process.wait(0.02)
        family = demo.family()
        assert demo.end(signal.SIGINT) == 0, demo.output
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def test_a_taken_port_is_an_error_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo = Demo("--port", str(taken.getsockname()[1]))
        with demo.process:
            output = demo.process.communicate(timeout=START_TIMEOUT_S)[0]
    assert demo.process.returncode == 1
    assert "in use" in output
    assert "Traceback" not in output


def test_an_unknown_kernel_names_those_there_are():
    demo = Demo("--kernel", "nope")
    with demo.process:
        output = demo.process.communicate(timeout=START_TIMEOUT_S)[0]
    assert demo.process.returncode == 1
    assert "python3" in output


def test_the_kernel_is_attached_and_documented_names_do_not_warn(demo):
    with demo.client().socket() as page:
        code = (
            "from ipykernel.comm import Comm; c = Comm('page')\n"
            "print(type(get_ipython().kernel.comm_manager).__module__)"
        )
        about = page.until_idle(page.send("execute_request", {"code": code, "silent": False}))
        printed = {m.content["name"]: m.content["text"] for m in about if m.msg_type == "stream"}
        assert printed == {"stdout": "tsushin.kernel.lenient\n"}
