"""Links inside the repository lead somewhere."""

from __future__ import annotations

import re

import pytest

from docs.blocks import ROOT, pages

_LINK = re.compile(r"""\]\(([^)#\s]+)[^)]*\)|src(?:set)?="([^"]+)" """.strip())


@pytest.mark.parametrize("page", [*pages(), "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(page):
    file = ROOT / page
    # Code may look like a link; what it links to is not ours.
    text = re.sub(r"^```.*?^```$", "", file.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [a or b for a, b in _LINK.findall(text) if ":" not in (a or b)]
    assert [link for link in links if not (file.parent / link).exists()] == []
