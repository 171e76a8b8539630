"""The mirror check: which test file belongs to which module."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_mirror


@pytest.fixture
def tree(tmp_path):
    def write(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("src/tsushin/errors.py", "tests/test_errors.py"),
        ("src/tsushin/protocol/states.py", "tests/protocol/test_states.py"),
        ("src/tsushin/_version.py", "tests/test_version.py"),
    ],
)
def test_the_test_file_mirrors_the_module(module, test):
    assert check_mirror.test_file(Path(module)) == Path(test)


def test_a_module_without_test_file_is_named_with_the_missing_file(tree):
    root = tree("src/tsushin/wire/zmq.py")
    assert check_mirror.unmapped(root) == [
        "src/tsushin/wire/zmq.py: tests/wire/test_zmq.py is missing"
    ]


def test_a_test_file_elsewhere_does_not_count(tree):
    root = tree("src/tsushin/wire/zmq.py", "tests/transports/test_zmq.py")
    assert len(check_mirror.unmapped(root)) == 1


def test_a_mirrored_module_is_fine(tree):
    root = tree("src/tsushin/wire/zmq.py", "tests/wire/test_zmq.py")
    assert check_mirror.unmapped(root) == []


def test_init_needs_no_test_file(tree):
    assert check_mirror.unmapped(tree("src/tsushin/wire/__init__.py")) == []


def test_every_exception_still_exists():
    source = check_mirror.ROOT / check_mirror.SOURCE
    assert [name for name in check_mirror.ELSEWHERE if not (source / name).exists()] == []
