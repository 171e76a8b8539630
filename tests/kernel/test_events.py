"""IPython's events in pairs, whatever the block does."""

from __future__ import annotations

import pytest
from IPython.core.events import EventManager

from tsushin.kernel.events import balanced_events


class Shell:
    def __init__(self):
        self.events = EventManager(self, {"pre_execute": None, "post_execute": None})
        self.seen = []
        for event in ("pre_execute", "post_execute"):
            self.events.register(event, lambda event=event: self.seen.append(event))


@pytest.fixture
def shell():
    return Shell()


def test_a_pair_stays_a_pair(shell):
    with balanced_events(shell):
        shell.events.trigger("pre_execute")
        shell.events.trigger("post_execute")
    assert shell.seen == ["pre_execute", "post_execute"]


def test_what_an_error_leaves_out_is_made_up(shell):
    def fail():
        with balanced_events(shell):
            shell.events.trigger("pre_execute")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert shell.seen == ["pre_execute", "post_execute"]


def test_nothing_is_left_registered(shell):
    before = {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()}
    with balanced_events(shell):
        pass
    assert shell.events.callbacks == before


def test_without_a_shell_nothing_is_done():
    with balanced_events(None):
        pass
