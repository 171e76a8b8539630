"""Events are values: what they say is in them, and nothing changes them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from tsushin.profile.events import Gap, ProfileEvent


def test_an_event_is_what_it_says_for_good():
    gap = Gap("c", 3)
    assert gap == Gap("c", 3)
    with pytest.raises(FrozenInstanceError):
        gap.missed = 4


def test_every_event_can_be_matched():
    assert all(hasattr(event, "__match_args__") for event in get_args(ProfileEvent))
