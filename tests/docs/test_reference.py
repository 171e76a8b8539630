from __future__ import annotations

import json
import re

import pytest

import make_reference
import tsushin
from docs.blocks import ROOT


@pytest.mark.parametrize("name", make_reference.PAGES)
def test_generated_page_is_current(name):
    committed = (ROOT / "docs" / "reference" / name).read_text("utf-8")
    assert committed == make_reference.PAGES[name](), "run tools/make_reference.py"


def test_every_public_name_has_its_place():
    pages = "".join(make() for make in make_reference.PAGES.values())
    unnamed = [n for n in tsushin.__all__ if not re.search(rf"`{n}[`(]|tsushin\.{n}\(", pages)]
    assert unnamed == ["__version__"]


def test_every_name_of_the_api_says_what_it_is():
    blocks = make_reference.api_page().split("\n\n")
    is_head = [block.startswith(("#", "*Python", "*TypeScript")) for block in blocks]
    bare = [
        block
        for block, at_end in zip(blocks, [*is_head[1:], True], strict=True)
        if block.startswith("*") and not block.startswith("**") and at_end
    ]
    assert bare == []


def test_every_error_has_advice_and_no_other():
    errors = json.loads((ROOT / "spec" / "errors.json").read_text("utf-8"))["errors"]
    assert list(make_reference.ADVICE) == [error["code"] for error in errors]
