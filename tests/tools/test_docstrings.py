from __future__ import annotations

from docstrings import parse, render

DOC = """Do ``it``.

    More of it.

    Args:
        a, b: numbers; the second
            one: never negative.

    Returns:
        their sum.
    """


def test_sections_and_entries_are_told_apart():
    doc = parse(DOC)
    assert doc.text == "Do `it`.\n\nMore of it."
    assert doc.sections == {
        "Args": [("a, b", "numbers; the second one: never negative.")],
        "Returns": [("", "their sum.")],
    }


def test_rendered_as_markdown():
    assert list(render(parse(DOC))) == [
        "Do `it`.\n\nMore of it.",
        "**Parameters**\n\n- `a`, `b`: numbers; the second one: never negative.",
        "**Returns**\n\n- their sum.",
    ]
