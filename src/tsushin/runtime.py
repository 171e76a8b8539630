"""What a manager asks of its host: where a handler runs and who hears of its errors.

The manager and its comms never touch threads or event loops themselves. Each host (ipykernel, a plain
process, a Python frontend, a test) gives them a ``Runtime``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Literal, Protocol

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import ClassicMessage, JsonObject, Message

# object: whatever the user's function returns; it is awaited if it can be.
Handler = Callable[[ClassicMessage], object]
# Ends an ``async`` handler that is under way.
Cancel = Callable[[], None]
# Returns the header of the request that a comm was made under; {} where there was none.
MadeUnder = Callable[[], JsonObject]
# Where the handlers of a comm run: on the main thread, or on a thread beside it (kernels only).
Run = Literal["main", "thread"]


class Runtime(Protocol):
    """One host's way to run things."""

    def run(self, handler: Callable[[], object], message: Message) -> object:
        """Call ``handler`` now, with whatever the host does around user code; return its result.

        What it publishes has ``message`` as its parent, also where it was kept for a while.
        """

    def soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on the handler thread after the caller has returned. Any thread may ask."""

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` in ``delay_s`` seconds: on the handler thread, or where messages are received."""

    def spawn(
        self, awaitable: Awaitable[object], done: Callable[[BaseException | None], None]
    ) -> Cancel:
        """Await what an ``async`` handler returned; then ``done`` on the handler thread.

        Returns:
            What cancels it, from any thread; ``done`` is called all the same.
        """

    def report(self, error: BaseException, about: str, message: Message | None) -> None:
        """Tell the user that their handler raised. ``about`` names it, as in "on_msg of comm 'x'"."""

    def fault(self, error: RemoteProtocolError) -> None:
        """Tell whoever looks after this end that the peer broke a rule."""

    def parent(self, made_under: MadeUnder | None = None) -> JsonObject:
        """Return the header that messages sent now should have as their parent, or ``{}``.

        Args:
            made_under: returns what it was when the comm was made, for a thread that works on no message.
        """

    def poll(self, comm_id: str | None) -> int:
        """Run handlers that are due and belong on this thread; return how many messages that were.

        Args:
            comm_id: only those of this comm; None for all.
        """

    # Any: what it gives is not looked at.
    def wait(self, future: Future[Any], timeout_s: float | None, *, handlers: bool = True) -> None:
        """Block until ``future`` is done or the time is up; due handlers run meanwhile as in ``poll``.

        Args:
            handlers: False lets none run.

        Raises:
            LocalProtocolError: this thread's event loop is what brings the future about.
        """
