from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import sync_playwright

from browser.own_page import own_site

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    """A real Chromium without a window."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "no Chromium on PATH: make test installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of one's own at a real Jupyter Server with its default limits."""
    with own_site(tmp_path_factory.mktemp("site")) as site:
        yield site
