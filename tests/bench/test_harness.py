"""Rounds, what is kept of them, and variants that cannot run, break, or never answer."""

from __future__ import annotations

import os

import pytest
from bench.harness import MIN_FOR_P99, Result, Weather, groups, run_row

from bench import ROOT, harness

# Workers are processes: the rows they load have to be in a file, which lives as long as the test.
MODULE = """
import os, time
from contextlib import contextmanager
from bench.row import NotAvailable, Row, Sample

@contextmanager
def counting():
    rounds = iter(range(100))
    yield lambda: [next(rounds)] * 3

@contextmanager
def losing():
    yield lambda: Sample([5.0], sent=10, arrived=7)

@contextmanager
def missing():
    raise NotAvailable("it is not here")
    yield

@contextmanager
def broken():
    yield lambda: 1 / 0

@contextmanager
def silent():
    yield lambda: time.sleep(600)

def row(*variants, **options):
    variants = {each.__name__: each for each in variants}
    return Row("question", "ms", next(iter(variants)), variants, **options)

ROWS = {
    "kept": row(counting),
    "cold": row(counting, warm_up=False, rounds=2),
    "lost": row(losing),
    "bad": row(counting, missing, broken),
    "silent": row(counting, silent),
}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Put a file beside those of bench/rows, for this process and the workers."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "made_up.py").write_text(MODULE)
    customize = f"import bench.rows; bench.rows.__path__.append({str(folder)!r})\n"
    (tmp_path / "sitecustomize.py").write_text(customize)
    path = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    import bench.rows  # noqa: PLC0415

    monkeypatch.setattr(bench.rows, "__path__", [*bench.rows.__path__, str(folder)])
    return "made_up"


def run(module, name, **options):
    options = {"rounds": 4, "seconds": 60, "progress": lambda _: None, **options}
    return run_row(module, name, **options)


def test_the_first_round_is_thrown_away(module):
    results, weather = run(module, "kept")
    assert results["counting"].medians == [1, 2, 3, 4]
    assert len(weather.loop_ms) == 5
    assert results["counting"].peak_bytes > 1e6


def test_a_row_that_warms_up_by_itself_keeps_all_its_rounds(module):
    results, _ = run(module, "cold")
    assert results["counting"].medians == [0, 1]


def test_no_round_begins_after_the_time_is_up_but_three_there_are(module):
    results, _ = run(module, "kept", rounds=50, seconds=0)
    assert results["counting"].medians == [1, 2, 3]


def test_what_did_not_arrive_is_counted_over_all_rounds(module):
    results, _ = run(module, "lost")
    assert (results["losing"].sent, results["losing"].arrived) == (40, 28)
    assert results["losing"].lost == pytest.approx(0.3)


def test_a_variant_that_is_missing_or_breaks_says_why_and_others_go_on(module, capfd):
    results, _ = run(module, "bad")
    assert len(results["counting"].medians) == 4
    assert (results["missing"].why_not, results["missing"].has_failed) == ("it is not here", False)
    assert "ZeroDivisionError" in results["broken"].why_not
    assert results["broken"].has_failed
    assert "ZeroDivisionError" in capfd.readouterr().err  # with its traceback, for who runs it


def test_a_variant_that_never_answers_is_ended(module, monkeypatch):
    monkeypatch.setattr(harness, "BATCH_S", 1.0)
    results, _ = run(module, "silent")
    assert "no answer within 1 s" in results["silent"].why_not
    assert len(results["counting"].medians) == 4


def test_a_percentile_needs_enough_values():
    assert Result(values=[1.0] * (MIN_FOR_P99 - 1)).p99 is None
    assert Result(values=[1.0] * MIN_FOR_P99).p99 == 1


def test_a_result_without_batches_has_no_figures():
    nothing = Result()
    assert [nothing.median, nothing.spread, nothing.p99, nothing.lost] == [None] * 4


def test_a_burst_of_which_nothing_arrived_is_lost_and_takes_no_time():
    result = Result()
    result.add({"values": [], "sent": 10, "arrived": 0, "cpu_s": 0.0})
    assert (result.median, result.lost) == (None, 1)


def test_names_come_in_groups():
    assert list(groups(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]


def test_weather_is_the_time_of_the_same_work():
    weather = Weather()
    weather.look()
    weather.look()
    assert len(weather.loop_ms) == 2
    assert all(taken > 0 for taken in weather.loop_ms)
