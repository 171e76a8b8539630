"""The support table: what it says of results that are good, missing and bad."""

from __future__ import annotations

import json

import pytest

import make_support_table

FEATURES = [{"name": "a", "about": "the first"}, {"name": "b", "about": "the second"}]


def run_of(frontend, *, tsushin=True, **results):
    return {
        "frontend": frontend,
        "version": "4.6.6",
        "server": "2",
        "kernel": "7.4.0",
        "tsushin": tsushin,
        "results": {"a": "passed", "b": "passed", **results},
    }


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Make the page from some runs."""
    monkeypatch.setattr(make_support_table, "ROOT", tmp_path)

    def page(*runs):
        file = tmp_path / "2026-01-01-frontends.json"
        results = {"date": "2026-01-01", "chromium": "1", "features": FEATURES, "runs": runs}
        file.write_text(json.dumps(results))
        return make_support_table.page(file)

    return page


def test_what_passed_with_every_kernel_is_a_yes(page):
    made = page(run_of("lab"), run_of("lab", tsushin=False), run_of("nbclassic"))
    assert "|  | JupyterLab 4.6.6 | nbclassic 4.6.6 |" in made
    assert "| the first | yes | yes |" in made


def test_what_needs_tsushin_in_the_kernel_says_so(page):
    made = page(
        run_of("lab"), run_of("lab", tsushin=False, b="not there: no Tsushin in the kernel")
    )
    assert "| the second | with Tsushin |" in made


def test_what_a_frontend_cannot_do_has_its_reason(page):
    made = page(run_of("nbclassic", b="not there: it has no modules"))
    assert f"| the second | {make_support_table.DASH} |" in made
    assert "- nbclassic 4.6.6, the second: it has no modules\n" in made


def test_one_failure_makes_a_no_and_says_with_which_kernel(page):
    made = page(run_of("lab"), run_of("lab", tsushin=False, a="failed: noted []"))
    assert "| the first | **no** |" in made
    assert "the first: `noted []` (ipykernel 7.4.0 without Tsushin)\n" in made
