"""Comms of targets registered by ``comm``'s names have ``comm``'s class, which does not get in the way."""

from __future__ import annotations

from uuid import uuid4

from kernel.peer import data_of

REGISTER = """
import gc
from comm.base_comm import BaseComm
def target(comm, msg):
    comm.send({"is": isinstance(comm, BaseComm), "ours": isinstance(comm, Comm), "primary": comm.primary})
kernel.comm_manager.register_target("t", target)
"""


def test_it_is_a_base_comm(kernel):
    kernel.run(REGISTER)
    assert data_of(kernel.open(uuid4().hex, "t")) == [{"is": True, "ours": True, "primary": False}]


def test_a_comm_of_a_target_registered_by_our_name_is_not(kernel):
    kernel.run(REGISTER + "tsushin.comm_manager().register_target('t', target)")
    assert data_of(kernel.open(uuid4().hex, "t")) == [{"is": False, "ours": True, "primary": False}]


def test_it_is_not_closed_by_being_garbage(kernel):
    kernel.run(REGISTER)
    comm_id = uuid4().hex
    kernel.open(comm_id, "t")
    messages = kernel.run(f"kernel.comm_manager.comms[{comm_id!r}].__del__(); gc.collect()")
    assert [m for m in messages if m["msg_type"] == "comm_close"] == []
    assert kernel.value(f"{comm_id!r} in kernel.comm_manager.comms") is True


def test_closing_it_tells_the_peer_once(kernel):
    kernel.run(REGISTER)
    comm_id = uuid4().hex
    kernel.open(comm_id, "t")
    messages = kernel.run(
        f"c = kernel.comm_manager.comms[{comm_id!r}]; c.close({{'why': 1}}); c.close()"
    )
    [close] = [m for m in messages if m["msg_type"] == "comm_close"]
    assert close["content"]["data"] == {"why": 1}
