"""Tables of the documentation that repeat data of ``spec/`` say the same."""

from __future__ import annotations

import json

from docs.blocks import ROOT

DASH = "\N{EN DASH}"


def rows(page):
    """Return the cells of every table row of a page."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:1] == "|"]


def test_state_table_is_the_one_of_the_specification():
    spec = json.loads((ROOT / "spec" / "comm-states.json").read_text("utf-8"))
    shown = rows("docs/explanation/how-a-comm-lives.md")
    assert shown[0] == ["state", *spec["inputs"]]
    expected = [
        [state, *(spec["table"][state][given] or DASH for given in spec["inputs"])]
        for state in spec["states"]
    ]
    assert shown[2:5] == expected


def test_what_the_application_sees_is_shown_by_tests_that_there_are():
    shown_by = [
        cells[-1].strip("`").split("::")
        for cells in rows("docs/explanation/guarantees.md")
        if "::" in cells[-1]
    ]
    assert len(shown_by) > 10
    for path, name in shown_by:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8")


def test_rest_table_is_the_one_of_the_server():
    source = (ROOT / "src/tsushin/server/rest.py").read_text("utf-8")
    documented = {cells[0].split("`")[1] for cells in rows("docs/reference/rest.md")[2:]}
    listed = {line.split("``")[1] for line in source.splitlines() if line.startswith("| ``")}
    assert listed <= documented
