"""One variant in a process of its own: sets up, then measures one batch for each line on stdin.

Speaks JSON lines: ``{"ready": true}`` once, then ``{"values": [...]}`` per batch, and at the end what the
process cost (CPU seconds, peak memory in bytes, own and children's).
"""

from __future__ import annotations

import json
import resource
import sys

from bench.row import load_rows


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def cost() -> dict[str, float]:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    kib = 1024  # ru_maxrss is in KiB on Linux
    return {
        "cpu_s": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_bytes": max(own.ru_maxrss, children.ru_maxrss) * kib,
    }


def main() -> None:
    row = load_rows(sys.argv[1])[sys.argv[2]]
    with row.variants[sys.argv[3]]() as batch:
        say(ready=True)
        for _ in sys.stdin:
            say(values=batch())
    say(**cost())


if __name__ == "__main__":
    main()
