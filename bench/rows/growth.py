"""How a round trip grows: with the open comms, with the frontends, with the size of a message.

Each point has a kernel of its own, so the memory beside it is that of this point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tsushin
from bench.other_frontends import other_frontends
from bench.our_frontend import our_frontend, wait
from bench.row import Batch, Row, Setup, Target
from bench.rows.zmq_round_trip import our_trips, stock_trip
from bench.stock_kernel import run_cell, send, stock_kernel, value_of
from bench.targets import STOCK_ECHO, THREAD_ECHO, ours, stock

TRIPS = 50
TIMEOUT_S = 60
MICRO = 1e6
COMMS = (1, 100, 10_000)
FRONTENDS = (1, 10, 50)
SIZES = (16, 1 << 10, 1 << 16, 1 << 20, 1 << 24, 1 << 26)
STOCK, OURS, LANE = "jupyter_client + ipykernel", "tsushin", "tsushin, lane"

# In steps that a stock client's socket holds: it would lose the end of a cell that sends more.
STEP = 500
MANY = """
from {module} import Comm
others = globals().get("others", [])
others.extend([Comm("nobody") for _ in range(min({step}, {count} - len(others)))])
"""
MIRROR = """
{prepare}
def mirror(comm, msg):
    @comm.on_msg
    def on_msg(msg):
        comm.send({{}}, buffers=msg["buffers"])
{register}
"""


# -------------------------------------------------------------------------------- open comms


def stock_comms(count: int) -> Setup:
    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, STOCK_ECHO)
            for _ in range(0, count, STEP):
                run_cell(client, MANY.format(module="ipykernel.comm", count=count - 1, step=STEP))
            there = value_of(client, "", "len(others)")
            if there != count - 1:
                raise RuntimeError(f"expected {count - 1} other comms, got {there}")
            send(client, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
            yield lambda: [stock_trip(client, number) for number in range(TRIPS)]

    return setup


def our_comms(count: int, *, lane: bool = False) -> Setup:
    @contextmanager
    def setup() -> Iterator[Batch]:
        with our_frontend(prepare=THREAD_ECHO, lane=lane) as end:
            end.fe.comm_manager.register_target("nobody", lambda comm, msg: None)  # noqa: ARG005
            end.cell(MANY.format(module="tsushin", count=count - 1, step=count))
            manager = end.fe.comm_manager
            wait(end, lambda: len(manager.comms) >= count - 1, TIMEOUT_S, "other comms")
            comm = end.fe.comm_manager.new_comm("echo")
            yield lambda: end.run(our_trips(comm))

    return setup


# -------------------------------------------------------------------------------- frontends


def stock_frontends(count: int) -> Setup:
    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, STOCK_ECHO)
            with other_frontends("stock", client.connection_file, count - 1):
                send(client, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
                yield lambda: [stock_trip(client, number) for number in range(TRIPS)]

    return setup


def our_frontends(count: int, *, lane: bool = False) -> Setup:
    @contextmanager
    def setup() -> Iterator[Batch]:
        with our_frontend(prepare=THREAD_ECHO, lane=lane) as end:
            code = "import ipykernel; json.dumps(ipykernel.get_connection_file())"
            with other_frontends("ours", end.value(code), count - 1):
                comm = end.fe.comm_manager.new_comm("echo")
                yield lambda: end.run(our_trips(comm))

    return setup


# -------------------------------------------------------------------------------- sizes


def trips_of(size: int) -> int:
    """Return how many fit into a batch."""
    return TRIPS if size < 1 << 20 else 3 if size < 1 << 26 else 1


def stock_size(size: int) -> Setup:
    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, stock(MIRROR, "mirror"))
            send(client, "comm_open", {"comm_id": "c", "target_name": "mirror", "data": {}})
            block = bytes(size)

            def trip() -> float:
                begun = time.perf_counter()
                msg = client.session.msg("comm_msg", {"comm_id": "c", "data": {}})
                client.session.send(client.shell_channel.socket, msg, buffers=[block])
                while (back := client.get_iopub_msg(timeout=TIMEOUT_S))["msg_type"] != "comm_msg":
                    pass
                taken = (time.perf_counter() - begun) * MICRO
                check(back["buffers"][0], size)
                return taken

            yield lambda: [trip() for _ in range(trips_of(size))]

    return setup


def check(buffer: object, size: int) -> None:
    if (got := memoryview(buffer).nbytes) != size:  # type: ignore[arg-type]  # bytes-like
        raise RuntimeError(f"expected {size} bytes, got {got}")


def our_size(size: int, *, lane: bool = False) -> Setup:
    async def trip(comm: tsushin.Comm, block: bytes) -> float:
        begun = time.perf_counter()
        comm.send({}, buffers=[block])
        back = await comm.expect_msg(TIMEOUT_S)
        taken = (time.perf_counter() - begun) * MICRO
        check(back["buffers"][0], size)
        return taken

    @contextmanager
    def setup() -> Iterator[Batch]:
        with our_frontend(prepare=ours(MIRROR, "mirror", "thread"), lane=lane) as end:
            comm = end.fe.comm_manager.new_comm("mirror")
            block = bytes(size)
            yield lambda: [end.run(trip(comm, block)) for _ in range(trips_of(size))]

    return setup


# -------------------------------------------------------------------------------- the rows


def point(line: str, x: int) -> str:
    """Return the name of a variant."""
    return f"{line}, {x:,}"


def curve(
    question: str,
    axis: str,
    xs: tuple[int, ...],
    makers: dict[str, Callable[[int], Setup]],
    targets: tuple[Target, ...] = (),
) -> Row:
    """Return a row with a variant for each line and point."""
    pairs = [(line, x) for line in makers for x in xs]
    return Row(
        question=question,
        unit="µs",
        baseline=point(STOCK, xs[0]),
        variants={point(line, x): makers[line](x) for line, x in pairs},
        targets=targets,
        rounds=5,
        axis=axis,
        points={point(line, x): (line, x) for line, x in pairs},
    )


ROWS = {
    "open comms": curve(
        "Round trip with so many open comms",
        "open comms",
        COMMS,
        {STOCK: stock_comms, OURS: our_comms, LANE: lambda x: our_comms(x, lane=True)},
        tuple(
            Target(point(line, COMMS[-1]), 1.1, of=point(line, COMMS[0])) for line in (OURS, LANE)
        ),
    ),
    "frontends": curve(
        "Round trip of one frontend with so many connected",
        "frontends",
        FRONTENDS,
        {STOCK: stock_frontends, OURS: our_frontends, LANE: lambda x: our_frontends(x, lane=True)},
    ),
    "sizes": curve(
        "Round trip of a message with a buffer of so many bytes, there and back",
        "bytes of the buffer",
        SIZES,
        {STOCK: stock_size, OURS: our_size, LANE: lambda x: our_size(x, lane=True)},
    ),
}
