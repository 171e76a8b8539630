"""Comms carried by another kernel's own: over the ``comm`` package's classes, as such kernels make them."""

from __future__ import annotations

import sys
from types import ModuleType

import comm
import pytest
from comm.base_comm import BaseComm
from comm.base_comm import CommManager as Registry

from tsushin.errors import CommClosed, LocalProtocolError, NoPeer
from tsushin.kernel.provided import ProvidedManager, provided_manager, running_provider


class Provider(ModuleType):
    """A kernel's provider: comms publish into a list, and messages come through its registry."""

    def __init__(self):
        super().__init__("provider")
        self.registry, self.published = Registry(), []
        provider = self

        class Carrier(BaseComm):
            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                provider.published.append((msg_type, self.comm_id, data, metadata, buffers))

        self.create_comm = Carrier

    def get_comm_manager(self):
        return self.registry

    def arrive(self, msg_type, comm_id, data=None, metadata=None, **keys):
        """Let a message of the page come in."""
        header = {"msg_id": "m", "msg_type": msg_type, "session": "page"}
        content = {"comm_id": comm_id, "data": data or {}, **keys}
        parts = {"header": header, "parent_header": {}, "metadata": metadata or {}}
        msg = {**parts, "content": content, "buffers": []}
        getattr(self.registry, msg_type)(None, None, msg)


@pytest.fixture
def provider(monkeypatch):
    provider = Provider()
    # BaseComm registers itself through the package's function.
    monkeypatch.setattr(comm, "get_comm_manager", provider.get_comm_manager)
    monkeypatch.setattr(comm, "create_comm", provider.create_comm)
    return provider


@pytest.fixture
def manager(provider):
    return ProvidedManager(provider)


def test_what_we_open_send_and_close_goes_by_the_providers_comm(provider, manager):
    one = manager.new_comm("t", {"a": 1}, {"m": 2}, [b"x"], "c1")
    one.send({"n": 1})
    one.close({"bye": 1})
    assert [sent[:3] for sent in provider.published] == [
        ("comm_open", "c1", {"a": 1}),
        ("comm_msg", "c1", {"n": 1}),
        ("comm_close", "c1", {"bye": 1}),
    ]
    assert provider.published[0][3:] == ({"m": 2}, [b"x"])


def test_messages_of_the_page_reach_the_handler_and_its_close_ends_the_comm(provider, manager):
    one, seen = manager.new_comm("t"), []
    one.on_msg(lambda msg: seen.append(msg["content"]["data"]))
    one.on_close(lambda msg: seen.append("closed"))
    provider.arrive("comm_msg", one.comm_id, {"n": 1})
    provider.arrive("comm_close", one.comm_id)
    assert seen == [{"n": 1}, "closed"]
    with pytest.raises(CommClosed):
        one.send({})


def test_the_page_opens_to_a_target_of_ours(provider, manager):
    @manager.register_target("echo")
    def echo(one, msg):
        one.on_msg(lambda m: one.send({"back": m["content"]["data"]}))

    provider.arrive("comm_open", "c1", {"hello": 1}, target_name="echo")
    provider.arrive("comm_msg", "c1", {"n": 1})
    assert provider.published[-1][:3] == ("comm_msg", "c1", {"back": {"n": 1}})


def test_a_target_that_raises_closes_the_comm(provider, manager, capsys):
    manager.register_target("fails", lambda one, msg: 1 / 0)
    provider.arrive("comm_open", "c1", target_name="fails")
    assert provider.published[-1][:2] == ("comm_close", "c1")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_unregistered_target_is_the_providers_again(provider, manager):
    manager.register_target("t", print)
    manager.unregister_target("t")
    assert provider.registry.targets == {}


def test_an_expected_open_arrives(provider, manager):
    expected = manager.expect_open("t")
    provider.arrive("comm_open", "c1", target_name="t")
    assert expected.result(0).comm_id == "c1"


def test_messages_are_kept_until_somebody_polls(provider, manager):
    one = manager.new_comm("t")
    provider.arrive("comm_msg", one.comm_id, {"n": 1})
    assert [m["content"]["data"] for m in one.poll()] == [{"n": 1}]


def test_binary_in_data_arrives(provider, manager):
    one = manager.new_comm("t")
    one.send({"raw": b"abc"})
    assert provider.published[-1][2:] == (
        {"raw": None},
        {"tsushin": {"bin": [{"path": ["raw"], "buffer": 0, "kind": "bytes"}]}},
        [b"abc"],
    )


async def test_async_handlers_are_awaited(provider, manager):
    one, seen = manager.new_comm("t"), []

    async def on_msg(msg):
        seen.append("awaited")

    one.on_msg(on_msg)
    provider.arrive("comm_msg", one.comm_id)
    for task in list(manager.runtime._tasks):
        await task
    assert seen == ["awaited"]


def test_async_handlers_are_awaited_where_no_loop_runs(provider, manager):
    one, seen = manager.new_comm("t"), []

    async def on_msg(msg):
        seen.append("awaited")

    one.on_msg(on_msg)
    provider.arrive("comm_msg", one.comm_id)
    assert seen == ["awaited"]


def test_a_provider_that_gives_ids_of_its_own_is_understood(provider, manager):
    made = provider.create_comm
    provider.create_comm = lambda *, comm_id, **options: made(comm_id=f"own-{comm_id}", **options)
    one, seen = manager.new_comm("t", comm_id="c1"), []
    one.on_msg(lambda msg: seen.append(msg["content"]["comm_id"]))
    one.on_close(lambda msg: seen.append("closed"))
    provider.arrive("comm_msg", "own-c1", {"n": 1})
    provider.arrive("comm_close", "own-c1")
    assert seen == ["c1", "closed"]
    assert (manager._ids, manager._carriers) == ({}, {})


def test_a_wait_that_could_not_end_is_refused(manager):
    one = manager.new_comm("t")
    with pytest.raises(LocalProtocolError, match="between cells"):
        one.request_sync("x")


def test_an_answer_ends_a_request(provider, manager):
    one = manager.new_comm("t")
    answer = one.request("x")
    req = provider.published[-1][3]["tsushin"]["req"]
    error = {"name": "no_handler", "message": "none"}
    provider.arrive("comm_msg", one.comm_id, metadata={"tsushin": {"re": req, "error": error}})
    with pytest.raises(NoPeer):
        answer.result(0)


@pytest.mark.parametrize(
    ("module", "name"),
    [("async_kernel.comm", "async-kernel"), ("xeus_python_shell", "xeus-python")],
)
def test_a_provider_is_known_by_its_module(provider, monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert running_provider() == name
    assert provided_manager() is provided_manager()


def test_another_provider_and_none_are_left_alone(provider, monkeypatch):
    assert running_provider() is None
    monkeypatch.setattr(comm, "get_comm_manager", comm._get_comm_manager)
    monkeypatch.setitem(sys.modules, "async_kernel.comm", ModuleType("async_kernel.comm"))
    assert running_provider() is None
