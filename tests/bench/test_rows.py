"""Every variant of every row gives figures: the quick rows always, all of them by ``-m bench``."""

from __future__ import annotations

import pytest
from bench.harness import run_row
from bench.row import load_rows, module_names

QUICK = [("comm_send", "small"), ("server_libraries", "idle")]
ROWS = [(module, name) for module in module_names() for name in load_rows(module)]


def check(module, name):
    results, _ = run_row(module, name, rounds=1, seconds=0, progress=lambda _: None)
    row = load_rows(module)[name]
    assert {n: r.why_not for n, r in results.items() if r.has_failed} == {}
    assert not results[row.baseline].why_not
    for result in results.values():
        assert result.why_not or (result.median > 0 and result.peak_bytes > 0)


@pytest.mark.timeout(120)
@pytest.mark.interop
@pytest.mark.parametrize(("module", "name"), QUICK)
def test_quick_rows_measure(module, name):
    check(module, name)


@pytest.mark.timeout(600)
@pytest.mark.bench
@pytest.mark.parametrize(("module", "name"), ROWS)
def test_all_rows_measure(module, name):
    check(module, name)
