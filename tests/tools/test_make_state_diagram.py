"""The drawn state table is the one in spec/comm-states.json."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

import make_state_diagram

TABLE = json.loads(make_state_diagram.SPEC.read_text())["table"]
NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_page_and_drawing_are_current():
    assert make_state_diagram.stale() == []


def test_every_move_that_may_be_made_is_on_an_arrow():
    drawn = make_state_diagram.edges(TABLE)
    moves = [o for row in TABLE.values() for o in row.values() if o is not None]
    assert sum(map(len, drawn.values())) == len(moves)
    assert drawn["UNOPENED", "OPEN"] == ["SEND_OPEN", "RECV_OPEN", "ADOPT"]


def test_the_drawing_is_xml_with_one_box_per_state():
    root = ET.fromstring(make_state_diagram.drawing(TABLE))
    assert len(root.findall(f"{NAMESPACE}rect")) == len(TABLE)
    assert len(root.findall(f"{NAMESPACE}path")) == len(make_state_diagram.edges(TABLE))


@pytest.mark.parametrize(
    ("outcome", "shown"), [(None, "\N{EN DASH}"), ("late", "*late*"), ("OPEN", "OPEN")]
)
def test_a_cell_shows_its_outcome(outcome, shown):
    assert make_state_diagram.cell(outcome) == shown
