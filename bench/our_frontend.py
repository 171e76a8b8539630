"""Tsushin's Python frontend as a benchmark holds it: every call waits.

Its loop runs on a thread all the time: it answers pings and confirms what came while other variants
are measured. What is timed runs on that loop too, while the main thread sleeps.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import tsushin
from tsushin.frontend.frontend import Frontend

T = TypeVar("T")
SESSION_S = 10
LANE_S = 10
LANE_SETTING = "TSUSHIN_LANE"


@dataclass(frozen=True)
class OurEnd:
    """A connected frontend and the loop it runs on."""

    fe: Frontend
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[object, None, T]) -> T:
        """Run something on the frontend's loop to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def cell(self, code: str) -> None:
        """Run a cell; an error in it ends the benchmark."""
        self.run(self.fe.execute(code))

    def value(self, code: str) -> Any:  # Any: whatever JSON the last line gives
        """Run a cell whose last line is ``json.dumps(…)``, and return that value."""
        text = self.run(self.fe.execute(f"import json\n{code}")).result or ""
        return json.loads(text.strip("'"))


@contextmanager
def our_frontend(
    target: str | None = "python3",
    *,
    lane: bool = False,
    prepare: str = "",
    environment: Mapping[str, str] = {},
    **options: Any,  # Any: of ``connect``
) -> Iterator[OurEnd]:
    """Connect, run ``prepare``, and go on once the kernel end and this end know each other.

    Args:
        lane: whether there has to be one; otherwise there is none, for certain.
        prepare: a cell that attaches Tsushin and registers targets; empty: the kernel is a stock one.
        environment: of a kernel that is started.
    """
    os.environ.update(environment)
    if not lane:
        os.environ[LANE_SETTING] = "0"
    with running_loop() as loop:
        connecting = tsushin.connect(target, lane=lane, **options)
        entered = asyncio.run_coroutine_threadsafe(connecting.__aenter__(), loop)
        end = OurEnd(entered.result(), loop)
        try:
            if prepare:
                end.cell(prepare)
                wait(end, lambda: bool(end.fe.comm_manager.peers), SESSION_S, "session")
            if lane:
                wait(end, lambda: end.fe.has_lane, LANE_S, "lane")
            yield end
        finally:
            end.run(connecting.__aexit__(None, None, None))


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop on a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="bench loop")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def wait(end: OurEnd, is_there: Any, timeout_s: float, what: str) -> None:  # Any: () -> bool
    """Let the frontend work until something is there."""
    until = time.monotonic() + timeout_s
    while not is_there():
        if time.monotonic() > until:
            raise TimeoutError(f"no {what} within {timeout_s:g} s")
        end.run(asyncio.sleep(0.01))
