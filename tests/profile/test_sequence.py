"""One sequence: what is kept, and what its receiver makes of holes, doubles and disorder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tsushin.profile.sequence import History, Incoming
from tsushin.protocol.messages import Message


def message(number):
    return Message("shell", {}, content={"comm_id": "c", "n": number})


def numbers(messages):
    return [m.content["n"] for m in messages]


@given(st.lists(st.integers(1, 12)))
def test_whatever_comes_is_handed_on_once_and_in_order(arrivals):
    incoming, handed_on = Incoming(1), []
    for number in arrivals:
        handed_on += numbers(incoming.take(number, message(number)))
    assert handed_on == list(range(1, len(handed_on) + 1))
    assert set(range(1, len(handed_on) + 1)) <= set(arrivals)
    assert set(incoming.held) == {n for n in arrivals if n > len(handed_on)}


@given(st.sets(st.integers(1, 12)), st.integers(0, 12))
def test_what_is_given_up_is_counted_and_the_rest_handed_on(arrived, upto):
    incoming, handed_on = Incoming(1), []
    for number in sorted(arrived):
        handed_on += numbers(incoming.take(number, message(number)))
    missed, released = incoming.skip(upto)
    handed_on += numbers(released)
    assert handed_on == sorted(set(handed_on))
    assert missed == len({n for n in range(1, upto + 1) if n not in arrived})


def test_giving_up_any_number_takes_no_time():
    incoming = Incoming(1)
    incoming.take(5, message(5))
    missed, released = incoming.skip(2**53 - 1)
    assert (missed, numbers(released), incoming.next) == (2**53 - 2, [5], 2**53)


def test_a_hole_is_named_until_it_is_filled():
    incoming = Incoming(1)
    incoming.take(4, message(4))
    assert incoming.missing() == (1, 3)
    incoming.take(1, message(1))
    assert incoming.missing() == (2, 3)
    incoming.take(2, message(2))
    assert numbers(incoming.take(3, message(3))) == [3, 4]
    assert incoming.missing() is None
    incoming.known = 6
    assert incoming.missing() == (5, 6)


def test_a_history_frees_what_was_confirmed():
    history = History()
    for number in range(1, 6):
        history.put(number, message(number), 10)
    assert (history.free(2), history.nbytes, len(history), history.last) == (20, 30, 3, 5)
    assert [number for number, _, _ in history.between(2, 4)] == [3, 4]
    assert history.drop_oldest() == 10
    assert [number for number, _, _ in history.between(0, 9)] == [4, 5]
    assert (history.free(9), history.last, len(history)) == (20, 0, 0)


@given(st.lists(st.integers(1, 8)))
def test_the_short_way_comes_to_the_same(arrivals):
    long, short = Incoming(1), Incoming(1)
    for number in arrivals:
        expected = numbers(long.take(number, message(number)))
        if short.is_next_alone(number):
            short.pass_on()
            assert expected == [number]
        else:
            assert numbers(short.take(number, message(number))) == expected
        assert short == long
