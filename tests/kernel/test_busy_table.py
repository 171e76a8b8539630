"""FACTS' busy table with us attached, on several ipykernels; `make matrix`.

Every row is a cell that runs, a client that sends, and where the handler runs. What is measured is the time
from the client's message to the handler's answer, while the cell runs. A row without an answer fails.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import matrix
from kernel.peer import started
from tsushin import connect

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

KERNELS = {
    "6.29": matrix.python("ipykernel-6.29"),
    "6.30": matrix.python("ipykernel-6.30"),
    "7.0": matrix.python("ipykernel-7.0"),
    "7.3": matrix.python("ipykernel-7.3"),
    "newest": sys.executable,
}
RESULTS = Path(__file__).parents[2] / "docs" / "results"
PINGS = 50
WAIT_S = 10  # for one answer

PREPARE = """
import asyncio, time, tsushin
from tsushin import Comm
kernel = get_ipython().kernel
def busy(run):
    global c, over
    c, over = Comm("busy", run=run), []
    c.on_msg(lambda msg: (over if "over" in msg["content"]["data"] else []).append(1)
             or c.send({"back": msg["content"]["data"]["n"]}))
"""
WHILE = "until = time.monotonic() + 60\nwhile not over and time.monotonic() < until:\n    "
ASKED = """
took = []
for _ in range({PINGS}):
    t = time.perf_counter(); {ask}; took.append(time.perf_counter() - t)
