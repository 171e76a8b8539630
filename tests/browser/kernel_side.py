"""What a test sees of a kernel that a page uses: by a client of its own, beside the page."""

from __future__ import annotations

import ast
import time
from contextlib import contextmanager

from jupyter_client.blocking.client import BlockingKernelClient

TIMEOUT_S = 20
WAIT_S = 10
POLL_S = 0.05


class KernelSide:
    """Asks one kernel for values of its namespace, silently.

    It opens no comm and reads no iopub message, so it cannot be taken for one of the ends.
    """

    def __init__(self, connection_file):
        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._client.load_connection_file()
        self._client.start_channels(iopub=False, stdin=False, hb=False, control=False)

    def value(self, expression):
        """Return what ``repr(expression)`` shows there, read as a literal."""
        asked = self._client.execute(
            "", silent=True, store_history=False, user_expressions={"value": expression}
        )
        result = self._reply(asked)["content"]["user_expressions"]["value"]
        assert result["status"] == "ok", result
        return ast.literal_eval(result["data"]["text/plain"])

    def start(self, code):
        """Run code there, and do not wait for its end."""
        return self._client.execute(code, silent=True, store_history=False)

    def run(self, code, timeout_s=TIMEOUT_S):
        """Run code there, and return once it has ended well."""
        reply = self._reply(self.start(code), timeout_s)
        assert reply["content"]["status"] == "ok", reply["content"]

    def _reply(self, msg_id, timeout_s=TIMEOUT_S):
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            reply = self._client.get_shell_msg(timeout=left)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply
        raise AssertionError(f"no answer within {timeout_s} s")

    def wait_for(self, expression, seconds=WAIT_S):
        """Return True once ``expression`` is true there, False when time is up."""
        until = time.monotonic() + seconds
        while not self.value(f"bool({expression})"):
            if time.monotonic() > until:
                return False
            time.sleep(POLL_S)  # nothing tells: a cell that waited would hold up what it waits for
        return True

    def close(self):
        self._client.stop_channels()


@contextmanager
def kernel_side(host, name):
    """Join the kernel of the notebook ``name``; its page must have started it."""
    kernel_id = host.session(name)["kernel"]["id"]
    side = KernelSide(host.runtime / f"kernel-{kernel_id}.json")
    try:
        yield side
    finally:
        side.close()
