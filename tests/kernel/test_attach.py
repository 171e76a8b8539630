"""Attaching to a real ipykernel and letting go: by which calls, once, and without a trace after."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kernel.peer import data_of, of_type, printed, started
from tsushin import NoHost
from tsushin.kernel import attach, attach_if_kernel, detach

# What attaching may change, as things that can be compared.
STATE = """
import comm
def state():
    return [
        kernel.comm_manager, comm.get_comm_manager, comm.create_comm, comm.get_comm_manager(),
        *(kernel.shell_handlers[t] for t in sorted(kernel.shell_handlers)),
        *(kernel.control_handlers[t] for t in sorted(kernel.control_handlers)),
        kernel.do_shutdown, kernel.comm_manager.comms, kernel.comm_manager.targets,
    ]
before = state()
"""


def test_outside_a_kernel_there_is_nothing_to_attach_to():
    with pytest.raises(NoHost, match="no ipykernel runs in this process"):
        attach()
    assert attach_if_kernel() is None
    detach()


def test_attaching_twice_gives_the_same_manager(kernel):
    assert kernel.value("tsushin.kernel.attach() is tsushin.kernel.attach()") is True
    assert kernel.value("tsushin.comm_manager() is manager") is True
    assert kernel.value("kernel.comm_manager.comms is manager.comms") is True
    assert kernel.value("isinstance(manager, tsushin.CommManager)") is True


def test_importing_attaches_nothing_and_detach_leaves_no_trace(fresh_kernel):
    fresh_kernel.run(STATE)
    stock = fresh_kernel.value("type(kernel.comm_manager).__module__")
    assert stock == "ipykernel.comm.manager"
    fresh_kernel.run("attached = tsushin.kernel.attach()")
    assert fresh_kernel.value("kernel.comm_manager.comms is attached.comms") is True
    assert fresh_kernel.value("state() == before") is False
    fresh_kernel.run("tsushin.kernel.detach()")
    assert fresh_kernel.value("state() == before") is True
    assert fresh_kernel.value("'do_shutdown' in vars(kernel)") is False


@pytest.mark.parametrize(
    "code",
    [
        "from tsushin import Comm; Comm('x')",
        "import tsushin; tsushin.comm_manager()",
        "%load_ext tsushin",
    ],
)
def test_each_first_use_attaches(code):
    with started(prepare="kernel = get_ipython().kernel") as peer:
        assert peer.value("type(kernel.comm_manager).__module__") == "ipykernel.comm.manager"
        peer.run(code)
        assert peer.value("type(kernel.comm_manager).__module__") == "tsushin.kernel.lenient"


def test_unload_ext_detaches(detached_kernel):
    detached_kernel.run(STATE)
    detached_kernel.run("%load_ext tsushin")
    assert detached_kernel.value("state() == before") is False
    detached_kernel.run("%unload_ext tsushin")
    assert detached_kernel.value("state() == before") is True


def test_disabled_by_the_environment_nothing_attaches():
    with started(env={"TSUSHIN_DISABLE": "1"}) as peer:
        peer.run(STATE)
        messages = peer.run("""
%load_ext tsushin
for use in (tsushin.kernel.attach, lambda: Comm("x")):
    try:
        use()
    except tsushin.NoHost as error:
        print(error)
print(tsushin.comm_manager().comms is kernel.comm_manager.comms)
""")
        lines = printed(messages).splitlines()
        assert lines[0] == "TSUSHIN_DISABLE is set: nothing is attached"
        assert lines[-1] == "False"
        assert peer.value("state() == before") is True


def test_load_ext_in_a_plain_ipython_does_nothing():
    code = "%load_ext tsushin\nprint('still here')"
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert run.stdout.strip().endswith("still here")
    assert "Traceback" not in run.stdout + run.stderr


# ---------------------------------------------------------------------- what was there, what stays

STOCK = """
import warnings
import comm
import ipykernel.comm
warnings.simplefilter("ignore", DeprecationWarning)
def remember(name):
    return lambda msg: seen.append((name, msg["content"]["data"]))
def make(when):
    made = {
        f"{when} create_comm": comm.create_comm(target_name="x"),
        f"{when} ipykernel": ipykernel.comm.Comm(target_name="x"),
    }
    for name, one in made.items():
        one.on_msg(remember(name))
        one.on_close(remember(name + " closed"))
    return made
kept = make("before")
def target(comm, msg):
    comm.on_msg(lambda msg: comm.send({"echo": msg["content"]["data"]}))
kernel.comm_manager.register_target("stock", target)
"""


def test_comms_and_targets_made_before_and_after_share_one_registry(detached_kernel):
    detached_kernel.run(STOCK)
    detached_kernel.open("opened-before", "stock")
    detached_kernel.run("ours = Comm('x'); kept |= make('after')")
    ids = detached_kernel.value("{name: one.comm_id for name, one in kept.items()}")
    ours = detached_kernel.value("ours.comm_id")
    for number, comm_id in enumerate(ids.values()):
        detached_kernel.msg(comm_id, {"n": number})
        detached_kernel.close(comm_id, {"bye": number})
    assert detached_kernel.value("seen") == [
        seen
        for number, name in enumerate(ids)
        for seen in ((name, {"n": number}), (f"{name} closed", {"bye": number}))
    ]
    assert data_of(detached_kernel.msg("opened-before", {"n": 9})) == [{"echo": {"n": 9}}]
    detached_kernel.open("opened-after", "stock")
    assert data_of(detached_kernel.msg("opened-after", {"n": 8})) == [{"echo": {"n": 8}}]
    assert set(detached_kernel.comm_info()) == {"opened-before", "opened-after", ours}


def test_a_stock_comm_that_the_peer_closed_does_not_close_again_when_freed(detached_kernel):
    (opened,) = of_type(
        detached_kernel.run(
            "import comm; tsushin.kernel.attach(); one = comm.create_comm(target_name='x')"
        ),
        "comm_open",
    )
    detached_kernel.close(opened["content"]["comm_id"])
    messages = detached_kernel.run("import gc; del one; gc.collect()")
    assert of_type(messages, "comm_close") == []


def test_comms_open_at_detach_go_on_working(detached_kernel):
    detached_kernel.run("""
def target(comm, msg):
    globals().update(theirs=comm)
    comm.on_msg(lambda msg: comm.send(msg["content"]["data"]))
    comm.on_close(lambda msg: seen.append("closed"))
tsushin.kernel.attach().register_target("t", target)
mine = Comm("x", comm_id="mine")
""")
    detached_kernel.open("theirs", "t")
    detached_kernel.run("tsushin.kernel.detach()")
    assert data_of(detached_kernel.msg("theirs", {"n": 1})) == [{"n": 1}]
    assert set(detached_kernel.comm_info()) == {"mine", "theirs"}
    detached_kernel.close("theirs")
    assert detached_kernel.value("seen, theirs.closed_by") == (["closed"], "there")
    assert len(of_type(detached_kernel.run("mine.send({}); mine.close()"), "comm_close")) == 1
    assert detached_kernel.comm_info() == {}


def test_attaching_again_finds_the_same_comms(detached_kernel):
    detached_kernel.run("""
mine = Comm("x", comm_id="again")
mine.on_msg(lambda msg: seen.append(msg["content"]["data"]))
first = tsushin.comm_manager()
tsushin.kernel.detach()
""")
    detached_kernel.run("second = tsushin.kernel.attach()")
    assert detached_kernel.value("first is second and second.get_comm('again') is mine") is True
    detached_kernel.msg("again", {"n": 1})
    assert detached_kernel.value("seen") == [{"n": 1}]
