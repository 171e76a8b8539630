"""What every row of the benchmarks has to say of itself."""

from __future__ import annotations

import pytest
from bench.row import load_rows, module_names

ROWS = [(module, name) for module in module_names() for name in load_rows(module)]


@pytest.mark.parametrize(("module", "name"), ROWS)
def test_a_row_names_only_variants_it_has(module, name):
    row = load_rows(module)[name]
    named = {row.baseline, *([row.limit] if row.limit else []), *row.points}
    named |= {target.variant for target in row.targets}
    named |= {target.of for target in row.targets if target.of}
    assert named <= set(row.variants)


@pytest.mark.parametrize(("module", "name"), ROWS)
def test_a_curve_has_every_variant_on_it_and_only_a_curve_has_points(module, name):
    row = load_rows(module)[name]
    assert set(row.points) == (set(row.variants) if row.axis else set())


@pytest.mark.parametrize(("module", "name"), ROWS)
def test_a_rate_is_shown_of_microseconds_only(module, name):
    row = load_rows(module)[name]
    assert not row.per_s or row.unit == "µs"
