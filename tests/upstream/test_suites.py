"""The test suites of others, unmodified, with us attached; `make matrix`.

Each suite is taken from its sdist and run twice: with us switched off, and attached. What fails only when we
are attached has to be on the list of differences, with the reason; what fails both times is not about us:
tests that need the whole repository, or want to make the shell that a kernel has already.

ipykernel's tests start kernels of their own: a startup file attaches in each. The others run inside a kernel
that is attached, as they would in a notebook.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from processes import SOURCE
from tsushin import connect_sync

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

RESULTS = Path(__file__).parents[2] / "docs" / "results"
RUN_S = 400  # one run of one suite
OPTIONS = [
    "-q",
    "--continue-on-collection-errors",
    "-p",
    "no:randomly",
    "-o",
    "asyncio_mode=auto",
    "-o",
    "addopts=",
]

# What tests of others import beside what ours do.
EXTRA = ["flaky", "pytz", "watchfiles", "psygnal", "pydantic", "ipyparallel", "anyio"]


@dataclass(frozen=True)
class Suite:
    """One project's tests.

    Attributes:
        name: on PyPI.
        paths: below the unpacked sdist.
        differs: test -> why it fails with us attached.
    """

    name: str
    paths: list[str]
    differs: dict[str, str]


SUITES = [
    Suite(
        "ipykernel",
        [
            f"tests/test_{name}.py"
            for name in (
                "comm",
                "kernel",
                "message_spec",
                "subshells",
                "subshell_wedge",
                "async",
                "connect",
            )
        ],
        {
            "test_non_execute_stop_on_error": "expects the reply to comm_info behind that of the running "
            "cell; with us it is answered while the cell runs",
        },
    ),
    Suite("ipywidgets", ["ipywidgets/widgets/tests", "ipywidgets/tests"], {}),
    Suite("anywidget", ["tests"], {}),
]
RUN_HERE = """
import os, sys, pytest, tsushin.kernel
tsushin.kernel.attach_if_kernel()
os.chdir({folder!r})
sys.path[:0] = {path!r}
code = pytest.main({arguments!r})
"""


@pytest.fixture(scope="session")
def extra(tmp_path_factory):
    """A folder with what the suites import and we do not have."""
    folder = tmp_path_factory.mktemp("extra")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
    subprocess.run([*pip, *EXTRA], check=True, timeout=300, capture_output=True)
    for ours in ("ipykernel", "IPython", "tornado", "zmq", "traitlets", "jupyter_client"):
        subprocess.run(["rm", "-rf", folder / ours], check=True)  # those of the environment count
    return folder


@pytest.fixture(scope="session")
def seen():
    """What was seen, written when all is done."""
    seen = {}
    yield seen
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y-%m-%d}-upstream.json"
    path.write_text(json.dumps({"date": f"{now:%Y-%m-%d}", "suites": seen}, indent=2) + "\n")
    print(f"\nwritten: {path}")  # noqa: T201


@pytest.fixture(params=SUITES, ids=lambda suite: suite.name)
def suite(request):
    return request.param


@pytest.fixture
def unpacked(suite, tmp_path):
    name = f"{suite.name}=={version(suite.name)}"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        suite.name,
    ]
    subprocess.run([*pip, "-d", tmp_path, name], check=True, timeout=300, capture_output=True)
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    [folder] = [path for path in tmp_path.iterdir() if path.is_dir()]
    # The tests are the sdist's, the package is the environment's.
    if suite.name == "ipykernel":
        subprocess.run(["rm", "-rf", folder / "ipykernel"], check=True)
    return folder


def environment(tmp_path, extra, *, is_attached):
    """Return the environment of a run; attached in every kernel that it starts, or switched off."""
    ipython = tmp_path / ("attached" if is_attached else "stock")
    startup = ipython / "profile_default" / "startup"
    startup.mkdir(parents=True)
    if is_attached:
        attach = "import tsushin.kernel\ntsushin.kernel.attach_if_kernel()\n"
        (startup / "00-tsushin.py").write_text(attach)
    return {
        **os.environ,
        "IPYTHONDIR": str(ipython),
        "PYTHONPATH": f"{SOURCE}{os.pathsep}{extra}",
        **({} if is_attached else {"TSUSHIN_DISABLE": "1"}),
    }


def outcomes(report):
    """Return the names of tests by outcome, from a report in JUnit's format."""
    found = {"passed": set(), "failed": set(), "skipped": set()}
    for case in ET.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = (
            "failed"
            if kinds & {"failure", "error"}
            else "skipped"
            if "skipped" in kinds
            else "passed"
        )
        found[outcome].add(f"{case.get('classname')}::{case.get('name')}")
    return found


def run(suite, folder, env, report):
    arguments = [*OPTIONS, f"--junitxml={report}", f"--rootdir={folder}", *suite.paths]
    if suite.name == "ipykernel":
        command = [sys.executable, "-m", "pytest", "-c", "/dev/null", *arguments]
        subprocess.run(
            command, cwd=folder, env=env, timeout=RUN_S, check=False, capture_output=True
        )
        return outcomes(report)
    before = dict(os.environ)
    os.environ.update(env)
    try:
        with connect_sync("python3") as fe:
            path = [str(folder), *env["PYTHONPATH"].split(os.pathsep)]
            arguments = ["-c", "/dev/null", *arguments]
            code = RUN_HERE.format(folder=str(folder), path=path, arguments=arguments)
            fe.execute(code, timeout=RUN_S)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return outcomes(report)


def test_what_passes_without_us_passes_with_us(suite, unpacked, tmp_path, extra, seen):
    found = {}
    for mode in ("stock", "attached"):
        env = environment(tmp_path, extra, is_attached=mode == "attached")
        found[mode] = run(suite, unpacked, env, tmp_path / f"{mode}.xml")
    stock, attached = found["stock"], found["attached"]
    only_with_us = {name.rpartition("::")[2] for name in attached["failed"] - stock["failed"]}
    seen[suite.name] = {
        "version": version(suite.name),
        **{mode: {kind: len(names) for kind, names in found[mode].items()} for mode in found},
        "fails with us only": {name: suite.differs.get(name, "?") for name in sorted(only_with_us)},
        "fails without us too": sorted(stock["failed"]),
    }
    assert stock["passed"]
    assert only_with_us == set(suite.differs)
