"""Limits: names with units, exact bounds, errors that say which one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from tsushin.errors import LimitExceeded
from tsushin.protocol.limits import DEFAULT_LIMITS, KIB, MIB, Limits

NAMES = [field.name for field in fields(Limits)]


@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_limit_is_allowed(name):
    DEFAULT_LIMITS.check(name, getattr(DEFAULT_LIMITS, name))


@pytest.mark.parametrize("name", NAMES)
def test_one_above_the_limit_is_refused(name):
    allowed = getattr(DEFAULT_LIMITS, name)
    with pytest.raises(LimitExceeded) as caught:
        DEFAULT_LIMITS.check(name, allowed + 1)
    error = caught.value
    assert (error.limit, error.allowed, error.actual) == (name, allowed, allowed + 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_follows_from_the_name(name):
    with pytest.raises(LimitExceeded) as caught:
        replace(DEFAULT_LIMITS, **{name: 0}).check(name, 1)
    assert caught.value.unit == ("bytes" if name.endswith("_bytes") else "count")


def test_the_message_says_where_and_how_much():
    with pytest.raises(LimitExceeded, match=r"^header: max_buffers is 2 count, got 3$"):
        Limits(max_buffers=2).check("max_buffers", 3, where="header")


def test_an_unknown_limit_is_a_mistake_of_the_caller():
    with pytest.raises(AttributeError):
        DEFAULT_LIMITS.check("max_nothing", 1)


def test_defaults_are_documented_one_by_one():
    assert all(f"{name}: " in (Limits.__doc__ or "") for name in NAMES)


def test_a_limit_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        DEFAULT_LIMITS.max_buffers = 1


def test_units_are_binary():
    assert (KIB, MIB) == (1024, 1024 * 1024)


def test_a_whole_message_may_hold_its_json():
    assert DEFAULT_LIMITS.max_json_bytes <= DEFAULT_LIMITS.max_message_bytes
