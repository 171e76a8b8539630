"""A kernel end and frontend ends in one process, joined by links that a test steps.

::

    pair = comm_pair(frontends=2)
    comm = pair.kernel.new_comm("t")      # sent, and held
    pair.choices()                                     # what could happen next
    pair.run()                                         # everything, in order

What a kernel sends is a broadcast: each frontend gets its own copy. Within one channel of one link the order
is kept; what happens next among channels, links and callbacks is the test's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain

from tsushin.errors import TransportError, TransportLost
from tsushin.manager import CommManager
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.protocol.messages import Channel, Message
from tsushin.protocol.routing import OnUnknown
from tsushin.testing.runtimes import Clock, StepRuntime
from tsushin.transports.memory import MemoryTransport, memory_pair

_MAX_STEPS = 100_000  # then two ends answer each other for ever, which is a bug


class End(CommManager):
    """One end of a pair: a real manager, with everything around it in the test's hands.

    Args:
        name: "kernel", "frontend 0", …; also its session.
        links: its transports, one for each peer.
        record: told of each message that left.

    Attributes:
        runtime: where its handlers run, and what they and the peer did wrong.
    """

    runtime: StepRuntime

    def __init__(
        self,
        name: str,
        links: list[MemoryTransport],
        *,
        channel: Channel,
        on_unknown: OnUnknown,
        clock: Clock,
        limits: Limits,
        record: Callable[[Message], None],
    ) -> None:
        def send(message: Message) -> None:
            for link in links:
                # A kernel publishes to whoever is there; a frontend hears that its link is gone.
                with suppress(TransportError) if channel == "iopub" else nullcontext():
                    link.send(message)
            record(message)

        super().__init__(
            send=send,
            runtime=StepRuntime(clock=clock),
            channel=channel,
            on_unknown=on_unknown,
            session=name,
            limits=limits,
            clock=clock,
        )
        self.name = name
        self.links = links

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
            self.end.receive(message)


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

    def join(self, *frontends: End) -> None:
        """Let frontends, all unless given, say hello to the kernel, and be answered."""
        for frontend in frontends or self.frontends:
            frontend.sessions.join()
        self.run()

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass: every timer rings when its time has come, and everything happens."""
        until = self.clock.now + seconds
        while True:
            self.run()
            due = [at for end in self.ends if (at := end.runtime.next_timer()) is not None]
            if not due or min(due) > until:
                break
            self.clock.now = max(self.clock.now, min(due))
            for end in self.ends:
                end.runtime.ring()
        self.clock.now = until

    def cut(self, frontend: End) -> None:
        """Break one frontend's link: what is on its way is lost, and so are that frontend's comms.

        The kernel end keeps its comms: a kernel does not see a frontend go.
        """
        for link in frontend.links:
            link.cut()
        frontend.lose("the link was cut", TransportLost("the link was cut"))


def comm_pair(
    *, frontends: int = 1, on_unknown: OnUnknown = "close", limits: Limits = DEFAULT_LIMITS
) -> CommPair:
    """Return a kernel end and ``frontends`` frontend ends, nothing open, nothing on its way.

    Args:
        frontends: how many; each has its own session.
        on_unknown: what frontends do about an open for a target they do not know: "close" as one that
            started the kernel, "ignore" and "keep" as one that attached to it.
        limits: of every end.
    """
    clock, sent = Clock(), list[Message]()
    joined = [memory_pair() for _ in range(frontends)]
    for link in chain.from_iterable(joined):
        link.hold()
    make = partial(End, clock=clock, limits=limits, record=sent.append)
    kernel = make("kernel", [link for link, _ in joined], channel="iopub", on_unknown="close")
    fronts = [
        make(f"frontend {number}", [link], channel="shell", on_unknown=on_unknown)
        for number, (_, link) in enumerate(joined)
    ]
    return CommPair(kernel, fronts, clock, sent)
