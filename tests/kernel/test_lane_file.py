from __future__ import annotations

import os

import pytest
from jupyter_client.connect import find_connection_file

from tsushin.kernel.lane_file import (
    LaneAddress,
    lane_file,
    read_lane_file,
    remove_lane_file,
    write_lane_file,
)

ADDRESS = LaneAddress(40_001, "s" * 32)


@pytest.fixture
def path(tmp_path):
    return lane_file(tmp_path / "kernel-abc.json")


def test_what_was_written_is_read(path):
    write_lane_file(path, ADDRESS)
    assert read_lane_file(path) == ADDRESS


def test_it_is_written_anew(path):
    write_lane_file(path, ADDRESS)
    write_lane_file(path, LaneAddress(40_002, "t" * 32))
    assert read_lane_file(path).port == 40_002
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_those_of_kernels_that_were_killed_are_removed(path):
    write_lane_file(path, ADDRESS)
    alive, killed = (path.with_name(f"kernel-{name}.json") for name in ("alive", "killed"))
    (path.parent.parent / alive.name).write_text("{}")
    for other in (alive, killed):
        other.write_text("{}")
    write_lane_file(path, ADDRESS)
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, alive.name}


def test_only_its_user_can_read_it(path):
    write_lane_file(path, ADDRESS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_who_looks_for_connection_files_does_not_find_it(path):
    connection_file = path.parent.parent / path.name
    connection_file.write_text("{}")
    write_lane_file(path, ADDRESS)
    folder = str(connection_file.parent)
    assert find_connection_file("abc", path=[folder]) == str(connection_file)


def test_there_is_none_once_it_is_removed(path):
    write_lane_file(path, ADDRESS)
    remove_lane_file(path)
    remove_lane_file(path)
    assert read_lane_file(path) is None


def test_one_that_others_can_read_does_not_count(path):
    write_lane_file(path, ADDRESS)
    path.chmod(0o644)
    assert read_lane_file(path) is None


def test_another_users_does_not_count(path):
    write_lane_file(path, ADDRESS)
    os.chown(path, 65_534, -1)
    assert read_lane_file(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"port": 1}',
        b'{"port": 0, "secret": "%s"}' % (b"s" * 32),
        b'{"port": 1, "secret": ""}',
    ],
)
def test_a_broken_one_does_not_count(path, content):
    write_lane_file(path, ADDRESS)
    path.write_bytes(content)
    assert read_lane_file(path) is None
