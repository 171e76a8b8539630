"""A document's comms over JupyterLab's own client, in Node, through a real Jupyter Server and kernel."""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
from pathlib import Path

import pytest

from node import TEST_FOLDER as FOLDER
from tsushin.frontend.rest import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

HOSTS = Path(__file__).parents[2] / "js" / "packages" / "core" / "dist" / "hosts.js"
TIMEOUT_S = 30


@pytest.fixture
def document(node, server):
    """Run a scenario of document.mjs with a kernel of its own; returns what it saw."""

    def run(scenario):
        kernel_id = asyncio.run(Server(server.url, token=server.token).start("python3"))
        arguments = [HOSTS.as_uri(), server.url, server.token, kernel_id, scenario]
        done = subprocess.run(
            [node, FOLDER / "document.mjs", *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_another_librarys_target_keeps_its_comms(document):
    assert document("foreign") == {
        "got": [{"hello": 1}, {"n": 1}, {"n": 2}],
        "kernel": [[[{"back": 1}, []], [{"back": 2}, []]], [], False],
        "ours": 0,
    }


def test_a_comm_that_comes_before_its_target_is_not_closed_but_delivered_later(document):
    assert document("early") == {
        "before": [[], False],
        "got": [{"hello": 1}, {"n": 1}, {"n": 2}],
        "after": [[[{"from": "page"}, []]], [], False],
    }


def test_a_part_of_an_array_arrives_as_that_part(document):
    seen = document("subview")
    assert seen["sent"] == struct.pack("<3f", 3, 4, 5).hex()
    assert seen["heard"] == [[{"copy": copy}, [seen["sent"]]] for copy in (True, False)]


def test_after_a_reload_the_kernels_comm_goes_on(document):
    assert document("reload") == {
        "same": True,
        "open": [{"hello": 1}, {"restored": True}],
        "answer": {"to": "the new page"},
        "kernel": [[[{"after": "reload"}, []]], []],
    }


def test_comms_start_no_subshells_in_the_kernel(document):
    assert document("subshells") == {"before": [], "heard": 3, "after": []}
