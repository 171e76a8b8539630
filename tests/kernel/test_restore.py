from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

from tsushin.kernel.restore import put


def test_what_was_there_comes_back():
    holder = {"a": 1}
    with ExitStack() as undo:
        put(undo, holder, "a", 2)
        put(undo, holder, "b", 3)
        assert holder == {"a": 2, "b": 3}
    assert holder == {"a": 1}


def test_what_somebody_else_put_there_since_is_left_alone():
    holder = {"a": 1}
    with ExitStack() as undo:
        put(undo, holder, "a", 2)
        holder["a"] = 9
    assert holder == {"a": 9}


def test_a_method_comes_back_from_its_class():
    class Owner:
        def name(self):
            return "stock"

    owner = Owner()
    with ExitStack() as undo:
        put(undo, vars(owner), "name", lambda: "ours")
        assert owner.name() == "ours"
    assert owner.name() == "stock"
    assert vars(owner) == {}


def test_none_is_a_value_like_any_other():
    holder = SimpleNamespace(x=None)
    with ExitStack() as undo:
        put(undo, vars(holder), "x", 1)
    assert vars(holder) == {"x": None}
