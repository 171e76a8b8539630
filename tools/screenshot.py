"""Take the pictures of the README: ``tsushin demo`` with both flows run, light and dark.

    .venv/bin/python tools/screenshot.py

Needs what `make test` installs. The pictures show a real run.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
PICTURES = {"playground.png": "light", "playground-dark.png": "dark"}
SIZE = {"width": 1440, "height": 900}
PINGS = 40  # enough to see a curve
START_TIMEOUT_MS = 30_000
_MAIN = "from tsushin.cli.main import main; main()"


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo; yield the address of its page."""
    command = [sys.executable, "-u", "-c", _MAIN, "demo", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = (re.search(r"http://\S+", line) for line in process.stdout or ())
            yield next(match[0] for match in found if match)
        finally:
            process.send_signal(signal.SIGINT)


def take(browser: Browser, url: str, scheme: str, path: Path) -> None:
    """Run both flows on a fresh page, let some pings pass, and take the picture."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme, device_scale_factor=2)
    page.goto(url)
    expect(page.locator("#connection-state")).to_have_attribute(
        "data-state", re.compile("idle|connected"), timeout=START_TIMEOUT_MS
    )
    for flow in ("#flow-page-opens", "#flow-kernel-opens"):
        page.click(flow)
        page.click("#run-flow")
        expect(page.locator("#python-output")).to_contain_text("received")
    page.click("#ping-toggle")
    page.wait_for_function(
        "n => Number(document.querySelector('#ping-total').textContent) >= n", arg=PINGS
    )
    page.click("#ping-toggle")
    page.screenshot(path=path)
    page.close()


def main() -> int:
    """Write the pictures; return the exit status."""
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, scheme in PICTURES.items():
            take(browser, url, scheme, FOLDER / name)
            print(FOLDER / name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
