"""Finding Node, and telling a built page from an old one."""

from __future__ import annotations

import os

import pytest

import node


@pytest.fixture
def machine(tmp_path):
    def folder(name, version, *, npm=True):
        place = tmp_path / name
        place.mkdir()
        programs = {"node": f"echo {version}"} | ({"npm": "true"} if npm else {})
        for program, body in programs.items():
            (place / program).write_text(f"#!/bin/sh\n{body}\n")
            (place / program).chmod(0o755)
        return place

    return folder


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(node, "JS", tmp_path / "js")
    monkeypatch.setattr(node, "BUILT", [tmp_path / "static", tmp_path / "bridge"])

    def write(name, time):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (time, time))

    write("js/packages/core/src/index.ts", 100)
    write("bridge/bridge.js", 101)
    return write


def path(*folders):
    return os.pathsep.join(map(str, folders))


def test_the_first_new_enough_node_is_taken(machine):
    old, new, newer = machine("a", "v18.9.1"), machine("b", "v20.0.0"), machine("c", "v24.1.0")
    assert node.find_node(path(old, new, newer)) == new


def test_node_without_npm_does_not_count(machine):
    assert node.find_node(path(machine("a", "v22.0.0", npm=False))) is None


def test_a_node_that_says_nonsense_does_not_count(machine):
    assert node.find_node(path(machine("a", "hello"))) is None


def test_no_node_is_none(tmp_path):
    assert node.find_node(str(tmp_path)) is None


def test_without_node_the_error_says_what_to_do():
    assert f"pip install '{node.NODE_REQUIREMENT}'" in str(node.NodeMissing())


def test_a_page_newer_than_its_sources_is_built(workspace):
    workspace("static/index.html", 101)
    assert node.is_built()


def test_a_page_as_old_as_its_sources_is_built(workspace):
    workspace("static/index.html", 100)
    assert node.is_built()


def test_a_missing_page_is_not_built(workspace):
    assert not node.is_built()


def test_nothing_is_built_while_one_folder_is_empty(workspace, tmp_path):
    workspace("static/index.html", 101)
    (tmp_path / "bridge" / "bridge.js").unlink()
    assert not node.is_built()


def test_a_page_older_than_a_source_is_not_built(workspace):
    workspace("static/index.html", 101)
    workspace("js/package-lock.json", 102)
    assert not node.is_built()


@pytest.mark.parametrize("name", ["node_modules/x/index.js", "packages/core/dist/index.js"])
def test_generated_files_are_no_sources(workspace, name):
    workspace("static/index.html", 101)
    workspace(f"js/{name}", 102)
    assert node.is_built()
