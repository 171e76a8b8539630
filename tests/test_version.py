"""One version for the wheel and every npm package."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tsushin._version import __version__

PACKAGES = sorted((Path(__file__).parents[1] / "js" / "packages").glob("*/package.json"))


def test_the_version_is_one_that_both_registries_read_alike():
    # PEP 440 and SemVer agree on three plain numbers only.
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.parent.name)
def test_npm_package_has_the_version_of_the_wheel(package):
    assert json.loads(package.read_text())["version"] == __version__


def test_the_npm_package_called_tsushin_is_among_them():
    assert "tsushin" in {json.loads(package.read_text())["name"] for package in PACKAGES}
