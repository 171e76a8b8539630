"""Plain pages and stock kernels: what arrives through a server of ours, and through the stock one."""

from __future__ import annotations

from functools import partial

import pytest
import traitlets.config
from jupyter_server.gateway.connections import GatewayWebSocketConnection
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from processes import STOCK
from server.jupyter.pages import connection, lines, page, rest, running, until
from tsushin.server.jupyter.connection import TsushinConnection, with_comms_free

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

MANY = 5000
# A kernel that knows nothing of us. It has a high-water mark too; this is about what the server does.
BURST = """
from comm import create_comm
kernel = get_ipython().kernel
kernel.iopub_thread.schedule(partial(setattr, kernel.iopub_thread.socket, "sndhwm", 0))
comm = create_comm("burst")
for n in range({many}):
    comm.send({{"n": n}})
"""
BURST = "from functools import partial\n" + BURST
# Messages a second: however slow the machine is, a burst is above it. In the window of 3 s there may be 60.
LOW = 20
LIMIT = {"ZMQChannelsWebsocketConnection.iopub_msg_rate_limit": LOW}
PRINTS = """
import sys
for n in range({many}):
    print("line", n)
    sys.stdout.flush()
"""


@pytest.fixture(scope="module")
def limited(run_server):
    """A server of ours with a limit that is soon reached."""
    with run_server(settings=LIMIT) as server:
        yield server


@pytest.mark.parametrize("subprotocol", ["v1.kernel.websocket.jupyter.org", None])
async def test_a_burst_of_comm_messages_passes_the_default_limits(server, kernel_id, subprotocol):
    async with page(server, kernel_id, subprotocol=subprotocol) as one:
        await one.run(BURST.format(many=MANY))
    assert one.numbers() == list(range(MANY))
    assert "rate exceeded" not in one.text()


async def test_the_stock_server_drops_of_a_burst_above_its_limit(run_server):
    with run_server(settings=LIMIT, extensions=STOCK) as server:
        async with running(server) as kernel_id, page(server, kernel_id) as one:
            await one.run(BURST.format(many=300))
    assert len(one.numbers()) < 300
    assert "IOPub message rate exceeded" in one.text()


async def test_ours_drops_nothing_of_a_burst_above_the_same_limit(limited):
    async with running(limited) as kernel_id, page(limited, kernel_id) as one:
        await one.run(BURST.format(many=300))
    assert one.numbers() == list(range(300))


async def test_prints_are_limited_as_ever(limited):
    async with running(limited) as kernel_id, page(limited, kernel_id) as one:
        await one.run(PRINTS.format(many=300))
    assert "IOPub message rate exceeded" in one.text()
    assert one.text().count("line") < 300


async def test_comm_messages_use_up_nothing_of_what_prints_may(limited):
    async with running(limited) as kernel_id, page(limited, kernel_id) as one:
        await one.run(BURST.format(many=300) + PRINTS.format(many=LOW))
    assert one.text().count("line") == LOW
    assert len(one.numbers()) == 300


async def test_comm_messages_pass_while_prints_do_not(limited):
    async with running(limited) as kernel_id, page(limited, kernel_id) as one:
        await one.run(PRINTS.format(many=300) + BURST.format(many=100) + "comm.close()")
    assert one.text().count("line") < 300
    assert one.numbers() == list(range(100))
    assert len(one.all("comm_close")) == 1


async def test_the_sockets_delay_nothing_and_have_no_high_water_mark(server, kernel_id):
    async with page(server, kernel_id):
        seen = connection(server, kernel_id)
    assert (seen["nodelay"], seen["rcvhwm"]) == (True, 0)


async def test_those_of_the_stock_server_do(run_server):
    with run_server(extensions=STOCK) as server:
        async with running(server) as kernel_id, page(server, kernel_id):
            seen = connection(server, kernel_id)
    assert (seen["nodelay"], seen["rcvhwm"]) == (False, 1000)


# ------------------------------------------------------------------ a page that does not read

