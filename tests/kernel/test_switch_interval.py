"""The interpreter's switch interval: shortened on demand, put back, and the user's left alone."""

from __future__ import annotations

import sys

import pytest

from tsushin.kernel.switch_interval import DEFAULT_S, SETTING, SHORT_S, SwitchInterval


class Timer:
    """Time in the test's hands: what was asked for later."""

    def __init__(self):
        self.asked = []

    def later(self, delay_s, callback):
        self.asked.append(callback)

    def pass_(self):
        asked, self.asked = self.asked, []
        for callback in asked:
            callback()


@pytest.fixture
def timer():
    before = sys.getswitchinterval()
    sys.setswitchinterval(DEFAULT_S)
    yield Timer()
    sys.setswitchinterval(before)


def interval():
    return round(sys.getswitchinterval(), 6)


def test_traffic_shortens_it_and_quiet_puts_it_back(timer):
    SwitchInterval(timer.later).shorten()
    assert interval() == SHORT_S
    timer.pass_()  # there was traffic since it was shortened
    assert interval() == SHORT_S
    timer.pass_()
    assert (interval(), timer.asked) == (DEFAULT_S, [])


def test_more_traffic_keeps_it_short(timer):
    switch = SwitchInterval(timer.later)
    for _ in range(3):
        switch.shorten()
        timer.pass_()
        assert interval() == SHORT_S


def test_what_a_user_has_set_stays(timer):
    sys.setswitchinterval(0.02)
    SwitchInterval(timer.later).shorten()
    assert (interval(), timer.asked) == (0.02, [])


def test_what_a_user_sets_meanwhile_stays(timer):
    switch = SwitchInterval(timer.later)
    switch.shorten()
    sys.setswitchinterval(0.02)
    switch.put_back()
    assert interval() == 0.02


def test_detaching_puts_it_back(timer):
    switch = SwitchInterval(timer.later)
    switch.shorten()
    switch.put_back()
    assert interval() == DEFAULT_S


@pytest.mark.parametrize(
    ("setting", "expected"), [("0", DEFAULT_S), ("0.001", 0.001), ("nonsense", SHORT_S)]
)
def test_a_setting_turns_it_off_or_says_how_short(timer, monkeypatch, setting, expected):
    monkeypatch.setenv(SETTING, setting)
    SwitchInterval(timer.later).shorten()
    assert interval() == expected
