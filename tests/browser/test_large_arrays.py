"""A large typed array from a Chromium page to a kernel and back, at a Jupyter Server with default limits."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

KERNEL = """
import hashlib, os, threading
from tsushin import comm_manager
here = threading.Event()
@comm_manager().register_target("large", run="thread")
def large(comm, msg):
    @comm.on_msg
    def on_msg(msg):
        global array
        array = msg["content"]["data"]["array"]
        here.set()
    comm.handle("back", lambda msg: {"array": array})
def digest():
    return type(array).__name__, str(array.dtype), hashlib.sha256(array).hexdigest()
"""
# Not compressible, and the same bytes each time.
MAKE = """(mib) => {
  globalThis.array = new Float64Array(mib * 2 ** 17);
  const words = new Uint32Array(array.buffer);
  for (let i = 0, x = 1; i < words.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[i] = x;
  }
  globalThis.digest = async (bytes) => {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  globalThis.large = fe.comm_manager.new_comm("large");
  globalThis.progress = [];
  return digest(array);
}"""
SEND = """() => large.send({ array }, null, null, {
  copy: false,
  on_progress: (sent, all) => void progress.push([sent, all]),
})"""
ASK = """async (timeout) => {
  globalThis.array = null;
  const answer = await large.request("back", null, { timeout });
  globalThis.array = answer.array;
  return [array.constructor.name, array.byteLength];
}"""


@pytest.fixture
def kernel(site):
    with site.kernel() as kernel:
        kernel.side.run(KERNEL)
        yield kernel


@pytest.fixture
def page(kernel, browser):
    with browser.new_context() as context:
        yield kernel.page(context)


class Peaks:
    """The most memory that processes use until the block ends, in MiB above what they use now."""

    def __init__(self, *pids):
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._now()
        self.mib = [0 for _ in pids]
        self._is_over = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def __enter__(self):
        self._looking.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._looking.join()

    def _look(self):
        while not self._is_over.wait(0.05):
            above = (now - before for now, before in zip(self._now(), self._before, strict=True))
            self.mib = list(map(max, self.mib, above))

    def _now(self):
        return [process.memory_info().rss >> 20 for process in self._processes]


def process_of(page):
    """Return the id of the page's process: of all that Chromium has for pages, the largest."""
    asked = page.context.browser.new_browser_cdp_session()
    found = asked.send("SystemInfo.getProcessInfo")["processInfo"]
    asked.detach()
    pages = [psutil.Process(one["id"]) for one in found if one["type"] == "renderer"]
    return max(pages, key=lambda process: process.memory_info().rss).pid


def there_and_back(kernel, page, mib, seconds):
    """Send an array to the kernel, and ask for it; return the peaks of kernel and page."""
    mine = page.evaluate(MAKE, mib)
    with Peaks(kernel.side.value("os.getpid()"), process_of(page)) as peaks:
        begun = time.monotonic()
        page.evaluate(SEND)
        kernel.side.run(f"assert here.wait({seconds})", timeout_s=seconds + 10)
        there, peaks_there = time.monotonic() - begun, peaks.mib
        assert kernel.side.value("digest()") == ("ndarray", "float64", mine)
        tells_how_far_it_is(page.evaluate("progress"), mib)
        begun = time.monotonic()
        assert page.evaluate(ASK, seconds) == ["Float64Array", mib << 20]
        back = time.monotonic() - begun
    assert page.evaluate("digest(array)") == mine
    figures = (
        f"{mib} MiB: there {mib / there:.0f} MiB/s, back {mib / back:.0f} MiB/s; peaks of kernel and page "
        f"above what they had: {peaks_there} MiB on the way there, {peaks.mib} MiB in all"
    )
    print(f"\n{figures}")  # noqa: T201 (run for its figures)
    return peaks.mib


def tells_how_far_it_is(progress, mib):
    sent, totals = zip(*progress, strict=True)
    assert list(sent) == sorted(set(sent))
    assert len(sent) >= mib
    assert set(totals) == {sent[-1]}
    assert mib << 20 < sent[-1] < (mib << 20) + 1000


def test_an_array_goes_there_and_back_byte_for_byte(kernel, page):
    kernel_peak, page_peak = there_and_back(kernel, page, 64, 40)
    assert kernel_peak < 2 * 64
    assert page_peak < 3 * 64  # the answer, while the first one may not be collected yet


@pytest.mark.matrix
@pytest.mark.timeout(600)
def test_an_array_of_a_gibibyte_goes_there_and_back_byte_for_byte(kernel, page):
    kernel_peak, page_peak = there_and_back(kernel, page, 1024, 250)
    assert kernel_peak < 1024 + 256
    assert page_peak < 1024 + 512
