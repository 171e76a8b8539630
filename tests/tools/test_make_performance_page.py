"""The performance page: several runs as one, what is missing, and plots of what there is."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

import make_performance_page as tool


def variant(median, **more):
    return {
        "median": median,
        "ratio": median / 100,
        "p99": None,
        "spread": [median - 1, median + 1],
        "rounds": 3,
        "measured": 30,
        "sent": 0,
        "arrived": 0,
        "lost": None,
        "cpu_s": 1.0,
        "peak_bytes": 1 << 20,
        **more,
    }


def row(variants, **more):
    return {
        "question": "How long?",
        "unit": "µs",
        "baseline": "old",
        "limit": None,
        "per_s": False,
        "axis": None,
        "weather": {"load": [0, 0], "loop_ms": [1.0, 3.0]},
        "targets": [],
        "variants": variants,
        **more,
    }


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write runs as files, from their rows."""
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    monkeypatch.setattr(tool, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(tool, "IMAGES", tmp_path / "images")

    def files(*runs, day="2026-01-02"):
        made = []
        for count, rows in enumerate(runs, 1):
            file = tmp_path / f"{day}-bench-{count}.json"
            head = {"date": f"{day}T10:00:00", "cores": 2, "system": "Linux", "python": "3.11"}
            whole = {**head, "took_s": 1, "versions": {"comm": "1", "picows": None}, "rows": rows}
            file.write_text(json.dumps(whole))
            made.append(file)
        return made

    return files


def test_figures_of_several_runs_are_their_median_with_the_range(files):
    made = tool.page(files(*({"r": row({"old": variant(m)})} for m in (90, 130, 100))))
    assert "| old (stock) | 100 | 90 to 130 | 1 |" in made
    assert "3 runs of the whole" in made


def test_of_one_run_the_range_is_that_of_its_rounds(files):
    assert "| old (stock) | 100 | 99 to 101 | 1 |" in tool.page(
        files({"r": row({"old": variant(100)})})
    )


def test_what_was_not_measured_says_why(files):
    variants = {
        "old": variant(100),
        "new": {"unavailable": "no lane"},
        "bad": {"failed": "it broke"},
    }
    made = tool.page(files({"r": row(variants)}))
    assert "*new* has no figures: no lane." in made
    assert "*bad* has no figures: failed: it broke." in made


def test_a_run_without_a_variant_does_not_count_for_it(files):
    runs = [
        {"old": variant(100), "new": each} for each in ({"failed": "x"}, variant(40), variant(50))
    ]
    assert "| new | 45 | 40 to 50 |" in tool.page(files(*({"r": row(each)} for each in runs)))


def test_loss_is_the_median_and_the_most(files):
    runs = [variant(10, sent=10, arrived=9, lost=lost) for lost in (0.1, 0.0, 0.5)]
    made = tool.page(files(*({"r": row({"old": each})} for each in runs)))
    assert "10 (50)" in made


def test_targets_say_whether_they_are_reached(files):
    asked = {"variant": "new", "figure": "median", "of": "old", "at_most": 0.25, "met": True}
    made = tool.page(
        files(
            {"good": row({"old": variant(100)}, targets=[{**asked, "value": 0.2}])},
            {"good": row({"old": variant(100)}, targets=[{**asked, "value": 0.3}])},
        )
    )
    assert "| How long? | median of new | 0.25 x old | 0.25 | yes |" in made
    none = row({"old": variant(100)}, targets=[{**asked, "value": None}])
    assert f"0.25 x old | {tool.DASH} | {tool.DASH} |" in tool.page(files({"r": none}))


def test_newest_files_are_those_of_the_last_day_that_are_whole(files, tmp_path):
    files({"r": row({"old": variant(1)})}, day="2026-01-01")
    wanted = files({"r": row({"old": variant(1)})}, {"r": row({"old": variant(1)})})
    (tmp_path / "2026-03-01-bench.json").write_text('{"rows": {}}')  # of an earlier kind
    assert tool.newest() == wanted


def test_plots_are_there_for_both_themes_with_labelled_axes(files, tmp_path):
    curve = {
        f"{line}, {x}": {**variant(100 + x), "line": line, "x": x}
        for line in ("old", "tsushin")
        for x in (1, 10, 100)
    }
    rows = {
        "bars here": row({"old": variant(100), "raw": variant(1)}, limit="raw"),
        "curve": row(curve, baseline="old, 1", axis="open comms"),
        "nothing": row({"old": {"failed": "x"}}),
    }
    tool.write(files(rows))
    found = {file.name for file in (tmp_path / "images").iterdir()}
    assert found == {*tool.plot_names("bars here"), *tool.plot_names("curve")}
    texts = plot_texts(tmp_path / "images" / tool.plot_names("bars here")[0])
    assert "µs, logarithmic; less is better" in texts
    assert {"old", "raw"} <= texts
    texts = plot_texts(tmp_path / "images" / tool.plot_names("curve")[1])
    assert {"open comms, logarithmic", "µs, logarithmic", "old", "tsushin"} <= texts
    assert "../images/bench-curve-dark.svg" in (tmp_path / "page.md").read_text()


def plot_texts(file):
    """Return what is written in a plot."""
    return {(each.text or "").strip() for each in ET.parse(file).iter() if each.text}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, tool.DASH), (0, "0"), (0.00333, "0.00333"), (12.345, "12.3"), (48010.4, "48,010")],
)
def test_numbers_have_three_digits_that_count(value, shown):
    assert tool.number(value) == shown


def test_colours_tell_stock_ours_lane_and_limit_apart():
    made = row({}, limit="limit")
    names = (
        "ipykernel",
        "tsushin",
        "lane, run",
        "raw pyzmq",
        "limit",
        "Jupyter Server with extension",
    )
    kinds = [tool.kind(made, name) for name in names]
    assert kinds == ["stock", "ours", "lane", "limit", "limit", "ours"]
