"""What an open comm costs the kernel that has it: bytes while it is idle, and time to open it.

Bytes are those that Python has allocated (tracemalloc), after a collection and once everything that
was to be sent is sent. Each batch opens its comms, measures, and closes them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from bench.our_frontend import OurEnd, our_frontend
from bench.row import Batch, Row, Setup, Target
from bench.stock_kernel import run_cell, send, stock_kernel, value_of
from bench.targets import ours, stock

OPENS = 500  # per batch: below the 1,000 messages that a stock client's socket holds
TIMEOUT_S = 60
MICRO = 1e6
CREATED = "ipykernel, comm.create_comm"  # as ipywidgets does; without traitlets
STOCK, PLAIN, SESSION = "ipykernel.comm.Comm", "tsushin, plain client", "tsushin, session peer"

TARGET = """
{prepare}
import gc, time, tracemalloc
comms = []
def keep(comm, msg):
    comms.append(comm)
    if "last" in msg["content"]["data"]:
        comm.send({{"opened": len(comms)}})
{register}
def settled():
    last, since = None, time.perf_counter()
    while True:
        gc.collect()
        now = tracemalloc.get_traced_memory()[0]
        if last is not None and abs(now - last) < 2000: return now
        if time.perf_counter() - since > 20: raise TimeoutError("memory does not settle")
        last = now
        time.sleep(0.1)
def opened(count):
    begun = time.perf_counter()
    comms.extend([Comm(target_name="nobody") for _ in range(count)])
    return time.perf_counter() - begun
def close():
    for comm in comms: comm.close()
    comms.clear()
tracemalloc.start() if {traced} else None
"""


def cell(stack: str, *, traced: bool) -> str:
    """Return the kernel's side of a row."""
    code = TARGET.replace("{traced}", str(traced))
    if stack == STOCK:
        return "from ipykernel.comm import Comm\n" + stock(code, "keep")
    if stack == CREATED:
        return "from comm import create_comm as Comm\n" + stock(code, "keep")
    return "from tsushin import Comm\n" + ours(code, "keep", "thread")


class Client:
    """Either frontend, as this row needs it."""

    cell: Callable[[str], None]
    value: Callable[[str], float]

    def open_all(self) -> float:
        """Open comms, wait until the kernel has them, and return the seconds it took."""
        raise NotImplementedError


class StockClient(Client):
    """jupyter_client."""

    def __init__(self, client: object) -> None:
        self._client = client
        self._ids = count()

    def cell(self, code: str) -> None:
        """Run a cell."""
        run_cell(self._client, code)

    def value(self, expression: str) -> float:
        """Return what an expression gives in the kernel."""
        return float(value_of(self._client, "", expression))

    def open_all(self) -> float:
        """Open, and wait for the kernel's word that it has the last."""
        begun = time.perf_counter()
        for number in range(OPENS):
            data = {"last": True} if number == OPENS - 1 else {}
            content = {"comm_id": f"c{next(self._ids)}", "target_name": "keep", "data": data}
            send(self._client, "comm_open", content)
        while self._client.get_iopub_msg(timeout=TIMEOUT_S)["msg_type"] != "comm_msg":
            pass
        return time.perf_counter() - begun


class OurClient(Client):
    """Tsushin's frontend."""

    def __init__(self, end: OurEnd) -> None:
        self._end = end

    def cell(self, code: str) -> None:
        """Run a cell."""
        self._end.cell(code)

    def value(self, expression: str) -> float:
        """Return what an expression gives in the kernel."""
        return float(self._end.value(f"json.dumps({expression})"))

    def open_all(self) -> float:
        """Open, and wait for the kernel's word that it has the last."""
        return self._end.run(self._open_all())

    async def _open_all(self) -> float:
        begun = time.perf_counter()
        new_comm = self._end.fe.comm_manager.new_comm
        for _ in range(OPENS - 1):
            new_comm("keep")
        await new_comm("keep", {"last": True}).expect_msg(TIMEOUT_S)
        return time.perf_counter() - begun


@contextmanager
def client(stack: str, *, traced: bool) -> Iterator[Client]:
    """Start a kernel with one of the stacks, and the frontend that goes with it."""
    prepare = cell(stack, traced=traced)
    if stack == SESSION:
        with our_frontend(prepare=prepare) as end:
            end.fe.comm_manager.register_target("nobody", lambda comm, msg: None)  # noqa: ARG005
            yield OurClient(end)
    else:
        with stock_kernel() as stock_client:
            run_cell(stock_client, prepare)
            yield StockClient(stock_client)


def from_kernel(stack: str, *, traced: bool) -> Setup:
    """Comms that the kernel opens."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with client(stack, traced=traced) as end:

            def batch() -> list[float]:
                before = end.value("settled()") if traced else 0.0
                took = end.value(f"opened({OPENS})")
                after = end.value("settled()") if traced else 0.0
                end.cell("close()")
                return [(after - before) / OPENS if traced else took * MICRO / OPENS]

            yield batch

    return setup


def from_frontend(stack: str, *, traced: bool) -> Setup:
    """Comms that the frontend opens."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with client(stack, traced=traced) as end:

            def batch() -> list[float]:
                before = end.value("settled()") if traced else 0.0
                took = end.open_all()
                after = end.value("settled()") if traced else 0.0
                if (there := end.value("len(comms)")) != OPENS:
                    raise RuntimeError(f"expected {OPENS} open comms, got {there:g}")
                end.cell("close()")
                return [(after - before) / OPENS if traced else took * MICRO / OPENS]

            yield batch

    return setup


def row(who: str, make: Callable[..., Setup], at_most: float, *, traced: bool) -> Row:
    """Return one of the four rows; ``at_most`` is of the stock stack's figure."""
    what = "bytes of an idle comm in the kernel" if traced else "time to open a comm"
    # A comm that a frontend opens is the same whoever made the target.
    created = (CREATED,) if make is from_kernel else ()
    stacks = (STOCK, *created, PLAIN, SESSION)
    variants = {stack: make(stack, traced=traced) for stack in stacks}
    base = CREATED if created else STOCK  # the better of the stock ones
    return Row(
        question=f"Opened by the {who}: {what}",
        unit="bytes" if traced else "µs",
        baseline=base,
        targets=tuple(Target(name, at_most, of=base) for name in (PLAIN, SESSION)),
        variants=variants,
        rounds=5,
        per_s=not traced,
    )


ROWS = {
    "kernel, bytes": row("kernel", from_kernel, 1, traced=True),
    "kernel, time": row("kernel", from_kernel, 0.25, traced=False),
    "frontend, bytes": row("frontend", from_frontend, 0.5, traced=True),
    "frontend, time": row("frontend", from_frontend, 0.25, traced=False),
}
