"""A round trip over a WebSocket, with the least of clients: only the servers differ.

The frames are made beforehand; an answer is searched for the text that was sent. The limits answer the
same frame by itself: one on the library and in the way the lane is built, and the fastest there is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.jupyter_server import kernel_channels
from bench.lane import CONFIRM_EVERY, lane_end
from bench.raw_servers import raw_server
from bench.raw_websocket import RawWebSocket
from bench.row import Batch, Row, Setup, Target
from bench.targets import MAIN_ECHO, STOCK_ECHO, THREAD_ECHO
from bench.wire_end import WireEnd

TRIPS = 512  # per batch
SLOW_TRIPS = 20  # at a Jupyter Server, where one takes 44 ms as installed
MICRO = 1e6
STOCK = "Jupyter Server as installed"
LIMIT = "raw echo, websockets sans-IO"
FASTEST = "raw echo, picows"


def mark(number: int) -> str:
    """Return text that is in one message and its answer only."""
    return f"trip-{number:09d}."


def trip(socket: RawWebSocket, frame: bytes, text: bytes) -> tuple[float, bytes]:
    """Send a frame; return µs until its answer is there, and that."""
    begun = time.perf_counter()
    socket.send(frame)
    while text not in (back := socket.receive()):
        pass
    return (time.perf_counter() - begun) * MICRO, back


class Trips:
    """Counts round trips over all batches, so that each has its own text."""

    def __init__(self) -> None:
        self._next = 0

    def texts(self, count: int = TRIPS) -> list[str]:
        """Return new texts."""
        begin = self._next
        self._next += count
        return [mark(number) for number in range(begin, self._next)]


def server(echo: str, *, extension: bool = False) -> Setup:
    """Through a Jupyter Server."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with kernel_channels(extension=extension) as end:
            end.execute(echo)
            end.open("c", "echo")
            trips = Trips()
            yield lambda: server_batch(end, trips.texts(SLOW_TRIPS))

    return setup


def server_batch(end: WireEnd, texts: list[str]) -> list[float]:
    frames = end.msg_frames("c", [{"text": text} for text in texts])
    pairs = zip(frames, texts, strict=True)
    return [trip(end.socket, frame, text.encode())[0] for frame, text in pairs]


def lane(echo: str) -> Setup:
    """By a lane; every 64th answer and the last one are confirmed, after they were timed."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with lane_end(echo, "echo") as end:
            trips = Trips()

            def batch() -> list[float]:
                texts = trips.texts()
                frames = [end.numbered({"text": text}) for text in texts]
                taken = []
                for count, (frame, text) in enumerate(zip(frames, texts, strict=True), 1):
                    time_us, back = trip(end.socket, frame, text.encode())
                    taken.append(time_us)
                    if count % CONFIRM_EVERY == 0 or count == len(texts):
                        end.confirm(back)
                return taken

            yield batch

    return setup


def raw(name: str) -> Setup:
    """The bare library, with the frames that a kernel end gets."""

    @contextmanager
    def setup() -> Iterator[Batch]:
        with raw_server(name) as port:
            end = WireEnd(RawWebSocket(port), "0" * 32)
            trips = Trips()
            yield lambda: server_batch(end, trips.texts())
            end.socket.close()

    return setup


LANES = {'lane, run="thread"': THREAD_ECHO, 'lane, run="main"': MAIN_ECHO}
ROWS = {
    "echo": Row(
        question="WebSocket, idle kernel: send to answer at the least of clients",
        unit="µs",
        baseline=STOCK,
        limit=LIMIT,
        targets=(
            Target('lane, run="thread"', 1 / 300, of=STOCK),
            Target('lane, run="thread"', 2, of=LIMIT),
            Target('lane, run="main"', 4, of=LIMIT),
        ),
        variants={
            STOCK: server(STOCK_ECHO),
            "Jupyter Server as installed, tsushin kernel": server(THREAD_ECHO),
            "Jupyter Server with extension": server(THREAD_ECHO, extension=True),
            **{name: lane(echo) for name, echo in LANES.items()},
            LIMIT: raw("websockets sans-IO, thread"),
            FASTEST: raw("picows"),
        },
    )
}
