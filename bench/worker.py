"""One variant in a process of its own: sets up, then measures one batch for each line on stdin.

Speaks JSON lines. First ``{"ready": true}``, or ``{"unavailable": why}``, or ``{"failed": why}``. For each
line ``{"values": [...], "sent": count, "arrived": count, "cpu_s": seconds}``, where the seconds are those of
the batch alone, in this process and all below it. At the end ``{"peak_bytes": …}``, of the same processes.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback

from bench import cost
from bench.row import NotAvailable, Sample, load_rows


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def measure(module: str, row_name: str, variant: str) -> None:
    with load_rows(module)[row_name].variants[variant]() as batch:
        say(ready=True)
        for _ in sys.stdin:
            begun = cost.cpu_s()
            taken = batch()
            spent = cost.cpu_s() - begun
            sample = taken if isinstance(taken, Sample) else Sample(taken, 0, 0)
            say(
                values=list(sample.values),
                sent=sample.sent,
                arrived=sample.arrived,
                cpu_s=spent,
            )
        say(peak_bytes=cost.peak_bytes())


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is torn down
    try:
        measure(*sys.argv[1:4])
    except NotAvailable as why:
        say(unavailable=str(why))
    except Exception as error:
        traceback.print_exc()
        say(failed=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
