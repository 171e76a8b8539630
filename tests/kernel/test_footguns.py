"""What goes wrong with ipykernel's own comms, and does not with ours: FACTS, "Bugs of ipykernel and comm".

Each case is seen in both: a kernel without us has to show the fault, or the case proves nothing any more.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from kernel.peer import data_of, of_type, printed, started

STOCK = """
import comm, gc, threading, time
from comm import create_comm
kernel = get_ipython().kernel
manager, seen = kernel.comm_manager, []
def make(target_name, **options):
    return create_comm(target_name=target_name, **options)
"""
OURS = """
import gc, threading, time
make = Comm
"""


@pytest.fixture(scope="module")
def stock_kernel():
    with started(prepare=STOCK, env={"TSUSHIN_DISABLE": "1"}) as peer:
        yield peer


@pytest.fixture
def stock(stock_kernel):
    stock_kernel.run("seen.clear()")
    stock_kernel.kept.clear()
    return stock_kernel


@pytest.fixture
def ours(kernel):
    kernel.run(OURS)
    return kernel


def both(stock, ours, see):
    """Return what ``see`` sees in each."""
    return see(stock), see(ours)


def new_id():
    return uuid4().hex


def types(messages):
    return [m["msg_type"] for m in messages if m["msg_type"].startswith("comm_")]


def test_1_a_duplicate_open_does_not_split_a_live_comm(stock, ours):
    def see(kernel):
        comm_id = new_id()
        kernel.run("""
def target(comm, msg):
    seen.append(comm)
    comm.on_msg(lambda msg: comm.send({"heard": 1}))
manager.register_target("t", target)
""")
        kernel.open(comm_id, "t")
        kernel.open(comm_id, "t")
        closes = of_type(kernel.run("seen.pop(0); gc.collect()"), "comm_close")
        return len(closes), data_of(kernel.msg(comm_id))

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw[0] == 1  # the peer is told that the live comm is closed
    assert ours_saw == (0, [{"heard": 1}])


def test_2_system_exit_in_a_handler_does_not_end_the_kernel(ours):
    with started(prepare=STOCK, env={"TSUSHIN_DISABLE": "1"}) as stock:
        comm_id = opened(stock, "def on_msg(msg): raise SystemExit")
        stock.send("comm_msg", {"comm_id": comm_id, "data": {}})
        assert stock.manager.provisioner.process.wait(20) is not None
    ours.msg(opened(ours, "def on_msg(msg): raise SystemExit"))
    assert ours.value("1 + 1") == 2


def opened(kernel, on_msg):
    """Open a comm in the kernel whose handler is ``on_msg``; return its id."""
    kernel.run(f"{on_msg}\nc = make('x')\n_ = c.on_msg(on_msg)")
    return kernel.value("c.comm_id")


def test_3_comm_info_is_answered_whatever_happens_to_comms_meanwhile(stock, ours):
    def see(kernel):
        kernel.run("""
class Meanwhile:  # as another thread would
    comm_id, _closed = "meanwhile", True
    @property
    def target_name(self):
        manager.comms[str(len(manager.comms))] = self
        return "x"
    def handle_msg(self, msg): ...
    def handle_close(self, msg): ...
manager.comms["meanwhile"] = Meanwhile()
""")
        asked = kernel.send("comm_info_request", {"target_name": "x"})
        kernel.until_idle(asked)
        kernel.run("""
for comm_id in [i for i, c in manager.comms.items() if type(c) is Meanwhile]:
    del manager.comms[comm_id]
""")
        return asked

    see(stock)  # nothing comes, neither now nor before the answer to the next request
    assert stock.reply(stock.client.kernel_info())["msg_type"] == "kernel_info_reply"
    assert "comms" in ours.reply(see(ours))["content"]


def test_4_what_is_overwritten_after_send_was_sent_as_it_was(stock, ours):
    def see(kernel):
        messages = kernel.run("""
c = make("x")
big = bytearray(b"a" * 5_000_000)
c.send({"n": 1}, buffers=[big])
big[:] = b"b" * 5_000_000
""")
        [sent] = of_type(messages, "comm_msg")
        return bytes(sent["buffers"][0][-10:])

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == b"b" * 10
    assert ours_saw == b"a" * 10


@pytest.mark.parametrize(
    ("value", "becomes"),  # NaN: None where orjson is installed
    [("float('nan')", ["nan", None]), ("{1}", [[1]]), ("{(1, 2): 3}", [])],
)
def test_5_values_that_json_cannot_carry_are_refused_not_changed(stock, ours, value, becomes):
    def see(kernel):
        kernel.run("c = make('x')")
        messages = kernel.run(f"""
