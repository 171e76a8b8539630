"""Every example runs, and does what its head says."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

import tsushin
from docs.blocks import ROOT
from docs.notebook import CHROMIUM, CHROMIUM_FLAGS

EXAMPLES = ROOT / "examples"
WAIT_S = 15
ENV = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"}
# How bright the page of volume.py shows the pixel at (x, x).
PIXEL = "x => document.querySelector('canvas').getContext('2d').getImageData(x, x, 1, 1).data[0]"

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]


def run(*command):
    """Run a Python program to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=2 * WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(name):
    """Start an example that serves; yield the address it says. Ctrl-C must end it well."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name)],
        cwd=ROOT,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], WAIT_S)
        said = process.stdout.readline().decode() if ready else ""
        yield re.search(r"http://\S+", said)[0]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=WAIT_S)
        assert (process.returncode, rest.decode()) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_python_frontend():
    assert run(EXAMPLES / "python_frontend.py").splitlines() == [
        "opened with {'steps': 3}",
        "progress {'step': 0}",
        "progress {'step': 1}",
        "progress {'step': 2}",
        "closed with {'result': 'done'}",
        "answer {'words': 7}",
    ]


def test_plain_process():
    with (
        started("plain_process.py") as url,
        tsushin.connect_sync(url) as fe,
        tsushin.connect_sync(url) as other,
    ):
        watching = other.comm_manager.new_comm("thermostat")
        comm = fe.comm_manager.new_comm("thermostat")
        other.comms()  # answered behind the open: the process knows both comms
        comm.send({"set": 23})
        for one in (comm, watching):
            assert one.expect_msg(WAIT_S).result()["content"]["data"] == {"setting": 23.0}


@pytest.mark.browser
def test_own_page():
    with sync_playwright() as playwright, started("own_page.py") as url:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = chromium.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (it marks what it gets)
        page.goto(url)
        page.get_by_role("button", name="Roll").click()
        expect(page.locator("output")).to_have_text(re.compile(r"You rolled [1-6]\."))
        chromium.close()
        assert errors == []


@pytest.mark.browser
def test_volume():
    with sync_playwright() as playwright, started("volume.py") as url:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = chromium.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (it marks what it gets)
        page.goto(url)
        said = page.locator("output")
        expect(said).to_have_text("slice 64 of 64, done", timeout=WAIT_S * 1000)
        lobe, middle = (page.evaluate(PIXEL, at) for at in (21, 31))
        assert (lobe > 240, middle < 10) == (True, True)
        page.reload()
        page.get_by_role("button", name="Stop").click()
        expect(said).to_have_text(re.compile(r"slice \d+ of 64, stopped"))
        chromium.close()
        assert errors == []


@pytest.mark.browser
def test_telescope():
    with sync_playwright() as playwright, started("telescope.py") as url:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        first, second = chromium.new_page(), chromium.new_page()
        errors = []
        for page in (first, second):
            page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (it marks what it gets)
        first.goto(url)
        expect(first.locator("output")).to_have_text("dome 1 at 0°")  # the snapshot
        first.get_by_role("button", name="East").click()
        expect(first.locator("output")).to_have_text("dome 1 at 90°, watched by 1")
        second.goto(url)  # it comes late
        expect(second.locator("output")).to_have_text("dome 1 at 90°")
        assert second.evaluate("document.querySelector('path').getAttribute('d')").count("L") >= 29
        second.get_by_role("button", name="South").click()
        for page in (first, second):
            expect(page.locator("output")).to_have_text("dome 1 at 180°, watched by 2")
        first.reload()
        expect(first.locator("output")).to_have_text("dome 1 at 180°")
        chromium.close()
        assert errors == []


def test_library_test():
    assert "5 passed" in run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / "library_test.py"
    )


def test_every_example_is_run_here():
    names = {path.stem for path in EXAMPLES.iterdir() if path.suffix in (".py", ".html")}
    assert (
        names
        == {name.removeprefix("test_") for name in globals() if name.startswith("test_")} & names
    )
