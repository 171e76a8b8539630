"""A shorter switch interval while comm messages meet a busy interpreter.

A cell that computes gives way to other threads every 5 ms; each message needs several such moments. At
0.1 ms a message hardly waits for them. It costs the cell nothing more: how often the interpreter changes
hands is for the messages to say, and not for the interval (docs/adr/0014).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

SETTING: Final = "TSUSHIN_SWITCH_INTERVAL"  # seconds; 0 leaves the interpreter alone
SHORT_S: Final = 0.0001
DEFAULT_S: Final = 0.005  # CPython's own
QUIET_S: Final = 1.0  # without messages for so long, the interval is put back

# Calls a function after so many seconds.
Later = Callable[[float, Callable[[], None]], object]


class SwitchInterval:
    """Shortens the interval on demand and puts it back. Any thread may call ``shorten``.

    A user who has set it to something else keeps what they set.

    Args:
        later: calls a function after a time in seconds.
    """

    def __init__(self, later: Later) -> None:
        self._later = later
        self._lock = threading.Lock()
        self._short_s = _setting()
        self._is_short = False
        self._was_asked = False

    def shorten(self) -> None:
        """A message met a running cell: shorten now, put back when it has been quiet for a while."""
        with self._lock:
            self._was_asked = True
            if self._is_short or not self._short_s or not _is(DEFAULT_S):
                return
            self._is_short = True
            sys.setswitchinterval(self._short_s)
        self._later(QUIET_S, self._look)

    def put_back(self) -> None:
        """Put the interval back, if it is still ours."""
        with self._lock:
            if self._is_short and _is(self._short_s):
                sys.setswitchinterval(DEFAULT_S)
            self._is_short = False

    def _look(self) -> None:
        with self._lock:
            again, self._was_asked = self._was_asked, False
        if again:
            self._later(QUIET_S, self._look)
        else:
            self.put_back()


def _is(seconds: float) -> bool:
    """Say whether the interval is this; the interpreter keeps whole microseconds."""
    return abs(sys.getswitchinterval() - seconds) < 1e-6  # noqa: PLR2004


def _setting() -> float:
    try:
        return max(0.0, float(os.environ.get(SETTING, SHORT_S)))
    except ValueError:
        return SHORT_S
