from __future__ import annotations

import pytest

from tsushin.frontend.outputs import Outputs, output_of


def stream(text, name="stdout"):
    return output_of("stream", {"name": name, "text": text})


def display(value, display_id=None, kind="display_data"):
    transient = {} if display_id is None else {"display_id": display_id}
    return output_of(kind, {"data": {"text/plain": value}, "metadata": {}, "transient": transient})


def result(value):
    return output_of("execute_result", {"data": {"text/plain": value}, "execution_count": 1})


def collected(*outputs):
    own = Outputs()
    for output in outputs:
        own.add(output)
    return own


def test_text_in_a_row_is_one_output():
    own = collected(stream("a"), stream("b"), stream("x", "stderr"), stream("c"))
    assert [(o["name"], o["text"]) for o in own.items] == [
        ("stdout", "ab"),
        ("stderr", "x"),
        ("stdout", "c"),
    ]
    assert (own.text("stdout"), own.text("stderr")) == ("abc", "x")


def test_joining_does_not_change_what_a_callback_was_given():
    first = stream("a")
    collected(first, stream("b"))
    assert first["text"] == "a"


def test_last_result_counts():
    assert collected(result("1"), stream("x"), result("2")).result() == "2"
    assert collected(stream("x")).result() is None


def test_update_changes_the_display_with_its_id_only():
    own = collected(
        display("a", "1"), display("b", "2"), display("B", "2", kind="update_display_data")
    )
    assert [o["data"]["text/plain"] for o in own.items] == ["a", "B"]


def test_clear_output_now():
    own = collected(stream("a"), output_of("clear_output", {"wait": False}), stream("b"))
    assert own.text("stdout") == "b"


def test_clear_output_waits_for_the_next_output():
    own = collected(stream("a"), output_of("clear_output", {"wait": True}))
    assert own.text("stdout") == "a"
    own.add(stream("b"))
    own.add(stream("c"))
    assert own.text("stdout") == "bc"


@pytest.mark.parametrize("kind", ["stream", "display_data", "execute_result", "error"])
def test_missing_and_mistyped_fields_are_empty(kind):
    for content in (
        {},
        dict.fromkeys(("name", "text", "data", "metadata", "traceback", "ename"), 7),
    ):
        output = output_of(kind, content)
        assert output["output_type"] == kind
        own = collected(output)
        assert own.text("stdout") == ""
        assert own.result() is None


def test_other_messages_are_no_output():
    assert output_of("comm_msg", {"data": {}}) is None
    assert output_of("execute_input", {"code": "1"}) is None
