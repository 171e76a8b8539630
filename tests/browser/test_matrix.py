"""The classic notebook over the product of frontends and kernels; `make matrix`.

Each run is one test: a page of its own, every feature in it. Once all runs have been made, what was found is
written to docs/results, from which tools/make_support_table.py makes the support table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

import matrix
from browser import classic_notebook, matrix_results
from browser.hosts import WITH, WITHOUT_TSUSHIN, Kernel, running_host
from browser.journey import opened
from browser.matrix_results import PASSED, versions

pytestmark = [pytest.mark.browser, pytest.mark.matrix, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Frontend:
    """One column of the support table: a page of a server in some environment."""

    kind: str
    package: str
    python: str = sys.executable

    @property
    def label(self):
        return f"{self.kind}-{versions(self.python, self.package)[0]}"


OLD = matrix.python("lab-4.0")
FRONTENDS = {
    "lab-new": Frontend("lab", "jupyterlab"),
    "lab-4.0": Frontend("lab", "jupyterlab", OLD),
    "notebook-new": Frontend("notebook", "notebook"),
    "notebook-7.0": Frontend("notebook", "notebook", OLD),
    "nbclassic": Frontend("nbclassic", "nbclassic"),
}
KERNELS = {
    "ipykernel-7": WITH,
    "ipykernel-7-without": WITHOUT_TSUSHIN,
    "ipykernel-6.30": Kernel("ipykernel-6", matrix.python("ipykernel-6.30")),
}
PRODUCT = [(frontend, kernel) for frontend in FRONTENDS for kernel in KERNELS]


@pytest.fixture(scope="module")
def runs(browser):
    """Collects what was found; written only when nothing of the product is missing."""
    runs = {}
    yield runs
    if set(runs) == set(PRODUCT):
        ordered = [runs[key] for key in PRODUCT]
        print(f"\nwritten: {matrix_results.write(ordered, browser.version)}")  # noqa: T201


def result(journey, frontend, kernel, feature):
    """Run one feature; returns what the results file says of it."""
    if frontend.kind in feature.not_in:
        return f"not there: {feature.not_in[frontend.kind]}"
    if feature.needs_tsushin and not kernel.has_tsushin:
        return "not there: no Tsushin in the kernel"
    try:
        journey.run(feature)
        shown, seen = journey.outputs(feature), journey.seen(feature)
    except Exception as error:  # whatever it is, the other features are still asked
        return f"failed: {str(error).splitlines()[0]}"
    if seen != {"page": feature.page, "kernel": feature.kernel}:
        return f"failed: noted {seen}"
    missing = [text for text in feature.shown if text not in shown]
    return f"failed: not shown: {missing}" if missing else PASSED


def described(frontend, kernel):
    """What a run was made with."""
    version, server = versions(frontend.python, frontend.package, "jupyter_server")
    ipykernel = versions(kernel.python, "ipykernel")[0]
    return {
        "frontend": frontend.kind,
        "version": version,
        "server": server,
        "kernel": ipykernel,
        "tsushin": kernel.has_tsushin,
    }


@pytest.mark.parametrize(("frontend_name", "kernel_name"), PRODUCT)
def test_classic_notebook(browser, runs, tmp_path, frontend_name, kernel_name):
    frontend, kernel = FRONTENDS[frontend_name], KERNELS[kernel_name]
    with (
        running_host(tmp_path, [kernel], python=frontend.python) as host,
        opened(browser, host, frontend.kind, kernel) as journey,
    ):
        results = {
            feature.name: result(journey, frontend, kernel, feature)
            for feature in classic_notebook.FEATURES
        }
    runs[frontend_name, kernel_name] = {**described(frontend, kernel), "results": results}
    assert {k: v for k, v in results.items() if v.startswith("failed")} == {}
