from __future__ import annotations

import json

import make_support_table
from browser import classic_notebook


def test_support_table_is_what_the_newest_results_say():
    made = make_support_table.page(make_support_table.newest())
    assert make_support_table.PAGE.read_text("utf-8") == made, "run tools/make_support_table.py"


def test_newest_results_are_about_the_features_of_the_notebook():
    results = json.loads(make_support_table.newest().read_text("utf-8"))
    asked = [{"name": f.name, "about": f.about} for f in classic_notebook.FEATURES]
    assert results["features"] == asked, "run make matrix"
    assert all(
        list(run["results"]) == [f.name for f in classic_notebook.FEATURES]
        for run in results["runs"]
    )
