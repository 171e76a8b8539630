"""What ``comm.send`` costs the thread that calls it, in a real ipykernel with one subscriber.

The limit is what no implementation on ipykernel can leave out: to encode the message once, sign it,
and hand its frames to ipykernel's IOPub thread.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import tsushin
from bench.our_frontend import OurEnd, our_frontend
from bench.row import Batch, NotAvailable, Row, Setup, Target
from bench.stock_kernel import run_cell, stock_kernel, value_of

SENDS = 300  # per batch: below any high-water mark, so nothing is dropped unseen
SEEN_S = 30
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
LIMIT = """
import hashlib, hmac, itertools, msgspec
kernel = get_ipython().kernel
encode, signer = msgspec.json.Encoder().encode, hmac.new(kernel.session.key, digestmod=hashlib.sha256)
numbers = itertools.count()
class Comm:
    def __init__(self, target_name): pass
    def send(self, data):
        HEADER["msg_id"] = f"{next(numbers):040d}"
        parts = [encode(part) for part in (HEADER, {}, {}, {"comm_id": "0" * 32, "data": data})]
        mac = signer.copy()
        for part in parts: mac.update(part)
        frames = [b"comm-" + b"0" * 32, b"<IDS|MSG>", mac.hexdigest().encode(), *parts]
        kernel.iopub_socket.send_multipart(frames)
HEADER = {"msg_id": "", "msg_type": "comm_msg", "username": "u", "session": "0" * 32,
          "date": "2026-01-01T00:00:00.000000Z", "version": "5.3"}
"""
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
    """Return a setup that measures ``send`` of one ``Comm`` class towards a plain client."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with stock_kernel() as client:
            run_cell(client, PREPARE.format(imports=imports, data=data))
            yield lambda: value_of(client, f"taken = batch({SENDS})", "taken")

    def make() -> AbstractContextManager[Batch]:
        return setup()

    return make


def with_orjson(data: str) -> Setup:
    """Return a setup for ipykernel as it is where orjson is installed too."""
    if importlib.util.find_spec("orjson") is not None:
        return variant(STOCK_ORJSON, data)

    @contextmanager
    def setup() -> Iterator[Batch]:
        raise NotAvailable("orjson is not installed; make bench does it")
        yield

    return setup


def with_session(data: str) -> Setup:
    """Return a setup that measures ours towards a frontend that confirms what it gets."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with our_frontend(prepare="import tsushin; tsushin.comm_manager()") as end:
            arrived: list[object] = []

            def target(comm: tsushin.Comm, msg: object) -> None:
                del msg
                comm.on_msg(arrived.append)

            end.fe.comm_manager.register_target("bench", target)
            end.cell(PREPARE.format(imports=OURS, data=data))
            yield lambda: batch(end, arrived)

    def make() -> AbstractContextManager[Batch]:
        return setup()

    return make


def batch(end: OurEnd, arrived: list[object]) -> list[float]:
    """Send, and see that all of it comes before the next batch begins."""
    arrived.clear()
    taken: list[float] = end.value(f"json.dumps(batch({SENDS}))")
    end.run(all_there(arrived))
    return taken


async def all_there(arrived: list[object]) -> None:
    async with asyncio.timeout(SEEN_S):
        while len(arrived) < SENDS:  # noqa: ASYNC110 (outside what is timed)
            await asyncio.sleep(0.01)


def row(size: str, data: str) -> Row:
    """Return the row for one size of message."""
    return Row(
        question=f"comm.send in the kernel, {size}: time on the calling thread",
        unit="µs",
        baseline="ipykernel",
        limit="encode, sign, hand over",
        targets=tuple(
            Target(name, 0.25, of="ipykernel") for name in ("tsushin", "tsushin, session peer")
        ),
        variants={
            "ipykernel": variant(STOCK, data),
            "ipykernel with orjson": with_orjson(data),
            "tsushin": variant(OURS, data),
            "tsushin, session peer": with_session(data),
            "encode, sign, hand over": variant(LIMIT, data),
        },
    )


ROWS = {"small": row("small", SMALL), "1kB": row("1 kB", ONE_KB)}
