"""What ``comm.send`` costs the thread that calls it, in a real ipykernel with one subscriber."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bench.row import Batch, Row, Setup
from bench.stock_kernel import run_cell, stock_kernel, value_of

SENDS = 300  # per batch: below any high-water mark, so nothing is dropped unseen
# What `pip install ipykernel` gives packs JSON with the standard library; orjson is used if it is there.
STOCK = """
from ipykernel.comm import Comm
get_ipython().kernel.session.packer = "json"
"""
STOCK_ORJSON = """
from ipykernel.comm import Comm
get_ipython().kernel.session.packer = "orjson"
"""
OURS = "from tsushin import Comm"
SMALL = "{'loss': 0.25}"
ONE_KB = "{'text': 'x' * 1000}"

PREPARE = """
{imports}
import time
comm, data, now = Comm("bench"), {data}, time.perf_counter
def batch(count):
    taken = []
    for _ in range(count):
        start = now()
        comm.send(data)
        taken.append((now() - start) * 1e6)
    return taken
"""


def variant(imports: str, data: str) -> Setup:
    """Return a setup that measures ``send`` of one ``Comm`` class."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, PREPARE.format(imports=imports, data=data))
            yield lambda: value_of(client, f"taken = batch({SENDS})", "taken")

    def make() -> AbstractContextManager[Batch]:
        return setup()

    return make


def row(size: str, data: str) -> Row:
    """Return the row for one size of message."""
    return Row(
        question=f"comm.send in the kernel, {size}: time on the calling thread",
        unit="µs",
        baseline="ipykernel",
        target=0.25,
        variants={
            "ipykernel": variant(STOCK, data),
            "ipykernel with orjson": variant(STOCK_ORJSON, data),
            "tsushin": variant(OURS, data),
        },
    )


ROWS = {"small": row("small", SMALL), "1kB": row("1 kB", ONE_KB)}
