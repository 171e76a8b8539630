from __future__ import annotations

from tsushin.profile.peer import Peer


def peer():
    return Peer("s", "tsushin.session.s", (), "e", has={}, began={"c": 4})


def test_a_sequence_begins_after_what_the_hello_named():
    one = peer()
    assert one.sequence("c").next == 5
    assert one.sequence("other").next == 1
    assert one.sequence("c") is one.sequence("c")


def test_seen_is_what_arrived_or_was_before():
    one = peer()
    one.sequence("other").next = 8
    assert one.seen() == {"c": 4, "other": 7}
