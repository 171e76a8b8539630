"""The project's own rules: its map, its commands, its contracts, and what no file may hold."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import check_map
import check_mirror

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {
    contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
}

# Paths of one machine: a home, a folder at the root that is nobody else's, a temporary file.
MACHINE_PATH = re.compile(
    r"(?<![\w.~}/])/(?:(?:home|Users|srv|mnt)/\w+|root/|work/|opt/\w+|tmp/\w+)"
)
LOCKED_HOST = re.compile(r'"resolved": "(?!node_modules/|packages/)')
CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)


def git(*args):
    command = ["git", "-c", "safe.directory=*", *args]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def tracked_texts():
    for name in git("ls-files").splitlines():
        file = ROOT / name
        # A tracked file may be gone from the working tree; a picture is no text.
        if file.is_file() and b"\0" not in (head := file.read_bytes()):
            yield name, head.decode()


def found(pattern):
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in tracked_texts()
        for match in pattern.finditer(text)
    ]


def make_alone():
    # Inside `make test` it would say which directory it enters.
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def makefile_targets():
    return re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "text", ["/home/ada/x", "at /root/.cache", 'cd "/work/repo"', "(/opt/env/bin)", "=/tmp/socket"]
)
def test_machine_paths_are_recognised(text):
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "text", ["tests/tmp/x", "/api/kernels", "https://a.example/work/x", "~/tmp/a"]
)
def test_other_paths_are_left_alone(text):
    assert not MACHINE_PATH.search(text)


def test_no_file_holds_a_path_of_one_machine():
    # This file shows what such paths look like.
    own = Path(__file__).relative_to(ROOT).as_posix()
    assert [hit for hit in found(MACHINE_PATH) if not hit.startswith(own)] == []


def test_no_file_holds_a_merge_conflict():
    assert found(CONFLICT) == []


def test_lock_files_name_no_host():
    assert [hit for hit in found(LOCKED_HOST) if "package-lock.json" in hit] == []


def test_every_module_has_its_test_file():
    missing = check_mirror.unmapped(ROOT)
    assert not missing, "\n".join(missing)


def test_the_map_in_contributing_is_right():
    problems = check_map.problems(ROOT)
    assert not problems, "\n".join(problems)


def test_make_alone_lists_every_target():
    listed = [line.split()[0] for line in make_alone()]
    assert sorted(listed) == sorted(makefile_targets())


def test_make_has_the_commands_of_the_design():
    wanted = {"demo", "test", "check", "bench", "fuzz", "docs", "build"}
    assert wanted <= set(makefile_targets())


def test_each_command_is_listed_in_one_line_of_80_characters():
    assert [line for line in make_alone() if len(line) > 80] == []


def test_the_sans_io_contract_covers_every_sans_io_package():
    (contract,) = [c for name, c in CONTRACTS.items() if name.startswith("sans-IO")]
    packages = [f"tsushin.{name}" for name in ("protocol", "profile", "wire")]
    present = {p for p in packages if (ROOT / "src" / p.replace(".", "/")).is_dir()}
    assert set(contract["source_modules"]) == present


def test_every_ignored_lint_rule_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    ignored = [line for line in lines if re.match(r'    "[A-Z]+\d*", *', line)]
    assert ignored
    assert [line for line in ignored if not re.search(r"# \w", line)] == []


def test_changelog_fragments_are_named_for_their_kind():
    names = [Path(name).name for name in git("ls-files", "changelog.d").splitlines()]
    pattern = re.compile(r"[\w-]+\.(added|changed|fixed|removed)\.md")
    assert [n for n in names if n != "README.md" and not pattern.fullmatch(n)] == []


def test_decision_records_are_numbered_without_gaps():
    numbers = sorted(int(file.name[:4]) for file in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(len(numbers)))