try:
    c.send({{"v": {value}}})
except (TypeError, ValueError) as error:
    print(type(error).__name__)
""")
        return data_of(messages), printed(messages).splitlines()

    stock_saw, ours_saw = both(stock, ours, see)
    if becomes:
        assert stock_saw[0] in [[{"v": other}] for other in becomes]
    assert ours_saw == ([], ["TypeError"])


def test_6_a_thread_sends_under_the_cell_that_made_the_comm(stock, ours):
    def see(kernel):
        cell = kernel.client.execute("""
c, go = make("x"), threading.Event()
thread = threading.Thread(target=lambda: (go.wait(10), c.send({"from": "thread"})))
thread.start()
""")
        kernel.until_idle(cell)
        kernel.kept.clear()
        kernel.run("go.set(); thread.join()")
        found = [m for m in kernel.kept if m["msg_type"] == "comm_msg"]
        sent = found[0] if found else None
        return sent is not None and sent["parent_header"]["msg_id"] == cell

    assert both(stock, ours, see) == (False, True)


def test_7_the_peer_is_told_why_a_comm_was_closed(stock, ours):
    def see(kernel):
        kernel.run("def fails(comm, msg): 1 / 0\nmanager.register_target('fails', fails)")
        kernel.run("manager.register_target('closes', lambda comm, msg: comm.close())")
        metadata = []
        for target in ("nobody", "fails", "closes"):
            [close] = of_type(kernel.open(new_id(), target), "comm_close")
            metadata.append(close["metadata"].get("tsushin", {}).get("error", {}).get("code"))
        return metadata

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == [None, None, None]
    assert ours_saw == ["unknown_target", "remote_error", None]


def test_8_a_comm_outlives_the_subshell_it_was_used_on(stock, ours):
    def see(kernel):
        kernel.send("create_subshell_request", {}, channel="control")
        subshell = kernel.client.get_control_msg(timeout=10)["content"]["subshell_id"]
        comm_id = opened(
            kernel, "def on_msg(msg): seen.append(msg['content']['data']); c.send({'back': 1})"
        )
        header = {"subshell_id": subshell}
        kernel.send("comm_msg", {"comm_id": comm_id, "data": {"n": 1}}, header=header)
        kernel.wait(lambda m: data_of([m]) == [{"back": 1}])
        kernel.send("delete_subshell_request", header, channel="control")
        kernel.client.get_control_msg(timeout=10)
        kernel.send("comm_msg", {"comm_id": comm_id, "data": {"n": 2}}, header=header)
        kernel.value("1")  # it has been there
        return kernel.value("[s['n'] for s in seen]")

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == [1]
    assert ours_saw == [1, 2]


def test_9_nothing_is_kept_of_what_was_sent(stock, ours):
    def see(kernel):
        kept = "sum(len(v) for v in vars(c).values() if isinstance(v, dict))"
        kernel.run(f"c = make('x'); before = {kept}")
        kernel.run("for n in range(100): c.send({'content': {'id': str(n)}})")
        return kernel.value(f"{kept} - before")

    assert both(stock, ours, see) == (100, 0)


def test_10_what_was_printed_before_a_send_comes_before_it(stock, ours):
    def see(kernel):
        messages = kernel.run("c = make('x')\nfor n in range(20): print(n); c.send({'n': n})")
        order = [m["msg_type"] for m in messages if m["msg_type"] in ("stream", "comm_msg")]
        return order == ["stream", "comm_msg"] * 20

    assert both(stock, ours, see) == (False, True)


def test_11_a_kernel_that_shuts_down_closes_its_comms():
    def see(peer):
        peer.run("c = make('x')")
        peer.kept.clear()
        peer.send("shutdown_request", {"restart": False}, channel="control")
        peer.client.get_control_msg(timeout=20)
        found = []
        while peer.client.iopub_channel.msg_ready() or not found:
            message = peer.client.get_iopub_msg(timeout=5)
            found.append(message["msg_type"])
            if message["content"].get("execution_state") == "idle":
                break
        return "comm_close" in found

    with started(prepare=STOCK, env={"TSUSHIN_DISABLE": "1"}) as peer:
        assert see(peer) is False
    with started() as peer:
        peer.run(OURS)
        assert see(peer) is True


def test_12_registering_returns_the_function_and_unregistering_heeds_it(stock, ours):
    def see(kernel):
        kernel.run("""
