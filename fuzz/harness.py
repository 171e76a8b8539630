"""Run one fuzz target with coverage guidance, from the vectors as seeds.

libFuzzer's last lines say how many runs there were; a finding ends the process with a non-zero code and
leaves the input as ``crash-…`` in ``fuzz/.findings``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import atheris

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "spec" / "vectors"
FINDINGS = HERE / ".findings"
MAX_INPUT_BYTES = 4096
SEPARATOR = b"\x00\xff\x00"  # between the parts of one input, where a target joins them
COMPARE_LEVELS = 20_000
MAX_ERROR_CHARS = 300


class Finding(Exception):
    """The invariant of a target does not hold."""


def expect(holds: bool, what: str) -> None:  # noqa: FBT001 (reads like assert)
    """Raise Finding unless ``holds``."""
    if not holds:
        raise Finding(what)


def expect_brief(error: Exception) -> None:
    """Raise Finding if an error's text is long: it would hold what the peer sent."""
    expect(len(str(error)) < MAX_ERROR_CHARS, "a long error text")


def run(target: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Fuzz ``target`` for ``--seconds``, then exit; or replay the inputs named on the command line."""
    parser = argparse.ArgumentParser(description=target.__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("inputs", nargs="*", type=Path, help="findings to replay instead")
    options = parser.parse_args()
    if options.inputs:
        for path in options.inputs:
            target(path.read_bytes())
        return
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            Path(corpus, f"{number:04}").write_bytes(seed)
        flags = [
            f"-max_total_time={options.seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-artifact_prefix={FINDINGS}/",
            f"-dict={HERE / 'tokens.dict'}",
            "-timeout=5",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *flags, corpus], target)
        atheris.Fuzz()


def cases(carrier: str) -> list[dict[str, Any]]:
    """Return every vector of a carrier, valid and invalid."""
    return [json.loads(path.read_text()) for path in sorted((VECTORS / carrier).rglob("*.json"))]


def frames(case: dict[str, Any]) -> Iterator[bytes]:
    """Return the frames of a vector in hex as bytes."""
    return map(bytes.fromhex, case["frames"])


@contextmanager
def deep() -> Iterator[None]:
    """Let what was decoded be encoded and compared: that needs a few levels more than decoding did."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(COMPARE_LEVELS)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
