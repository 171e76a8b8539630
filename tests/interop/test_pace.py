"""A plain page behind a Jupyter Server with its default limits gets every message of a burst."""

from __future__ import annotations

import json
import time

import pytest
from websockets.sync.client import connect as connect_websocket

from tsushin.protocol.messages import new_header

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

MANY = 5000  # the server passes on 3,000 of a stock kernel's
BURST = f"""
from tsushin import Comm
c = Comm("burst")
for n in range({MANY}):
    c.send({{"n": n}})
"""


def execute(code):
    header = new_header("execute_request", msg_id="run", session="plain", now=time.time())
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    rest = {"parent_header": {}, "metadata": {}, "content": {**content, "allow_stdin": False}}
    return json.dumps({"channel": "shell", "header": header, **rest, "buffers": []})


def heard(url):
    """Run the burst as a page that knows nothing of us; return what it heard."""
    numbers = []
    with connect_websocket(url, max_size=None) as socket:
        socket.send(execute(BURST))
        is_done = False
        while not is_done or len(numbers) < MANY:
            try:
                message = json.loads(socket.recv(timeout=30 if not is_done else 3))
            except TimeoutError:
                break
            if message["header"]["msg_type"] == "comm_msg":
                numbers.append(message["content"]["data"].get("n"))
            status = message["content"].get("execution_state")
            is_done |= status == "idle" and message["parent_header"].get("msg_id") == "run"
    return [n for n in numbers if n is not None]


async def test_a_plain_page_gets_every_message_of_a_burst(server, kernel_id):
    url = f"ws{server.url[4:]}api/kernels/{kernel_id}/channels?session_id=p&token={server.token}"
    assert heard(url) == list(range(MANY))
