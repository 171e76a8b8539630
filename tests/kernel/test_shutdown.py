"""A kernel that ends says goodbye on each comm of this package, and soon."""

from __future__ import annotations

import time

import pytest

from kernel.peer import WAIT_S, of_type

OPEN = (
    "import comm; mine = [Comm('x', comm_id=f'm{n}') for n in range(3)]; stock = comm.create_comm()"
)


def closed_until(peer, is_last):
    """Return the ids of the comm_close messages up to the one that ``is_last`` accepts."""
    seen = []
    while not seen or not is_last(seen):
        seen.append(peer.wait(lambda _: True))
    return {m["content"]["comm_id"]: m["metadata"] for m in of_type(seen, "comm_close")}


@pytest.mark.parametrize("restart", [False, True])
def test_a_shutdown_request_closes_comms_before_it_is_answered(fresh_kernel, restart):  # bug 11
    fresh_kernel.run(OPEN)
    fresh_kernel.send("shutdown_request", {"restart": restart}, channel="control")
    closed = closed_until(fresh_kernel, lambda seen: seen[-1]["msg_type"] == "shutdown_reply")
    reason = "the kernel restarts" if restart else "the kernel shuts down"
    assert closed == {f"m{n}": {"reason": reason} for n in range(3)}


def test_quit_closes_comms(fresh_kernel):  # bug 11
    fresh_kernel.run(OPEN)
    fresh_kernel.client.execute("quit()")
    closed = closed_until(fresh_kernel, lambda seen: len(of_type(seen, "comm_close")) == 3)
    assert set(closed) == {"m0", "m1", "m2"}
    assert closed["m0"] == {"reason": "the kernel's process ends"}


def test_closing_many_comms_is_bounded(fresh_kernel):
    fresh_kernel.run("kernel.log.setLevel('ERROR')\nfrom tsushin.kernel import shutdown")
    took = fresh_kernel.value("""[
        [shutdown.TIMEOUT_S, time.monotonic() - start]
        for time in [__import__("time")]
        for _ in [[Comm("x") for _ in range(200)], setattr(Comm, "close", lambda *a, **k: time.sleep(0.01))]
        for start in [time.monotonic()]
        if shutdown._close_all(tsushin.comm_manager(), kernel, "test") is None
    ][-1]""")
    assert took[0] == 0.5
    assert 0.5 <= took[1] < 0.9


def test_a_forked_child_closes_nothing_of_its_parents(fresh_kernel):
    fresh_kernel.run(OPEN)
    messages = fresh_kernel.run("""
import atexit, os, signal, warnings
warnings.simplefilter("ignore")
pid = os.fork()
if pid == 0:
    signal.alarm(1)  # ends the child should ipykernel's own exit functions hang in it
    atexit._run_exitfuncs()  # what sys.exit() runs
    os._exit(0)
gone = os.waitpid(pid, 0)
""")
    assert of_type(messages, "comm_close") == []
    assert set(fresh_kernel.comm_info()) >= {"m0", "m1", "m2"}


def test_detached_a_kernel_shuts_down_as_stock(fresh_kernel):
    fresh_kernel.run(OPEN + "\ntsushin.kernel.detach()")
    fresh_kernel.send("shutdown_request", {"restart": False}, channel="control")
    closed = closed_until(fresh_kernel, lambda seen: seen[-1]["msg_type"] == "shutdown_reply")
    assert closed == {}
    until = time.monotonic() + WAIT_S
    while fresh_kernel.manager.is_alive() and time.monotonic() < until:
        fresh_kernel.manager.provisioner.process.wait(WAIT_S)
    assert not fresh_kernel.manager.is_alive()