c = make("x")
def f(msg): ...
returned = c.on_msg(f) is f
manager.register_target("t", f)
try:
    manager.unregister_target("t", print)
    refused = False
except ValueError:
    refused = True
""")
        return kernel.value("(returned, refused)")

    assert both(stock, ours, see) == ((False, False), (True, True))


@pytest.mark.filterwarnings("ignore")
def test_13_async_handlers_are_awaited(stock, ours):
    def see(kernel):
        comm_id = opened(kernel, "async def on_msg(msg): seen.append('awaited')")
        kernel.msg(comm_id)
        return kernel.value("seen")

    assert both(stock, ours, see) == ([], ["awaited"])


def test_14_a_message_before_on_msg_is_not_dropped(stock, ours):
    def see(kernel):
        kernel.run("c = make('x')")
        kernel.msg(kernel.value("c.comm_id"), {"n": 1})
        kernel.run("_ = c.on_msg(lambda msg: seen.append(msg['content']['data']))")
        return kernel.value("seen")

    assert both(stock, ours, see) == ([], [{"n": 1}])


def test_15_after_close_nothing_is_sent_and_an_open_is_not_repeated(stock, ours):
    def see(kernel):
        messages = kernel.run("""
c = make("x")
for verb in ("open", "close", "send"):
    try:
        getattr(c, verb)({})
    except Exception as error:
        print(type(error).__name__)
""")
        return types(messages), printed(messages).split()

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == (["comm_open", "comm_open", "comm_close", "comm_msg"], [])
    assert ours_saw == (["comm_open", "comm_close"], ["DuplicateComm", "CommClosed"])


@pytest.mark.parametrize("make", ["make", "create_comm"])
def test_17_events_stay_pairs_after_an_error(stock, ours, make):
    def see(kernel):
        kernel.run(f"""
import comm
from comm import create_comm
c = make("x") if "{make}" == "make" else create_comm(target_name="x")
_ = c.on_msg(lambda msg: 1 / 0)
events = []
pre, post = (lambda: events.append("pre")), (lambda: events.append("post"))
get_ipython().events.register("pre_execute", pre)
get_ipython().events.register("post_execute", post)
""")
        comm_id = kernel.value("c.comm_id")
        kernel.run("events.clear()")
        kernel.msg(comm_id)
        found = kernel.value("list(events)")
        kernel.run("""
get_ipython().events.unregister("pre_execute", pre)
get_ipython().events.unregister("post_execute", post)
""")
        return found.count("pre") - found.count("post")

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == ours_saw + 1


def test_19719_a_figure_of_a_running_cell_is_not_disturbed_by_a_handler(stock, ours):
    """jupyterlab#19719: a page's comm on a subshell, its handler plotting beside a plotting cell."""

    def see(kernel):
        comm_id = new_id()
        kernel.run("""
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
def target(comm, msg):
    def on_msg(msg):
        plt.figure()
        plt.title("of the handler")
        seen.append(threading.current_thread() is threading.main_thread())
        comm.send({"done": 1})
    comm.on_msg(on_msg)
manager.register_target("plot", target)
""")
        kernel.send("create_subshell_request", {}, channel="control")
        subshell = kernel.client.get_control_msg(timeout=10)["content"]["subshell_id"]
        header = {"subshell_id": subshell}
        kernel.open(comm_id, "plot", header=header)
        cell = kernel.client.execute("""
mine, plots = plt.figure(), 0
print("plots")
until = time.monotonic() + 1
while time.monotonic() < until:
    plt.plot([1, 2]); plt.title("of the cell"); plots += 1
    time.sleep(0.01)
own = sum(len(axes.lines) for axes in mine.axes)
""")
        kernel.wait(lambda m: m["msg_type"] == "stream")
        kernel.send("comm_msg", {"comm_id": comm_id, "data": {}}, header=header)
        kernel.until_idle(cell)
        kernel.wait(lambda m: data_of([m]) == [{"done": 1}])
        whole = kernel.value("own == plots")
        kernel.run("plt.close('all')")
        kernel.send("delete_subshell_request", header, channel="control")
        kernel.client.get_control_msg(timeout=10)
        return whole, kernel.value("seen")

    stock_saw, ours_saw = both(stock, ours, see)
    assert stock_saw == (False, [False])
    assert ours_saw == (True, [True])
