"""What the table and the JSON say of results that are good, missing and bad."""

from __future__ import annotations

import json

import pytest
from bench.harness import Result, Weather
from bench.report import as_json, as_table, machine, number
from bench.row import Row, Target
from rich.console import Console

ROW = Row(
    question="How long?",
    unit="µs",
    baseline="old",
    limit="raw",
    variants=dict.fromkeys(("old", "new", "raw", "gone")),
    targets=(
        Target("new", 0.5, of="old"),
        Target("new", 30),
        Target("new", 0, figure="lost"),
        Target("gone", 1),
        Target("raw", 9, of="gone"),
    ),
)
WEATHER = Weather((1.0, 2.0), [3.0, 6.0, 4.0])


def result(*medians, **options):
    return Result(values=list(medians), medians=list(medians), **options)


@pytest.fixture
def results():
    return {
        "old": result(100.0, 120.0, 90.0),
        "new": result(40.0, 50.0, 45.0, sent=10, arrived=9),
        "raw": result(1.0),
        "gone": Result(why_not="no [such] thing"),
    }


def text(results):
    console = Console(width=150, color_system=None)
    with console.capture() as capture:
        console.print(as_table(ROW, results))
    return capture.get()


def test_ratio_is_of_medians_against_the_baseline(results):
    variants = as_json(ROW, results, WEATHER)["variants"]
    assert variants["new"]["ratio"] == pytest.approx(0.45)
    assert variants["new"]["spread"] == [40, 50]


def test_targets_are_ratios_figures_or_shares_and_say_whether_they_are_met(results):
    targets = as_json(ROW, results, WEATHER)["targets"]
    assert [target["value"] for target in targets] == [
        pytest.approx(0.45),
        45,
        pytest.approx(0.1),
        None,
        None,
    ]
    assert [target["met"] for target in targets] == [True, False, False, None, None]


def test_what_was_not_measured_has_a_reason_and_no_figures(results):
    made = as_json(ROW, results, WEATHER)
    assert made["variants"]["gone"] == {"unavailable": "no [such] thing"}
    results["gone"].has_failed = True
    assert as_json(ROW, results, WEATHER)["variants"]["gone"] == {"failed": "no [such] thing"}


def test_without_the_baseline_there_are_no_ratios(results):
    results["old"] = Result(why_not="broken", has_failed=True)
    made = as_json(ROW, results, WEATHER)
    assert made["variants"]["new"]["ratio"] is None
    assert made["targets"][0]["met"] is None


def test_json_is_json_and_says_what_the_weather_was(results):
    made = json.loads(json.dumps(as_json(ROW, results, WEATHER)))
    assert made["weather"] == {"load": [1, 2], "loop_ms": [3, 6]}


def test_table_marks_stock_limit_loss_and_what_is_missing(results):
    shown = text(results)
    assert "old (stock)" in shown
    assert "raw (limit)" in shown
    assert "10.0" in shown  # percent lost
    assert "gone: no [such] thing" in shown
    assert "? gone, median: at most 1: not measured" in shown


def test_machine_says_versions_cores_and_that_nothing_is_pinned():
    made = machine()
    assert made["cores"] >= 1
    assert made["pinned"] is False
    assert made["versions"]["ipykernel"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "\N{EN DASH}"), (0.25, "0.2"), (1234.5, "1,234.5"), (48010.2, "48,010")],
)
def test_numbers_have_no_more_digits_than_help(value, shown):
    assert number(value) == shown
