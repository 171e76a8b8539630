"""``tsushin demo`` in a process of its own, for tests."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys

import psutil

from endpoint_client import Client
from processes import environment

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
RUN = "import sys; sys.argv[0] = 'tsushin'; from tsushin.cli.main import main; main()"


class Demo:
    """``tsushin demo`` in a process of its own."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", RUN, "demo", "--no-browser", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        self.output = ""

    def read_until(self, pattern):
        """Return the match of what it prints; fails at the end of its output."""
        while (found := re.search(pattern, self.output)) is None:
            line = self.process.stdout.readline()
            assert line, f"ended without {pattern!r}:\n{self.output}"
            self.output += line
        return found

    def client(self):
        url, token = self.read_until(r"(http://\S+/)\?token=(\S+)").groups()
        self.read_until("Ctrl-C")
        client = Client(url, token, "")
        client.kernel_id = client.ask("api/kernels")[2][0]["id"]
        return client

    def family(self):
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def kernel_process(self):
        """Return the one kernel; a process that a kernel starts may look like it for a moment."""
        children = psutil.Process(self.process.pid).children()
        [kernel] = [p for p in children if "ipykernel_launcher" in command_of(p)]
        return kernel

    def end(self, number):
        self.process.send_signal(number)
        self.output += self.process.communicate(timeout=STOP_TIMEOUT_S)[0]
        return self.process.returncode

    def kill(self):
        """End everything it started, if anything is left."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in reversed(self.family()):
                process.kill()


def command_of(process):
    """Return the command line, or "" where it has ended meanwhile."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
