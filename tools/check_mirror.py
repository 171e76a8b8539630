"""Check that every module has a test file of its own, at the mirrored place.

``src/tsushin/protocol/states.py`` is covered by ``tests/protocol/test_states.py``; a leading
underscore is dropped. ``--coverage [module …]`` also measures each module by its own test file
alone, which is slow: a module that only other modules' tests reach shows up there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path("src/tsushin")
TESTS = Path("tests")

# Modules without behaviour of their own, and where what they say is tested.
ELSEWHERE = {
    "transports/base.py": "tests/transports/",  # a Protocol: each transport's tests hold it
    "frontend/kernel.py": "tests/frontend/",  # a Protocol: each way to a kernel has its tests
}


def test_file(module: Path) -> Path:
    """Return the path of the test file of ``module``; both relative to the repository."""
    inside = module.relative_to(SOURCE)
    return TESTS / inside.with_name(f"test_{inside.name.removeprefix('_')}")


def modules(root: Path) -> Iterator[Path]:
    """Every module that needs a test file; an empty or names-only ``__init__.py`` needs none."""
    for file in sorted((root / SOURCE).rglob("*.py")):
        inside = file.relative_to(root / SOURCE).as_posix()
        if file.name != "__init__.py" and inside not in ELSEWHERE:
            yield file.relative_to(root)


def unmapped(root: Path) -> list[str]:
    """Return one line for each module without its test file."""
    wanted = {module: test_file(module) for module in modules(root)}
    return [
        f"{module}: {test} is missing"
        for module, test in wanted.items()
        if not (root / test).exists()
    ]


def coverage(module: Path) -> str:
    """Return the coverage of one module by its own test file, as coverage.py's last column says."""
    with tempfile.TemporaryDirectory() as folder:
        python = [sys.executable, "-m", "coverage"]
        data = f"--data-file={folder}/coverage"
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(test_file(module))]
        tested = subprocess.run(
            [*python, "run", data, *pytest], cwd=ROOT, check=False, capture_output=True
        )
        report = subprocess.run(
            [*python, "report", data, f"--include={module}", "--format=total"],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
    passed = "" if tested.returncode == 0 else " (its tests failed)"
    return f"{report.stdout.strip() or '0'} %{passed}"


def main(arguments: list[str]) -> int:
    """Print what is unmapped, or the coverage; return the exit status."""
    missing = unmapped(ROOT)
    print("\n".join(missing) or "every module has its test file")
    if arguments[:1] == ["--coverage"]:
        for module in map(Path, arguments[1:]) if arguments[1:] else modules(ROOT):
            if (ROOT / test_file(module)).exists():
                print(f"{coverage(module):>6}  {module}", flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
