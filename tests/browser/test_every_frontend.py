"""The classic page's JavaScript, letter for letter, in every frontend of this environment."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache

import pytest

from browser import classic_notebook
from browser.hosts import PATHS, WITH, WITHOUT_TSUSHIN, running_host
from browser.journey import opened

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(90)]

KERNELS = {kernel.name: kernel for kernel in (WITH, WITHOUT_TSUSHIN)}
CASES = [
    (frontend, kernel.name, feature)
    for frontend in PATHS
    for kernel in KERNELS.values()
    for feature in classic_notebook.FEATURES
    if frontend not in feature.not_in and (kernel.has_tsushin or not feature.needs_tsushin)
]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), KERNELS.values()) as host:
        yield host


@pytest.fixture(scope="module")
def journeys(browser, host):
    """One open notebook for each frontend and kernel, opened when first asked for."""
    with ExitStack() as stack:

        @cache
        def journey(frontend, kernel):
            name = f"{frontend}-{kernel}.ipynb"
            return stack.enter_context(opened(browser, host, frontend, KERNELS[kernel], name=name))

        yield journey


@pytest.mark.parametrize(
    ("frontend", "kernel", "feature"), CASES, ids=[f"{f}-{k}-{e.name}" for f, k, e in CASES]
)
def test_feature(journeys, frontend, kernel, feature):
    journey = journeys(frontend, kernel)
    journey.run(feature)
    shown = journey.outputs(feature)
    assert journey.seen(feature) == {"page": feature.page, "kernel": feature.kernel}, shown
    assert [text for text in feature.shown if text not in shown] == []
