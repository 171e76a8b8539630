"""The map check: paths of the first column exist, and no folder is left out."""

from __future__ import annotations

import subprocess

import pytest

import check_map

MAP = """# Contributing

## The map

| where | what |
|---|---|
| `src/tsushin/wire/` | bytes, see `elsewhere/` |
| `Makefile`, `spec/` | commands |

## Next

| `not/here` | x |
"""


@pytest.fixture
def clone(tmp_path):
    for name in ("src/tsushin/wire/zmq.py", "spec/errors.json", "Makefile", "CONTRIBUTING.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "CONTRIBUTING.md").write_text(MAP)
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_paths_are_those_of_the_first_column_of_the_map():
    assert check_map.paths(MAP) == ["src/tsushin/wire/", "Makefile", "spec/"]


def test_a_text_without_map_is_an_error():
    with pytest.raises(ValueError, match="## The map"):
        check_map.paths("# Contributing\n")


def test_a_right_map_has_no_problems(clone):
    assert check_map.problems(clone) == []


def test_a_path_that_is_gone_is_named(clone):
    (clone / "Makefile").unlink()
    assert check_map.problems(clone) == ["Makefile: on the map, but does not exist"]


@pytest.mark.parametrize("folder", ["bench", "src/tsushin/transports"])
def test_a_folder_that_is_not_on_the_map_is_named(clone, folder):
    (clone / folder).mkdir()
    (clone / folder / "new.py").touch()
    subprocess.run(["git", "add", "."], cwd=clone, check=True)
    assert check_map.problems(clone) == [f"{folder}/: not on the map"]
