"""A kernel end and frontend ends in one process, joined by links that a test steps.

::

    pair = comm_pair(frontends=2)
    comm = pair.kernel.comm_manager.new_comm("t")      # sent, and held
    pair.choices()                                     # what could happen next
    pair.run()                                         # everything, in order

What a kernel sends is a broadcast: each frontend gets its own copy. Within one channel of one link the order
is kept; what happens next among channels, links and callbacks is the test's choice.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import chain

from tsushin.errors import TransportError, TransportLost
from tsushin.manager import CommManager
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, Message
from tsushin.protocol.routing import OnUnknown
from tsushin.testing.runtimes import Clock, StepRuntime
from tsushin.transports.memory import MemoryTransport, memory_pair

_MAX_STEPS = 100_000  # then two ends answer each other for ever, which is a bug


@dataclass(repr=False)
class End:
    """One end of a pair.

    Attributes:
        name: "kernel", "frontend 0", …
        comm_manager: its comms and targets.
        runtime: where its handlers run, and what they and the peer did wrong.
        links: its transports, one for each peer.
    """

    name: str
    comm_manager: CommManager
    runtime: StepRuntime
    links: list[MemoryTransport]

    def __repr__(self) -> str:
        return f"<End {self.name}>"


@dataclass(frozen=True)
class Choice:
    """Something that can happen next: a message comes in on one channel, or (None) a callback runs."""

    end: End
    link: MemoryTransport | None = None
    channel: Channel | None = None

    def step(self) -> None:
        """Make it happen."""
        if self.link is None or self.channel is None:
            self.end.runtime.step()
            return
        self.link.step(self.channel)
        message = self.link.receive_nowait()
        if message is not None:
            self.end.comm_manager.receive(message)


@dataclass
class CommPair:
    """A kernel end and its frontend ends. Made by ``comm_pair``.

    Attributes:
        clock: the time of every end.
        sent: every message that left an end, in order; a broadcast once.
    """

    kernel: End
    frontends: list[End]
    clock: Clock
    sent: list[Message]

    @property
    def frontend(self) -> End:
        """The first frontend end."""
        return self.frontends[0]

    @property
    def ends(self) -> list[End]:
        """The kernel end, then the frontend ends."""
        return [self.kernel, *self.frontends]

    def choices(self) -> list[Choice]:
        """Return what can happen next, the oldest on each channel; empty when nothing is left."""
        arrivals = [
            Choice(end, link, channel)
            for end in self.ends
            for link in end.links
            for channel in link.held()
        ]
        return arrivals + [Choice(end) for end in self.ends if end.runtime.is_due()]

    def run(self) -> None:
        """Let everything happen, always the first choice, until only unopened gates are waited for.

        Raises:
            RuntimeError: it does not come to an end.
        """
        for _ in range(_MAX_STEPS):
            if choices := self.choices():
                choices[0].step()
            elif not any(end.runtime.resume() for end in self.ends):
                return
        raise RuntimeError(f"still something to do after {_MAX_STEPS} steps: {self.choices()[:3]}")

    def cut(self, frontend: End) -> None:
        """Break one frontend's link: what is on its way is lost, and so are that frontend's comms.

        The kernel end keeps its comms: a kernel does not see a frontend go.
        """
        for link in frontend.links:
            link.cut()
        frontend.comm_manager.lose("the link was cut", TransportLost("the link was cut"))


def comm_pair(
    *, frontends: int = 1, on_unknown: OnUnknown = "close", limits: Limits = DEFAULT_LIMITS
) -> CommPair:
    """Return a kernel end and ``frontends`` frontend ends, nothing open, nothing on its way.

    Args:
        frontends: how many; each has its own session.
        on_unknown: what frontends do about an open for a target they do not know: "close" as one that
            started the kernel, "ignore" as one that attached to it.
        limits: of every end.
    """
    joined = [memory_pair() for _ in range(frontends)]
    for link in chain.from_iterable(joined):
        link.hold()
    maker = _Maker(Clock(), limits)
    kernel = maker.end("kernel", "iopub", "close", [link for link, _ in joined])
    fronts = [
        maker.end(f"frontend {number}", "shell", on_unknown, [link])
        for number, (_, link) in enumerate(joined)
    ]
    return CommPair(kernel, fronts, maker.clock, maker.sent)


class _Maker:
    """Makes the ends of one pair, which share a clock and a record of what was sent."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.clock = clock
        self.limits = limits
        self.sent: list[Message] = []

    def end(
        self, name: str, channel: Channel, on_unknown: OnUnknown, links: list[MemoryTransport]
    ) -> End:
        def send(message: Message) -> None:
            for link in links:
                # A kernel publishes to whoever is there; a frontend hears that its link is gone.
                with suppress(TransportError) if channel == "iopub" else nullcontext():
                    link.send(message)
            self.sent.append(message)

        runtime = StepRuntime()
        manager = CommManager(
            send=send,
            runtime=runtime,
            channel=channel,
            on_unknown=on_unknown,
            session=name,
            limits=self.limits,
            clock=self.clock,
        )
        return End(name, manager, runtime, links)
