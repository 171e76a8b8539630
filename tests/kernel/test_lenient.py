"""The names of the ``comm`` package: the same registry, and its lenient encoding."""

from __future__ import annotations

import base64
from uuid import uuid4

import pytest

from kernel.peer import data_of

REGISTER = """
import numpy, comm
def target(comm, msg):
    comm.send({"numpy": numpy.int64(3), "set": {1}, "bytes": b"raw", "nan": float("nan"), 1: "key"})
"""


@pytest.mark.parametrize(
    "register",
    [
        "kernel.comm_manager.register_target('t', target)",
        "comm.get_comm_manager().register_target('t', target)",
        "kernel.comm_manager.register_target('t')(target)",
    ],
)
def test_comms_of_such_a_target_send_what_stock_comms_send(kernel, register):
    kernel.run(REGISTER + register)
    [data] = data_of(kernel.open(uuid4().hex, "t"))
    assert base64.b64decode(data.pop("bytes")) == b"raw"
    assert data == {"numpy": 3, "set": [1], "nan": "nan", "1": "key"}


def test_comms_of_a_target_registered_by_our_name_stay_strict(kernel):
    kernel.run(REGISTER + "tsushin.comm_manager().register_target('t', target)")
    messages = kernel.open(uuid4().hex, "t")
    [error] = [m for m in messages if m["msg_type"] == "error"]
    assert error["content"]["ename"] == "TypeError"
    assert "data.set: JSON cannot carry set" in error["content"]["evalue"]


def test_registering_again_by_our_name_makes_it_strict(kernel):
    kernel.run(REGISTER + "kernel.comm_manager.register_target('t', target)")
    kernel.run("tsushin.comm_manager().register_target('t', target)")
    assert data_of(kernel.open(uuid4().hex, "t")) == []


def test_both_faces_show_one_registry(kernel):
    kernel.run("c = Comm('x'); kernel.comm_manager.register_target('t', print)")
    assert kernel.value("kernel.comm_manager.get_comm(c.comm_id) is c") is True
    assert kernel.value("'t' in tsushin.comm_manager().targets") is True
    kernel.run("kernel.comm_manager.unregister_target('t', print)")
    assert kernel.value("'t' in tsushin.comm_manager().targets") is False
