"""A round trip from a page in Chromium: the least of clients in it, or JupyterLab's own comms.

A page's clock ticks every 0.1 ms, so a figure is the mean of ten trips one after the other. Frames are
made beforehand, as in ``websocket_round_trip.py``; those that confirm are sent between two groups.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from bench.jupyter_server import TOKEN, Server, jupyter_server
from bench.lane import CONFIRM_EVERY, LaneEnd, lane_offer
from bench.row import Batch, NotAvailable, Row, Setup
from bench.rows.websocket_round_trip import Trips
from bench.targets import MAIN_ECHO, STOCK_ECHO, THREAD_ECHO
from bench.wire_end import WireEnd
from tsushin.wire import ws_v1

GROUP = 10
GROUPS = {
    "server": 2,
    "lab": 2,
    "lane": 50,
}  # per batch; a trip at a server takes 44 ms as installed
PAGE_MS = 60_000
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STOCK, LAB = "page, Jupyter Server as installed", "JupyterLab as installed"
EXTENDED = "page, Jupyter Server with extension"
THREAD, MAIN = 'page, lane, run="thread"', 'page, lane, run="main"'

CONNECT = """async ([url, protocols]) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onclose = socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
  });
  const decoder = new TextDecoder();
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  let wanted = "", found = () => {};
  globalThis.last = null;
  socket.onmessage = ({ data }) => {
    if (!decoder.decode(data).includes(wanted)) return;
    last = data;
    found();
  };
  const trip = (frame, text) => new Promise((resolve) => {
    [wanted, found] = [text, resolve];
    socket.send(frame);
  });
  globalThis.trips = async (frames, texts, group) => {
    frames = frames.map(bytes);
    const taken = [];
    for (let i = 0; i < frames.length; i += group) {
      const begun = performance.now();
      for (let j = i; j < i + group; j++) await trip(frames[j], texts[j]);
      taken.push(((performance.now() - begun) * 1000) / group);
    }
    return taken;
  };
  globalThis.say = (frame) => socket.send(bytes(frame));
  globalThis.lastAnswer = () => btoa(String.fromCharCode(...new Uint8Array(last)));
}"""
LAB_CONNECT = """async (code) => {
  const kernel = await jupyterapp.serviceManager.kernels.startNew({ name: "python3" });
  const reply = await kernel.requestExecute({ code }).done;
  if (reply.content.status !== "ok") throw new Error(reply.content.traceback.join("\\n"));
  const comm = kernel.createComm("echo");
  let wanted = "", found = () => {};
  comm.onMsg = ({ content }) => content.data.text === wanted && found();
  comm.open();
  const trip = (text) => new Promise((resolve) => {
    [wanted, found] = [text, resolve];
    comm.send({ text });
  });
  globalThis.trips = async (texts, group) => {
    const taken = [];
    for (let i = 0; i < texts.length; i += group) {
      const begun = performance.now();
      for (let j = i; j < i + group; j++) await trip(texts[j]);
      taken.push(((performance.now() - begun) * 1000) / group);
    }
    return taken;
  };
  globalThis.leave = () => kernel.shutdown();
}"""


@contextmanager
def page_at(address: str) -> Iterator[Any]:  # Any: playwright's page
    """Open a page in a Chromium without a window."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NotAvailable("there is no Chromium here")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only pages need it)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(bypass_csp=True)  # the small page forbids everything
        page.set_default_timeout(PAGE_MS)
        page.goto(address)
        yield page
        browser.close()


def coded(message: Any) -> str:  # Any: Message
    """Return a message's frame as text, for the page."""
    return base64.b64encode(ws_v1.encode(message)).decode()


def plain_page(server: Server) -> str:
    """Return the address of a small page at a server: same origin, no JupyterLab."""
    return f"{server.url}api"


def server_page(echo: str, *, extension: bool = False) -> Setup:
    """The least of clients, in a page, at a Jupyter Server."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with jupyter_server(extension=extension) as server, page_at(plain_page(server)) as page:
            kernel_id = server.ask("api/kernels", "POST")["id"]
            end = server.channels(kernel_id)  # for what is not timed; it leaves before the rest
            end.execute(echo)
            end.open("c", "echo")
            end.execute("")
            end.socket.close()
            query = urlencode({"session_id": uuid4().hex, "token": TOKEN})
            url = f"ws://127.0.0.1:{server.port}/api/kernels/{kernel_id}/channels?{query}"
            page.evaluate(CONNECT, [url, [ws_v1.SUBPROTOCOL]])
            trips = Trips()
            yield lambda: server_batch(page, end, trips.texts(GROUP * GROUPS["server"]))
            server.ask(f"api/kernels/{kernel_id}", "DELETE")

    return setup


def server_batch(
    page: Any, end: WireEnd, texts: list[str]
) -> list[float]:  # Any: playwright's page
    frames = [
        coded(end.message("comm_msg", {"comm_id": "c", "data": {"text": text}})) for text in texts
    ]
    taken: list[float] = page.evaluate("(args) => trips(...args)", [frames, texts, GROUP])
    return taken


@contextmanager
def lab_page() -> Iterator[Batch]:
    """JupyterLab's kernel connection and comm; the application is asked for, no notebook is shown."""
    settings: dict[str, object] = {"LabApp.expose_app_in_browser": True}
    with (
        jupyter_server(frontends=True, settings=settings) as server,
        page_at(f"{server.url}lab?token={TOKEN}&reset") as page,
    ):
        page.wait_for_function("globalThis.jupyterapp")
        page.evaluate("() => jupyterapp.restored.then(() => null)")
        page.evaluate(LAB_CONNECT, STOCK_ECHO)
        trips = Trips()

        def batch() -> list[float]:
            texts = trips.texts(GROUP * GROUPS["lab"])
            taken: list[float] = page.evaluate("(args) => trips(...args)", [texts, GROUP])
            return taken

        yield batch
        page.evaluate("() => leave()")


def lane_page(echo: str) -> Setup:
    """The least of clients, in a page, on a lane."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with (
            jupyter_server() as server,
            page_at(plain_page(server)) as page,
            lane_offer(echo, "echo", origin=server.url.rstrip("/")) as (end, url, protocols),
        ):
            page.evaluate(CONNECT, [url, protocols])
            page.evaluate("(frame) => say(frame)", coded(end.first_confirmation()))
            trips = Trips()
            yield lambda: lane_batch(page, end, trips)

    return setup


def lane_batch(page: Any, end: LaneEnd, trips: Trips) -> list[float]:  # Any: playwright's page
    """Take the batch in parts, each confirmed before the next."""
    taken: list[float] = []
    part = CONFIRM_EVERY // GROUP * GROUP
    for _ in range(GROUP * GROUPS["lane"] // part):
        texts = trips.texts(part)
        frames = [coded(end.numbered_message({"text": text})) for text in texts]
        taken += page.evaluate("(args) => trips(...args)", [frames, texts, GROUP])
        answer = base64.b64decode(page.evaluate("() => lastAnswer()"))
        page.evaluate("(frame) => say(frame)", coded(end.confirmation(answer)))
    return taken


ROWS = {
    "echo": Row(
        question="Round trip from a page in Chromium, idle kernel",
        unit="µs",
        baseline=STOCK,
        variants={
            STOCK: server_page(STOCK_ECHO),
            LAB: lab_page,
            EXTENDED: server_page(THREAD_ECHO, extension=True),
            THREAD: lane_page(THREAD_ECHO),
            MAIN: lane_page(MAIN_ECHO),
        },
    )
}
