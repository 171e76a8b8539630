"""ipykernel's insides: found by what a kernel has, and left alone where they are not known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kernel.peer import data_of, printed, started
from tsushin.kernel.shell_channel import LoopShell, ThreadedShell, request_here, tap

ANY = SimpleNamespace()


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        (
            SimpleNamespace(
                shell_channel_thread=SimpleNamespace(asyncio_lock=None),
                shell_channel_thread_main=None,
            ),
            ThreadedShell,
        ),
        (SimpleNamespace(shell_channel_thread=None, schedule_dispatch=None), LoopShell),
        (SimpleNamespace(schedule_dispatch=None), LoopShell),
        (SimpleNamespace(shell_channel_thread=ANY, shell_channel_thread_main=None), type(None)),
        (SimpleNamespace(shell_channel_thread=ANY, schedule_dispatch=None), type(None)),
        (ANY, type(None)),
    ],
)
def test_a_kernel_is_known_by_what_it_has(kernel, kind):
    assert isinstance(tap(kernel, ANY), kind)


def test_without_a_known_channel_comms_work_as_ipykernel_delivers_them():
    with started(
        prepare="import tsushin; from tsushin import Comm; kernel = get_ipython().kernel"
    ) as peer:
        peer.run("""
import tsushin.kernel.shell_channel as channel
channel.ThreadedShell = lambda kernel, taker: None
manager = tsushin.comm_manager()
seen = []
c = Comm("x")
c.on_msg(lambda msg: (seen.append(1), c.send({"back": 1})))
""")
        comm_id = peer.value("c.comm_id")
        assert peer.value("manager.delivery.is_early") is False
        assert data_of(peer.msg(comm_id)) == [{"back": 1}]
        assert peer.value("tsushin.poll()") == 0
        assert comm_id in peer.comm_info()


@pytest.mark.parametrize("when", ["startup file", "cell"])
def test_it_is_tapped_whenever_attaching_happens(tmp_path, when):
    env = {"IPYTHONDIR": str(tmp_path)}
    attach = "import tsushin; manager = tsushin.comm_manager(); seen = []"
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    if when == "startup file":
        (startup / "attach.py").write_text(attach)
    with started(env=env, prepare="import time; kernel = get_ipython().kernel") as peer:
        if when == "cell":
            peer.run(attach)
        peer.run("c = tsushin.Comm('x'); c.on_msg(lambda msg: seen.append(1))")
        comm_id = peer.value("c.comm_id")
        cell = peer.client.execute("""
until = time.monotonic() + 8
print("runs")
while not seen and time.monotonic() < until:
    c.poll(); time.sleep(0.001)
print("heard" if seen else "deaf")
""")
        peer.wait(lambda m: m["msg_type"] == "stream")
        peer.send("comm_msg", {"comm_id": comm_id, "data": {}})
        assert "heard" in printed(peer.until_idle(cell))


def test_a_thread_of_the_user_works_on_no_request(kernel):
    messages = kernel.run("""
import threading
from tsushin.kernel.shell_channel import request_here
found = [request_here(kernel) is not None]
thread = threading.Thread(target=lambda: found.append(request_here(kernel) is not None))
thread.start(), thread.join()
print(found)
""")
    assert printed(messages) == "[True, False]\n"


def test_a_kernel_that_keeps_one_parent_for_all_has_it_on_the_main_thread():
    kernel = SimpleNamespace(get_parent=lambda: {"header": {}})
    assert request_here(kernel) == {"header": {}}


def test_what_was_printed_comes_before_what_is_sent_after_it(kernel):  # bug 10
    messages = kernel.run("c = Comm('x')\nfor n in range(20):\n    print(n); c.send({'n': n})")
    order = [m["content"] for m in messages if m["msg_type"] in ("stream", "comm_msg")]
    assert [c.get("text") or c["data"] for c in order] == [
        item for n in range(20) for item in (f"{n}\n", {"n": n})
    ]
