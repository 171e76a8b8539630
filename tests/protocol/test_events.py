"""Events are values: one class each, all of them in the union, none can be changed."""

from __future__ import annotations

from typing import get_args

import pytest

from tsushin.protocol import events
from tsushin.protocol.events import Event, Late, Lost, ProtocolFault

KINDS = get_args(Event)


def test_every_event_class_is_in_the_union():
    classes = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and value.__module__ == events.__name__
    }
    assert classes == set(KINDS)


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not ProtocolFault])
def test_an_event_names_its_comm(kind):
    assert kind.__struct_fields__[0] == "comm_id"


def test_an_event_cannot_be_changed():
    with pytest.raises(AttributeError):
        Lost("c1", "gone").reason = "else"


def test_events_with_the_same_parts_are_equal():
    assert Lost("c1", "gone") == Lost("c1", "gone") != Lost("c2", "gone")


def test_an_event_explains_itself():
    assert all(kind.__doc__ and not kind.__doc__.startswith(kind.__name__) for kind in KINDS)
    assert "comm_id" in Late.__slots__
