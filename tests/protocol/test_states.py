"""The state table: ``spec/comm-states.json`` and ``tsushin.protocol.states``, cell by cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tsushin.protocol.states import LATE, Input, Late, State, advance

SPEC = json.loads((Path(__file__).parents[2] / "spec" / "comm-states.json").read_text())
CELLS = [
    (state, given, outcome)
    for state, row in SPEC["table"].items()
    for given, outcome in row.items()
]


def in_words(outcome: State | Late | None) -> str | None:
    return None if outcome is None else outcome.value


def test_there_are_24_cells():
    assert len(CELLS) == 24


def test_states_are_those_of_the_spec():
    assert [state.name for state in State] == SPEC["states"]


def test_inputs_are_those_of_the_spec():
    assert [given.name for given in Input] == SPEC["inputs"]


def test_names_equal_values():
    assert all(member.name == member.value for member in (*State, *Input))


@pytest.mark.parametrize(("state", "given", "outcome"), CELLS)
def test_cell(state, given, outcome):
    assert in_words(advance(State[state], Input[given])) == outcome


def test_late_is_no_state():
    assert LATE not in set(State)


@pytest.mark.parametrize("given", ["SEND_OPEN", "ADOPT", "SEND_MSG", "SEND_CLOSE"])
def test_closed_is_the_end_for_whatever_we_do(given):
    assert advance(State.CLOSED, Input[given]) is None


@pytest.mark.parametrize("state", list(State))
def test_lose_is_legal_everywhere(state):
    assert advance(state, Input.LOSE) is State.CLOSED
