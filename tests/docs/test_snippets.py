"""The documentation does what it says: every block of every page is run at the end it is about."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright

from docs.blocks import ROOT, pages, parse_blocks, read_blocks
from docs.commands import commands, problems
from docs.notebook import CHROMIUM, CHROMIUM_FLAGS
from docs.reading import Reading

PAGES = pages()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def read(blocks, browser=None):
    with Reading(browser) as reading:
        for block in blocks:
            reading.take(block)


@pytest.mark.interop
@pytest.mark.browser
@pytest.mark.timeout(60)  # a kernel, a browser and several programs, on a busy machine
@pytest.mark.parametrize("page", [p for p in PAGES if any(b.end for b in read_blocks(p))])
def test_page_does_what_it_says(page, request):
    read(read_blocks(page), lambda: request.getfixturevalue("browser"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page):
    transcripts = [block for block in read_blocks(page) if block.info == "console"]
    assert [p for block in transcripts for words in commands(block) for p in problems(words)] == []


def test_both_readmes_have_the_same_blocks():
    english, japanese = (read_blocks(page) for page in ("README.md", "README.ja.md"))
    assert [b.info for b in english] == [b.info for b in japanese]


def test_both_tutorials_have_the_same_blocks():
    english, japanese = (read_blocks(f"docs/tutorial/{page}.md") for page in ("en", "ja"))
    assert [b.info for b in english] == [b.info for b in japanese]


def test_block_without_a_known_kind_is_refused():
    with pytest.raises(ValueError, match=r"page\.md:2: info string 'javascript'"):
        parse_blocks("```javascript\nlet x\n```\n", "page.md")


def test_error_names_the_line_of_the_page():
    blocks = parse_blocks("```python\nprint(1)\n1/0\n```\n", "page.md")
    with pytest.raises(AssertionError, match=r'(?s)page\.md:2: .*"page\.md", line 3'):
        read(blocks)


def test_every_page_is_found():
    assert {"README.md", "README.ja.md", "docs/index.md"} <= set(PAGES)
    assert all((ROOT / page).is_file() for page in PAGES)


def test_output_that_does_not_come_fails(monkeypatch):
    monkeypatch.setattr("docs.program.WAIT_S", 1)
    blocks = parse_blocks("```python\nprint(1)\n```\n```text output\n2\n```\n", "page.md")
    with pytest.raises(AssertionError, match=r"page\.md:5: not within 1 s; printed:\n1\n"):
        read(blocks)


def test_error_that_is_not_shown_fails():
    blocks = parse_blocks("```python\nimport sys; sys.stderr.write('oh')\n```\n", "page.md")
    with pytest.raises(AssertionError, match="exit status 0; stderr: oh"):
        read(blocks)
