"""The REST calls at a small real HTTP server, for what a good server never answers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tsushin import ConnectFailed
from tsushin.frontend.rest import Server


class Handler(BaseHTTPRequestHandler):
    """Answers what the test said for a path; keeps what was asked."""

    def answer(self):
        own = self.server
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        own.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        own.was_asked.set()
        assert own.may_answer.wait(10)
        status, text, *headers = own.answers.get((self.command, self.path), (404, "{}"))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 (the names http.server calls)

    def log_message(self, *_):
        pass


@pytest.fixture
def http():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as own:
        own.asked, own.answers = [], {}
        own.was_asked, own.may_answer = threading.Event(), threading.Event()
        own.may_answer.set()
        own.url = f"http://127.0.0.1:{own.server_address[1]}/base"
        thread = threading.Thread(target=own.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield own
        own.shutdown()
        thread.join()


async def test_calls_as_jupyter_server_knows_them(http):
    kernel = json.dumps({"id": "a/b", "name": "python3"})
    http.answers = {
        ("GET", "/base/api/kernels?no_track_activity=1"): (200, f"[{kernel}]"),
        ("POST", "/base/api/kernels"): (201, kernel),
        ("POST", "/base/api/kernels/a%2Fb/interrupt"): (204, ""),
        ("POST", "/base/api/kernels/a%2Fb/restart"): (200, kernel),
        ("DELETE", "/base/api/kernels/a%2Fb"): (204, ""),
    }
    server = Server(http.url + "/", token="t")
    assert await server.kernel_ids() == ["a/b"]
    assert await server.start("python3") == "a/b"
    await server.start(None)
    await server.interrupt("a/b")
    await server.restart("a/b")
    await server.shutdown("a/b")
    assert [asked[0] for asked in http.asked] == ["GET", "POST", "POST", "POST", "POST", "DELETE"]
    assert [body for *_, body, _ in http.asked[1:3]] == [{"name": "python3"}, {}]
    assert {token for *_, token in http.asked} == {"token t"}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((403, "{}"), "403 Forbidden"),
        ((500, "oh"), "500 Internal Server Error"),
        ((200, "<html>"), "expected JSON, got"),
        ((200, '[{"name": "no id"}]'), "expected a kernel with an id"),
        ((200, "[7]"), "expected a kernel with an id, got 7"),
    ],
)
async def test_bad_answer_is_a_connect_failure(http, answer, text):
    http.answers[("GET", "/base/api/kernels?no_track_activity=1")] = answer
    with pytest.raises(ConnectFailed, match=text):
        await Server(http.url).kernel_ids()


async def test_server_that_does_not_say_what_it_runs_is_asked_no_longer_than_told(http):
    http.may_answer.clear()
    begun = time.monotonic()
    with pytest.raises(ConnectFailed, match="timed out"):
        await Server(http.url).has_kernel("k", timeout_s=0.2)
    assert time.monotonic() - begun < 5
    http.may_answer.set()


async def test_redirect_is_refused_so_that_the_token_goes_nowhere_else(http):
    elsewhere = http.url.replace("127.0.0.1", "localhost") + "/elsewhere"
    http.answers[("GET", "/base/api/kernels?no_track_activity=1")] = (
        302,
        "",
        ("Location", elsewhere),
    )
    with pytest.raises(ConnectFailed, match="302 Found"):
        await Server(http.url, token="t").kernel_ids()
    assert len(http.asked) == 1


async def test_ending_a_kernel_that_is_gone_is_no_error(http):
    await Server(http.url).shutdown("gone")


async def test_kernel_whose_start_was_cancelled_is_ended(http):
    http.answers[("POST", "/base/api/kernels")] = (201, '{"id": "1"}')
    http.answers[("DELETE", "/base/api/kernels/1")] = (204, "")
    http.may_answer.clear()
    starting = asyncio.ensure_future(Server(http.url).start("python3"))
    await asyncio.to_thread(http.was_asked.wait, 10)
    starting.cancel()
    await asyncio.sleep(0)
    http.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert [asked[:2] for asked in http.asked] == [
        ("POST", "/base/api/kernels"),
        ("DELETE", "/base/api/kernels/1"),
    ]


@pytest.mark.parametrize(
    ("base", "channels"),
    [
        ("http://h:1", "ws://h:1/api/kernels/k/channels"),
        ("https://h/user/x/", "wss://h/user/x/api/kernels/k/channels"),
    ],
)
def test_url_of_the_channels(base, channels):
    assert Server(base).channels_url("k") == channels
