"""One real kernel and one real page at it, given the blocks of a page of documentation in order.

Cells are run by a stock client, jupyter_client, so that nothing of ours stands between the reader and the
kernel. The page is Chromium with the bundle that the wheel ships, joined to the same kernel by the endpoint
of ``tsushin demo``.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from time import monotonic

from jupyter_client.manager import KernelManager
from playwright.sync_api import TimeoutError as PageTimeoutError

from docs.blocks import ROOT, Block
from docs.program import WAIT_S
from tsushin.frontend.attach import FileKernel
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.server.app import Endpoint
from tsushin.server.relay import RelayKernel
from tsushin.server.security import Guard
from tsushin.server.serving import Serving

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_EMPTY = "<!doctype html><title>docs</title>"
_JOIN = """async ({token}) => {
    const tsushin = await import("./tsushin.js");
    const fe = await tsushin.connect(new URL(".", location.href).href, {token});
    const load_requirejs = async () => (await fetch("./require.js")).text();
    const amd = tsushin.make_amd({load_requirejs, on_error: (error) => console.error(error)});
    const load_target = tsushin.page_target_loader({amd});
    const scope = {...amd, Jupyter: tsushin.make_jupyter(fe, {load_target}), console};
    window.run = (code) => tsushin.run_script(code, scope);
}"""
# Chromium's own line, about a lane that was offered just before the kernel let go of Tsushin.
_REFUSED_LANE = re.compile(r"'ws://127\.0\.0\.1:\d+/lane\?.*ERR_CONNECTION_REFUSED")
_RUN = "async (code) => { await window.run(code); }"


class Kernel:
    """A real ipykernel at a stock client. Its output is what it prints, by cells and by handlers."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._printed = ""
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
        self._client = self.manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=WAIT_S)

    def run(self, block: Block) -> None:
        """Run a cell; an error in it fails."""
        self._printed = ""
        msg_id = self._client.execute(block.text)
        self._read_until(lambda m: _is_idle(m, msg_id), block)
        if self.errors:
            raise AssertionError(f"{block.where}: {self.errors}")

    def expect(self, text: str, block: Block) -> None:
        """Wait until ``text`` was printed since the last cell."""
        if text not in self._printed:
            self._read_until(lambda _: text in self._printed, block)
        self.errors = [error for error in self.errors if error not in text]

    def end(self) -> list[str]:
        """End the kernel; return errors of handlers that the page does not show."""
        self._client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        return self.errors

    def _read_until(self, is_enough, block: Block) -> None:
        until = monotonic() + WAIT_S
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=max(0.0, until - monotonic()))
            except queue.Empty:
                about = f"not within {WAIT_S} s; printed:\n{self._printed}\nerrors: {self.errors}"
                raise AssertionError(f"{block.where}: {about}") from None
            self._take(message)
            if is_enough(message):
                return

    def _take(self, message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            self._printed += content["text"]
        elif message["msg_type"] == "error":
            self.errors.append(f"{content['ename']}: {content['evalue']}")
            self._printed += self.errors[-1] + "\n"


class Page:
    """A page in Chromium, joined to ``kernel``. Its output is what it logs."""

    def __init__(self, kernel: Kernel, browser) -> None:
        self.errors: list[str] = []
        self._printed = ""
        with ExitStack() as ending:
            serving = ending.enter_context(_serving(kernel.manager))
            self._page = browser.new_page()
            ending.callback(self._page.close)
            self._page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
            self._page.on("console", self._logged)
            self._page.on("pageerror", lambda error: self._failed(str(error)))
            # Any file of the endpoint gives a page its origin and the token in its address.
            self._address = f"{serving.url}tsushin.js?token={serving.token}"
            self._load(_EMPTY)
            self._page.evaluate(_JOIN, {"token": serving.token})
            self._ending = ending.pop_all()

    def run(self, block: Block) -> None:
        """Run a script, or load an HTML page in the place of the one before."""
        self._printed = ""
        if block.info == "html page":
            self._load(block.text)
        else:
            self._page.evaluate(_RUN, block.text)

    def expect(self, text: str, block: Block) -> None:
        """Wait until ``text`` was logged since the last script."""
        until = monotonic() + WAIT_S
        while text not in self._printed:
            left_ms = 1e3 * max(0.001, until - monotonic())
            try:
                self._page.wait_for_event("console", timeout=left_ms)
            except PageTimeoutError:
                about = f"not within {WAIT_S} s; logged:\n{self._printed}\nerrors: {self.errors}"
                raise AssertionError(f"{block.where}: {about}") from None
        self.errors = [error for error in self.errors if error not in text]

    def end(self) -> list[str]:
        """Close the page; return errors that the documentation does not show."""
        self._ending.close()
        return self.errors

    def _load(self, html: str) -> None:
        self._page.goto(self._address)
        self._page.set_content(html)

    def _logged(self, message) -> None:
        self._printed += message.text + "\n"
        if message.type == "error" and not _REFUSED_LANE.search(message.text):
            self.errors.append(message.text)

    def _failed(self, error: str) -> None:
        self.errors.append(error)
        self._printed += error + "\n"


@contextmanager
def _serving(manager: KernelManager) -> Iterator[Serving]:
    """Serve a kernel as ``tsushin demo`` does."""
    kernel = FileKernel(manager.connection_file, limits=DEFAULT_LIMITS, timeout_s=WAIT_S)
    relay = RelayKernel(kernel, name="python3", spec=manager.kernel_spec.to_dict())
    with ThreadPoolExecutor(1) as pool:  # playwright's own loop runs on this thread
        pool.submit(asyncio.run, relay.start()).result(WAIT_S)
    endpoint = Endpoint(relay, Guard(token=secrets.token_urlsafe()))
    with Serving(endpoint, host="127.0.0.1", port=0) as serving:
        serving.start()
        yield serving


def _is_idle(message: dict, msg_id: str) -> bool:
    is_ours = message["parent_header"].get("msg_id") == msg_id
    return is_ours and message["content"].get("execution_state") == "idle"
