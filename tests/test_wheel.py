"""The wheel and the sdist, built for real: the page is in them, so that installing needs no Node."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import jupyter_server
import pytest
import tornado

from tsushin._version import __version__

ROOT = Path(__file__).resolve().parents[1]
PAGE = "tsushin/server/static"
BRIDGE = "tsushin/kernel/static"
LABEXTENSION = "share/jupyter/labextensions/tsushin-lab"

pytestmark = pytest.mark.timeout(120)  # both are built; the page too where make did not do it


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(built):
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_has_the_whole_page(wheel):
    files = {f.relative_to(ROOT / "src").as_posix() for f in (ROOT / "src" / PAGE).rglob("*.*")}
    assert f"{PAGE}/index.html" in files
    assert files <= set(wheel)


def test_the_page_in_the_wheel_is_the_one_that_was_built(wheel):
    page = (ROOT / "src" / PAGE / "index.html").read_bytes()
    assert wheel[f"{PAGE}/index.html"] == page


def test_the_wheel_has_the_module_of_the_bridge(wheel):
    assert b"msg:custom" in wheel[f"{BRIDGE}/bridge.js"]


def test_the_wheel_installs_the_extension_where_jupyterlab_looks(wheel):
    [described] = [name for name in wheel if name.endswith(f"{LABEXTENSION}/package.json")]
    assert described.split("/")[1:3] == ["data", "share"]
    load = json.loads(wheel[described])["jupyterlab"]["_build"]["load"]
    assert described.replace("package.json", load) in wheel


def test_the_installed_wheel_enables_the_extension_of_jupyter_server(built, tmp_path):
    """In an environment of its own, which borrows all other packages from this one."""
    venv.create(tmp_path, symlinks=True)
    python = tmp_path / "bin" / "python"
    [borrowed] = {str(Path(module.__file__).parents[1]) for module in (jupyter_server, tornado)}
    [packages] = (tmp_path / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(borrowed)
    (file,) = built.glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "-q",
    ]
    subprocess.run([*pip, "--ignore-installed", file], check=True)
    listed = subprocess.run(
        [python, "-m", "jupyter_server", "extension", "list"],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = " ".join(re.sub(r"\x1b\[\d+m", "", listed.stdout).split())
    assert f"tsushin enabled - Validating tsushin... tsushin {__version__} OK" in said


def test_the_wheel_is_typed(wheel):
    assert "tsushin/py.typed" in wheel


def test_the_wheel_has_the_command(wheel):
    (entry_points,) = [text for name, text in wheel.items() if name.endswith("entry_points.txt")]
    assert b"tsushin = tsushin.cli.main:main" in entry_points


def test_the_wheel_has_the_version_of_the_package(wheel):
    (metadata,) = [text for name, text in wheel.items() if name.endswith("METADATA")]
    assert f"\nVersion: {__version__}\n".encode() in metadata


def test_the_wheel_has_nothing_but_the_package(wheel):
    assert {name.partition("/")[0].partition("-")[0] for name in wheel} == {"tsushin"}


@pytest.mark.parametrize(
    "name",
    [
        f"src/{PAGE}/index.html",
        f"src/{BRIDGE}/bridge.js",
        "js/package-lock.json",
        "js/packages/core/src/index.ts",
        "spec/errors.json",
        "hatch_build.py",
        "tools/node.py",
    ],
)
def test_the_sdist_has_what_building_needs(sdist, name):
    assert name in sdist


def test_the_sdist_has_no_installed_packages(sdist):
    assert [name for name in sdist if "node_modules" in name or ".venv" in name] == []