MAY_WAIT = 2_000_000
ONE = 500_000
FLOOD = f"""
from comm import create_comm
comm = create_comm("flood", data={{"text": "x" * {ONE}}})
for n in range(100):
    comm.send({{"n": n, "text": "x" * {ONE}}})
print("all sent")
comm.close(data={{"text": "x" * {ONE}}})
"""


@pytest.fixture(scope="module")
def bounded(run_server):
    """A server of ours where little may wait for a page."""
    with run_server(settings={"TsushinConnection.max_waiting_bytes": MAY_WAIT}) as server:
        yield server


@pytest.fixture
async def flooded(bounded):
    """A server, and a page of it that read nothing until its kernel had sent 50 MB."""
    async with running(bounded) as kernel_id, page(bounded, kernel_id) as one:
        await one.execute(FLOOD)
        await until(partial(is_idle_again, bounded, kernel_id))
        seen = connection(bounded, kernel_id)
        yield bounded, one, seen


def is_idle_again(server, kernel_id):
    """Whether the kernel has ended its one execution, as the server sees it."""
    seen = connection(server, kernel_id)
    is_idle = rest(server, f"api/kernels/{kernel_id}")["execution_state"] == "idle"
    return is_idle and seen["waiting"] > MAY_WAIT


async def test_what_waits_for_a_slow_page_is_bounded(flooded):
    _, _, seen = flooded
    # One above the bound, and what is never dropped: the open, which came first, and the close.
    assert MAY_WAIT < seen["waiting"] < MAY_WAIT + 3 * ONE


async def test_a_slow_page_misses_comm_messages_and_nothing_else(flooded):
    _, one, seen = flooded
    await one.read_until_done()
    numbers = one.numbers()
    assert numbers == sorted(numbers)
    assert 0 < len(numbers) == 100 - seen["dropped"] < 100
    assert "all sent" in one.text()
    assert len(one.all("comm_open")) == len(one.all("comm_close")) == 1


async def test_a_page_that_goes_while_much_waits_for_it_leaves_one_line(bounded):
    async with running(bounded) as kernel_id:
        async with page(bounded, kernel_id) as one:
            await one.execute(FLOOD)
            await until(partial(is_idle_again, bounded, kernel_id))
        await until(lambda: lines(bounded, f"a page of kernel {kernel_id} in all"))
    assert not lines(bounded, "never retrieved")


async def test_it_is_logged_once_that_messages_are_dropped(flooded):
    server, _, seen = flooded
    [line] = lines(server, f"a page of kernel {seen['kernel_id']}: comm messages to it are dropped")
    assert "max_waiting_bytes=2000000" in line


async def test_a_page_that_reads_again_gets_everything_again(flooded):
    server, one, seen = flooded
    await one.read_until_done()
    one.heard.clear()
    await one.execute(
        "comm = create_comm('again')\nfor n in range(50): comm.send({'n': n})", "more"
    )
    await one.read_until_done("more")
    assert one.numbers() == list(range(50))
    assert connection(server, seen["kernel_id"])["waiting"] == 0


# ------------------------------------------------------------------ the derived class


class Theirs(ZMQChannelsWebsocketConnection):
    greeting = traitlets.Unicode("none", config=True)


def test_a_class_of_another_is_derived_from():
    derived = with_comms_free(Theirs)
    assert derived.__mro__[1:4] == (TsushinConnection, Theirs, ZMQChannelsWebsocketConnection)


def test_what_is_ours_already_stays_as_it_is():
    derived = with_comms_free(Theirs)
    assert with_comms_free(derived) is derived
    assert with_comms_free(ZMQChannelsWebsocketConnection) is TsushinConnection


def test_a_class_that_speaks_no_zmq_is_left_alone():
    assert with_comms_free(GatewayWebSocketConnection) is None


def test_the_settings_of_every_class_it_derives_from_hold():
    config = traitlets.config.Config(
        Theirs={"greeting": "hello"}, ZMQChannelsWebsocketConnection={"limit_rate": False}
    )
    connection = with_comms_free(Theirs)(config=config)
    assert (connection.greeting, connection.limit_rate) == ("hello", False)
