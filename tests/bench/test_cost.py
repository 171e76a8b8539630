from __future__ import annotations

import subprocess
import sys
import time

from bench import cost

STATUS = "Name:\tpython\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n"


def test_peak_is_what_the_system_says():
    assert cost.peak_in(STATUS) == 2048 * 1024


def test_a_zombie_has_no_memory():
    assert cost.peak_in("Name:\tpython\nState:\tZ (zombie)\n") == 0


def test_children_count_while_they_live():
    before = cost.cpu_s()
    alone = cost.peak_bytes()
    code = "x = bytearray(50_000_000)\nprint(1, flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        until = time.monotonic() + 10
        while cost.cpu_s() - before < 0.2 and time.monotonic() < until:
            time.sleep(0.01)
        assert cost.cpu_s() - before >= 0.2
        assert cost.peak_bytes() - alone > 50_000_000
        child.kill()
