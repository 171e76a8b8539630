"""Preparing a machine: what each command asks for, and what is said when it cannot be had."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise

import pytest

import prepare

PYPROJECT = tomllib.loads((prepare.ROOT / "pyproject.toml").read_text())
MAKEFILE = (prepare.ROOT / "Makefile").read_text()


def package_name(requirement):
    return re.match(r"[\w.-]+", requirement).group().lower()


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """A virtual environment whose Python only notes how it was called."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    python.chmod(0o755)
    monkeypatch.setattr(prepare, "VENV", tmp_path)
    monkeypatch.setattr(prepare, "PYTHON", python)
    return tmp_path


def calls(venv):
    noted = venv / "calls"
    return noted.read_text().splitlines() if noted.exists() else []


@pytest.mark.parametrize("target", re.findall(r"prepare\.py (\w+)", MAKEFILE))
def test_every_preparation_of_the_makefile_is_known(target):
    assert target in prepare.INSTALLS


@pytest.mark.parametrize("asked", prepare.INSTALLS.values(), ids=prepare.INSTALLS)
def test_what_is_installed_is_in_pyproject(asked):
    groups = {name for flag, name in pairwise(asked) if flag == "--group"}
    extras = {extra for word in asked for extra in re.findall(r"\[(\w+)\]", word)}
    assert groups <= set(PYPROJECT["dependency-groups"])
    assert extras <= set(PYPROJECT["project"]["optional-dependencies"])


def test_every_package_that_make_installs_is_pinned():
    pins = {line.partition("==")[0] for line in prepare.CONSTRAINTS.read_text().splitlines()}
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    asked += [name for group in PYPROJECT["dependency-groups"].values() for name in group]
    assert {package_name(a).replace("_", "-") for a in asked} <= {p.replace("_", "-") for p in pins}


def test_installing_is_done_once(venv):
    prepare.install("demo")
    prepare.install("demo")
    assert len(calls(venv)) == 1


def test_installing_is_done_again_when_something_else_is_asked_for(venv, monkeypatch, tmp_path):
    prepare.install("demo")
    monkeypatch.setattr(prepare, "CONSTRAINTS", tmp_path / "others.txt")
    (tmp_path / "others.txt").write_text("msgspec==1\n")
    prepare.install("demo")
    assert len(calls(venv)) == 2


def test_a_failed_install_is_not_taken_for_done(venv):
    (venv / "bin" / "python").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(prepare.CannotPrepare, match="status 3"):
        prepare.install("demo")
    assert not list(venv.glob(".installed-for-*"))


def test_an_existing_environment_is_kept(venv):
    prepare.make_venv()
    assert calls(venv) == []


def test_without_apt_the_missing_package_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(prepare.CannotPrepare, match="please install `chromium`"):
        prepare.install_chromium()


def test_a_chromium_that_is_there_is_taken(monkeypatch, tmp_path):
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    prepare.install_chromium()


def test_make_with_an_old_python_says_which_one_is_needed(venv, monkeypatch):
    (venv / "bin" / "python").unlink()
    monkeypatch.setattr(prepare.sys, "version_info", (3, 10, 1))
    with pytest.raises(prepare.CannotPrepare, match=r"3\.11 is needed, this is 3\.10\.1"):
        prepare.make_venv()
