from __future__ import annotations

import make_performance_page as tool


def test_performance_page_is_what_the_newest_results_say():
    files = tool.newest()
    made = tool.page(files) if files else None
    there = tool.PAGE.read_text("utf-8") if tool.PAGE.exists() else None
    assert there == made, "run tools/make_performance_page.py"


def test_every_plot_of_the_performance_page_is_there():
    there = tool.PAGE.read_text("utf-8") if tool.PAGE.exists() else ""
    plots = {file.name for file in tool.IMAGES.glob("bench-*.svg")}
    assert plots == {line.rsplit("/", 1)[1] for line in there.splitlines() if "../images/" in line}
