"""marimo itself runs in tests/browser/test_bridge_marimo.py; here is its context, which it really makes."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import pytest

import tsushin
from kernel.host_comm import install
from tsushin.kernel import bridge, host
from tsushin.kernel import marimo as module
from tsushin.kernel.widget_model import VIEW


@pytest.fixture
def made(monkeypatch, tmp_path):
    source = tmp_path / "bridge.js"
    source.write_text("the module")
    monkeypatch.setattr(bridge, "MODULE", source)
    return install(monkeypatch)


@pytest.fixture
def enter(monkeypatch, made):
    """Be in a marimo notebook, of a session of one's own."""
    runtime = ModuleType("marimo._runtime.context")
    runtime.ContextNotInitializedError = RuntimeError
    monkeypatch.setitem(sys.modules, "marimo._runtime.context", runtime)

    def enter(context=None):
        context = context or SimpleNamespace(parent=None)
        runtime.get_context = lambda: context
        return context

    def leave():
        raise runtime.ContextNotInitializedError

    runtime.get_context = leave
    return enter


async def test_outside_of_a_notebook_there_is_no_session(enter):
    assert module.running_session() is None


def test_a_script_without_a_loop_has_none(enter):
    enter()
    assert module.running_session() is None


async def test_a_comm_belongs_to_the_session_and_shows_its_bridge(enter, made):
    enter()
    comm = tsushin.Comm("target")
    assert comm in tsushin.comm_manager().comms.values()
    assert comm._repr_mimebundle_()[VIEW]["model_id"] == made[0].comm_id
    assert tsushin.bridge() is module.running_session().bridge


async def test_sessions_share_nothing(enter):
    first_context = enter()
    first = tsushin.comm_manager()
    enter()
    assert tsushin.comm_manager() is not first
    enter(first_context)
    assert tsushin.comm_manager() is first


async def test_an_embedded_notebook_has_the_comms_of_the_one_around_it(enter):
    outer = enter()
    manager = tsushin.comm_manager()
    enter(SimpleNamespace(parent=outer))
    assert tsushin.comm_manager() is manager


async def test_a_page_opens_a_comm_and_is_answered(enter, made):
    enter()
    manager = tsushin.comm_manager()
    tsushin.bridge().show()
    head = {"tsushin": 1, "page": "p"}
    made[0].custom({**head, "n": 0, "hello": True})
    header = {"msg_id": "m", "msg_type": "comm_open", "session": "page"}
    content = {"comm_id": "c", "target_name": "echo", "data": {"a": 1}}
    packed = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
    opening = {**head, "n": 1, "message": {**packed, "content": content}}
    opened = manager.expect_open("echo")
    # Handlers run on the session's loop all the same.
    await asyncio.to_thread(made[0].custom, opening)
    comm = await opened
    comm.send({"a": 1})
    sent = [c["message"] for c in made[0].customs if "message" in c]
    (answer,) = [m for m in sent if m["header"]["msg_type"] == "comm_msg"]
    assert answer["content"]["data"] == {"a": 1}


async def test_disabled_means_no_host(enter, monkeypatch):
    enter()
    monkeypatch.setenv("TSUSHIN_DISABLE", "1")
    with pytest.raises(tsushin.NoHost):
        tsushin.bridge()
    assert host.kernel_manager() is None
