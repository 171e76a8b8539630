"""JupyterLab's own client, in Node, against ``tsushin.serve``: both documented flows."""

from __future__ import annotations

import json
import os
import subprocess
import threading

import pytest

from node import TEST_FOLDER as FOLDER
from tsushin.kernel.process import ProcessKernel
from tsushin.server import serve

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

TIMEOUT_S = 20
BUFFERS = [b"", bytes(range(256)) * 256, os.urandom(5 << 20)]


@pytest.fixture
def manager():
    return ProcessKernel().manager


@pytest.fixture
def services(node, manager):
    """Run a scenario of services.mjs; yields a function that reads its next line."""
    with serve(manager, block=False) as serving:
        started = []

        def run(scenario):
            process = subprocess.Popen(
                [node, FOLDER / "services.mjs", serving.url, serving.token, scenario],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            killer = threading.Timer(TIMEOUT_S, process.kill)
            killer.start()
            started.append((process, killer))

            def next_line():
                line = process.stdout.readline()
                assert line, process.stderr.read()
                return json.loads(line)

            return next_line

        yield run
        for process, killer in started:
            with process:
                assert process.wait(TIMEOUT_S) == 0, process.stderr.read()
            killer.cancel()


def test_the_page_opens_and_closes(services, manager):
    opened, closed, is_closed = [], [], threading.Event()

    @manager.register_target("kernel-echo")
    def echo(comm, msg):
        opened.append((msg["content"]["data"], msg["metadata"]))
        comm.on_msg(lambda m: comm.send(m["content"]["data"], m["metadata"], m["buffers"]))

        @comm.on_close
        def on_close(m):
            closed.append(m["content"]["data"])
            is_closed.set()

    sizes = [len(buffer) for buffer in BUFFERS]
    answer = services("pageOpens")()
    assert answer == {"data": {"n": 1}, "metadata": {"m": 2}, "sizes": sizes, "same": [True] * 3}
    assert is_closed.wait(TIMEOUT_S)
    assert (opened, closed) == ([({"x": 1}, {"opened": True})], [{"bye": 1}])
    assert manager.comms == {}


def test_the_process_opens_and_closes(services, manager):
    next_line = services("kernelOpens")
    assert next_line() == "registered"
    comm = manager.new_comm("page-echo", {"hello": 1})
    answer = comm.expect_msg(TIMEOUT_S)
    comm.send({"n": 1}, {"m": [2]}, BUFFERS)
    assert next_line() == {"opened": {"hello": 1}}
    back = answer.result()
    assert (back["content"]["data"], back["metadata"]) == ({"n": 1, "seen": True}, {"m": [2]})
    assert [bytes(buffer) for buffer in back["buffers"]] == BUFFERS
    comm.close({"bye": 2})
    assert next_line() == {"closed": {"bye": 2}}


def test_either_end_closes_what_the_other_has_opened(services, manager):
    closes, is_closed = [], threading.Event()

    @manager.register_target("closed-by-process")
    def close_and_open(comm, msg):
        comm.close({"bye": "process"})

        @manager.new_comm("page-closes").on_close
        def on_close(m):
            closes.append(m["content"]["data"])
            is_closed.set()

    answer = services("crossing")()
    assert answer == {"closes": [{"bye": "process"}], "isDisposed": [True, True]}
    assert is_closed.wait(TIMEOUT_S)
    assert (closes, manager.comms) == ([{"bye": "page"}], {})


def test_what_the_client_asks_of_every_kernel_is_answered(services):
    assert services("questions")() == {
        "implementation": "tsushin",
        "comms": {},
        "execute": "NotSupported",
        "matches": [],
        "status": "idle",
        "same_kernel": True,
    }
