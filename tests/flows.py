"""The two documented flows, at a frontend and a real kernel: open, messages, metadata, buffers, close.

``python`` in the kernel: stock ``ipykernel.comm``, or tsushin's own end.
"""

from __future__ import annotations

import ast
import hashlib
from itertools import count

SIZES = (0, 64 * 1024, 5 * 1024 * 1024)
PYTHON = ("ipykernel.comm", "tsushin")
WAIT_S = 15

_numbers = count(1)

KERNEL = """
import hashlib, tsushin
def made(salt):
    return [bytes((i * 7 + salt) % 251 for i in range(251)) * (size // 251 + 1) for size in SIZES]
def buffers(salt):
    return [b[:size] for b, size in zip(made(salt), SIZES)]
def seen_of(msg):
    digests = [hashlib.sha256(b).hexdigest() for b in msg["buffers"]]
    return msg["content"].get("data"), msg["metadata"].get("m"), digests
log = []
"""


def buffers(salt):
    made = (bytes((i * 7 + salt) % 251 for i in range(251)) * (size // 251 + 1) for size in SIZES)
    return [b[:size] for b, size in zip(made, SIZES, strict=True)]


def digests(salt):
    return [hashlib.sha256(b).hexdigest() for b in buffers(salt)]


def check(msg, data, metadata, salt):
    """Compare a message that arrived here with what the kernel sent, buffers byte for byte."""
    assert msg["content"]["data"] == data
    assert msg["metadata"]["m"] == metadata
    assert [bytes(b) == sent for b, sent in zip(msg["buffers"], buffers(salt), strict=True)] == [
        True,
        True,
        True,
    ]


async def value(fe, expression):
    """Return the value of a Python expression in the kernel, a literal."""
    return ast.literal_eval((await fe.execute(expression)).result)


async def prepare(fe, python):
    if python == "tsushin":
        await fe.execute("import tsushin.kernel; tsushin.kernel.attach()")
    else:
        await fe.execute("import tsushin.kernel; tsushin.kernel.detach()")
    await fe.execute(f"SIZES = {SIZES}\n{KERNEL}\nfrom {python} import Comm")


async def kernel_opens(fe, python):
    """The kernel opens, both send, the kernel closes; returns the comm."""
    await prepare(fe, python)
    target = f"flow {next(_numbers)}"
    opened = fe.expect_open(target, timeout=WAIT_S)
    await fe.execute(
        f"c = Comm(target_name={target!r}, data={{'n': 1}}, metadata={{'m': 'open'}}, buffers=buffers(1))\n"
        "def on_msg(msg):\n"
        "    log.append(seen_of(msg))\n"
        "    c.send({'n': 3}, metadata={'m': 'answer'}, buffers=buffers(3))\n"
        "c.on_msg(on_msg)\n"
    )
    comm = await opened
    closes = []
    comm.on_close(closes.append)
    check(comm.open_msg, {"n": 1}, "open", 1)
    answer = comm.expect_msg(WAIT_S)
    comm.send({"n": 2}, metadata={"m": "msg"}, buffers=buffers(2))
    check(await answer, {"n": 3}, "answer", 3)
    assert await value(fe, "log") == [({"n": 2}, "msg", digests(2))]
    await fe.execute("c.close({'n': 4}, metadata={'m': 'close'}, buffers=buffers(4))")
    (close,) = closes
    check(close, {"n": 4}, "close", 4)
    assert (comm.closed, comm.closed_by) == (True, "there")
    assert comm.comm_id not in await fe.comms()
    return comm


async def frontend_opens(fe, python):
    """The frontend opens to a target registered in the kernel, both send, the frontend closes."""
    await prepare(fe, python)
    target = f"flow {next(_numbers)}"
    await fe.execute(
        "def opened(comm, msg):\n"
        "    log.append(seen_of(msg))\n"
        "    def on_msg(msg):\n"
        "        log.append(seen_of(msg))\n"
        "        comm.send({'n': 3}, metadata={'m': 'answer'}, buffers=buffers(3))\n"
        "    comm.on_msg(on_msg)\n"
        "    comm.on_close(lambda msg: log.append(('closed', *seen_of(msg))))\n"
        f"get_ipython().kernel.comm_manager.register_target({target!r}, opened)\n"
    )
    comm = fe.comm_manager.new_comm(target, {"n": 1}, {"m": "open"}, buffers(1))
    closes = []
    comm.on_close(closes.append)
    answer = comm.expect_msg(WAIT_S)
    comm.send({"n": 2}, metadata={"m": "msg"}, buffers=buffers(2))
    check(await answer, {"n": 3}, "answer", 3)
    assert (await fe.comms(target))[comm.comm_id] == {"target_name": target}
    comm.close({"n": 4}, metadata={"m": "close"}, buffers=buffers(4))
    comm.close()
    assert await value(fe, "log") == [
        ({"n": 1}, "open", digests(1)),
        ({"n": 2}, "msg", digests(2)),
        ("closed", {"n": 4}, "close", digests(4)),
    ]
    assert closes == []  # not for one's own close
    assert comm.comm_id not in await fe.comms()


async def the_other_end_closes(fe, python):
    """Each end closes, with buffers, what the other has opened; ``on_close`` runs once, and only there."""
    await prepare(fe, python)
    target = f"flow {next(_numbers)}"
    opened = fe.expect_open(target, timeout=WAIT_S)
    await fe.execute(
        "def on_close(msg): log.append(seen_of(msg))\n"
        "def opened(comm, msg): globals().update(c=comm)\n"
        f"get_ipython().kernel.comm_manager.register_target({target!r}, opened)\n"
        f"d = Comm(target_name={target!r})\n"
        "d.on_close(on_close)"
    )
    theirs, closes = await opened, []
    theirs.on_close(closes.append)
    theirs.close({"n": 5}, {"m": "close"}, buffers(5))
    theirs.close()
    assert await value(fe, "log") == [({"n": 5}, "close", digests(5))]
    ours = fe.comm_manager.new_comm(target)
    ours.on_close(closes.append)
    await fe.execute(
        "c.on_close(on_close)\nc.close({'n': 6}, metadata={'m': 'close'}, buffers=buffers(6))"
    )
    (close,) = closes
    check(close, {"n": 6}, "close", 6)
    assert (theirs.closed_by, ours.closed_by) == ("here", "there")
    assert await value(fe, "len(log)") == 1
    assert not {theirs.comm_id, ours.comm_id} & set(await fe.comms())