"""
# Name -> where the handler runs, the cell, and whether ipykernel 6 delivers while it runs.
CELLS = {
    "sync cell, polls": ("main", WHILE + "c.poll(); time.sleep(0.0005)", True),
    "sync cell, thread": ("thread", WHILE + "time.sleep(0.01)", False),
    "CPU-bound cell, polls": ("main", WHILE + "sum(range(1000)); c.poll()", True),
    "CPU-bound cell, thread": ("thread", WHILE + "sum(range(1000))", False),
    "async cell": ("main", WHILE + "await asyncio.sleep(0.01)", True),
    "async cell, thread": ("thread", WHILE + "await asyncio.sleep(0.01)", True),
}
ASKING = {
    "sync cell asks": "c.request_sync('ping', timeout=10)",
    "async cell awaits": "await c.request('ping', timeout=10)",
}
CLIENTS = ["plain", "subshell", "ours"]


class Rows:
    """What was measured, written when all is done."""

    def __init__(self):
        self.rows, self.versions = [], {}

    def add(self, kernel, client, cell, seconds):
        numbers = "after the cell" if seconds is None else milliseconds(seconds)
        self.rows.append({"kernel": kernel, "client": client, "cell": cell, "ms": numbers})

    def write(self):
        now = datetime.now(UTC)
        facts = {"date": f"{now:%Y-%m-%d}", "versions": self.versions, "rows": self.rows}
        path = RESULTS / f"{now:%Y-%m-%d}-busy.json"
        path.write_text(json.dumps(facts, indent=2) + "\n")
        path.with_suffix(".md").write_text(page(facts))
        print(f"\nwritten: {path}")  # noqa: T201


def milliseconds(seconds):
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(cuts[49] * 1e3, 2), "p99": round(cuts[98] * 1e3, 2)}


def page(facts):
    """Return the figures as a table: a row for each cell and client, a column for each kernel."""
    kernels = list(facts["versions"])
    head = [f"ipykernel {facts['versions'][kernel]}" for kernel in kernels]
    lines = [
        f"# Messages to a busy kernel, {facts['date']}",
        "",
        "Milliseconds from a client's message to the handler's answer while the cell runs (for the cells",
        f"that ask: from the request to the answer), p50 / p99 of {PINGS}; two shared cores, `make matrix`.",
        "",
        f"| cell | client | {' | '.join(head)} |",
        f"|---|---|{'---|' * len(kernels)}",
    ]
    found = {(r["cell"], r["client"], r["kernel"]): r["ms"] for r in facts["rows"]}
    for cell, client in dict.fromkeys((r["cell"], r["client"]) for r in facts["rows"]):
        values = [shown(found.get((cell, client, kernel))) for kernel in kernels]
        lines.append(f"| {cell} | {client} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def shown(value):
    if isinstance(value, dict):
        return f"{value['p50']:g} / {value['p99']:g}"
    return value or "-"


@pytest.fixture(scope="module")
def rows():
    rows = Rows()
    yield rows
    rows.write()


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, rows):
    with started(python=KERNELS[request.param], prepare=PREPARE) as peer:
        peer.name = request.param
        rows.versions[request.param] = peer.value("__import__('ipykernel').__version__")
        yield peer


@contextmanager
def header_of(kernel, client):
    """What the client adds to the header of a comm message; None where this kernel has no such thing."""
    if client != "subshell":
        yield {}
        return
    kernel.send("create_subshell_request", {}, channel="control")
    content = kernel.client.get_control_msg(timeout=WAIT_S)["content"] if is_new(kernel) else {}
    if "subshell_id" not in content:
        yield None
        return
    yield {"subshell_id": content["subshell_id"]}
    kernel.send("delete_subshell_request", content, channel="control")
    kernel.client.get_control_msg(timeout=WAIT_S)


def is_new(kernel):
    return not kernel.name.startswith("6.")


# ------------------------------------------------------------------ stock clients


def start(kernel, code):
    cell = kernel.client.execute(code)
    kernel.wait(lambda m: m["msg_type"] == "execute_input" and parent_id(m) == cell)
    return cell


def parent_id(message):
    return message["parent_header"].get("msg_id")


def sent_on(message, comm_id):
    """Return the data of a ``comm_msg`` of this comm; {} for another message."""
    content = message["content"]
    is_ours = message["msg_type"] == "comm_msg" and content["comm_id"] == comm_id
    return {**content["data"], **message["metadata"].get("tsushin", {})} if is_ours else {}


def ping(kernel, comm_id, header, data):
    begun = time.perf_counter()
    kernel.send("comm_msg", {"comm_id": comm_id, "data": data}, header=header)
    kernel.wait(lambda m: sent_on(m, comm_id).get("back") == data["n"])
    return time.perf_counter() - begun


def measured(kernel, run, code, header):
    kernel.kept.clear()
    kernel.run(f"busy({run!r})")
    comm_id = kernel.value("c.comm_id")
    cell = start(kernel, code)
    seconds = [ping(kernel, comm_id, header, {"n": n}) for n in range(PINGS)]
    ping(kernel, comm_id, header, {"n": PINGS, "over": 1})
    kernel.until_idle(cell)
    return seconds


def answered(kernel, ask, header):
    kernel.kept.clear()
    kernel.run("c = Comm('busy')")
    comm_id = kernel.value("c.comm_id")
    with kernel.joined():
        cell = kernel.client.execute(ASKED.format(PINGS=PINGS, ask=ask))
        for _ in range(PINGS):
            asked = kernel.wait(lambda m: "req" in sent_on(m, comm_id))
            request = asked["metadata"]["tsushin"]
            kernel.send(
                "comm_msg",
                {"comm_id": comm_id, "data": {"value": 1}},
                metadata={"tsushin": {"re": request["req"], "ok": True}},
                header=header,
            )
        kernel.until_idle(cell)
    return kernel.value("took")


# ------------------------------------------------------------------ our client


async def measured_by_ours(kernel, run, code):
    async with connect(connection_file=kernel.manager.connection_file, lane=False) as fe:
        opened = fe.expect_open("busy")
        await fe.execute(f"busy({run!r})")
        comm = await opened
        cell = asyncio.ensure_future(fe.execute(code))
        await asyncio.sleep(0.2)  # until it runs; what comes before would wait for it
        seconds = []
        for data in [{"n": 1}] * PINGS + [{"n": 1, "over": 1}]:
            answer, begun = comm.expect_msg(WAIT_S), time.perf_counter()
            comm.send(data)
            await answer
            seconds.append(time.perf_counter() - begun)
        await cell
        return seconds[:PINGS]


async def answered_by_ours(kernel, ask):
    async with connect(connection_file=kernel.manager.connection_file, lane=False) as fe:
        fe.comm_manager.register_target("busy", lambda comm, msg: comm.handle("ping", lambda _: 1))
        await fe.execute("c = Comm('busy')")
        await fe.execute(ASKED.format(PINGS=PINGS, ask=ask))
    return kernel.value("took")


# ------------------------------------------------------------------ the table


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_running_cell_is_no_hindrance(kernel, rows, cell, client):
    run, code, is_early_on_6 = CELLS[cell]
    if not is_new(kernel) and not is_early_on_6:
        rows.add(
            kernel.name, client, cell, None
        )  # DESIGN 6: ipykernel 6 reads when the cell lets it
        return
    if client == "ours":
        rows.add(kernel.name, client, cell, asyncio.run(measured_by_ours(kernel, run, code)))
        return
    with header_of(kernel, client) as header:
        if header is not None:
            rows.add(kernel.name, client, cell, measured(kernel, run, code, header))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("cell", ASKING)
def test_a_cell_that_asks_gets_its_answer(kernel, rows, cell, client):
    if client == "ours":
        rows.add(kernel.name, client, cell, asyncio.run(answered_by_ours(kernel, ASKING[cell])))
        return
    with header_of(kernel, client) as header:
        if header is not None:
            rows.add(kernel.name, client, cell, answered(kernel, ASKING[cell], header))
