"""What an application sees of cuts between a Python frontend and its kernel, through a real Jupyter Server.

Both ends talk all the time, ten messages a second each way, and look in the end at what the other has said.
The link is a proxy that breaks or freezes, or a pair of network devices of which one goes down.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import psutil
import pytest

from interop.test_no_loss import until
from processes import free_port, jupyter_server
from proxies import Proxy
from tsushin import Comm, connect
from tsushin.errors import CommClosed, KernelGone, TransportLost
from tsushin.frontend.frontend import Frontend
from tsushin.frontend.rest import Server

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

AWAY_S = 60  # a link that broke is made anew within that time, or given up
LONG = [pytest.mark.matrix, pytest.mark.timeout(300)]
SOON_S = 8  # for what takes less than a second on an idle machine

PREPARE = """
import asyncio, os, threading, time, tsushin
from tsushin import Comm
manager, peers = tsushin.comm_manager(), []
manager.on_peer(lambda peer, is_live: peers.append(is_live))
c, quiet = Comm("burst"), Comm("quiet")
heard, gaps, closes, sent, stopped = [], [], [], [0], threading.Event()
c.on_msg(lambda m: heard.append(m["content"]["data"]["n"]))
c.on_gap(gaps.append)
c.on_close(closes.append)
c.handle("double", lambda m: 2 * m["content"]["data"]["n"])
@c.handle("never")
async def never(m):
    await asyncio.Event().wait()
def talk():
    while not stopped.wait(0.1):
        c.send({"n": sent[0]})
        sent[0] += 1
talking = threading.Thread(target=talk, daemon=True)
talking.start()
os.getpid()
"""
# As if 127 s had passed, a second after something was not confirmed.
IMPATIENT = "import tsushin.profile.sessions as s; s.MAX_REPEATS = 0"
STOP = "stopped.set(); talking.join(); sent[0]"


@dataclass
class Seen:
    """A frontend with a comm on which both ends talk, and what its application sees.

    Attributes:
        quiet: a comm on which nobody talks.
        pid: of the kernel.
        closes: reason and time of the comm's end.
        sent: how many messages this end has sent.
    """

    fe: Frontend
    comm: Comm
    quiet: Comm
    pid: int
    got: list = field(default_factory=list)
    gaps: list = field(default_factory=list)
    closes: list = field(default_factory=list)
    peers: list = field(default_factory=list)
    sent: int = 0

    def listen(self):
        self.comm.on_msg(lambda msg: self.got.append(msg["content"]["data"]["n"]))
        self.comm.on_gap(self.gaps.append)
        self.comm.on_close(self._closed)
        self.fe.comm_manager.on_peer(lambda peer, is_live: self.peers.append(is_live))

    def _closed(self, msg):
        self.closes.append((msg["metadata"].get("tsushin"), time.monotonic()))

    async def talk(self):
        while not self.comm.closed:
            self.comm.send({"n": self.sent})
            self.sent += 1
            await asyncio.sleep(0.1)

    async def all_is_well(self):
        """Both ends have all that the other has said, once and in order, and were told of nothing."""
        fe, comm = self.fe, self.comm
        self.talking.cancel()
        assert await comm.request("double", {"n": 21}) == 42
        await comm.drain()
        last = int((await fe.execute(STOP)).result)
        await until(lambda: len(self.got) >= last, seconds=30)
        assert self.got == list(range(last))
        assert (await fe.execute(f"heard == list(range({self.sent}))")).result == "True"
        assert (await fe.execute("gaps, closes, False in peers")).result == "([], [], False)"
        assert (self.gaps, self.closes, False in self.peers) == ([], [], False)
        assert (fe.is_alive, comm.closed, len(fe.comm_manager.peers)) == (True, False, 1)


@asynccontextmanager
async def talk(url, token, kernel_id=None):
    """Connect, and let both ends talk."""
    where = {"kernel_name": "python3"} if kernel_id is None else {"kernel_id": kernel_id}
    async with connect(url, token=token, lane=False, **where) as fe:
        opened, quiet = fe.expect_open("burst"), fe.expect_open("quiet")
        pid = int((await fe.execute(PREPARE)).result)
        seen = Seen(fe, await opened, await quiet, pid)
        seen.listen()
        await until(lambda: fe.comm_manager.peers and seen.got, seconds=20)
        seen.talking = asyncio.ensure_future(seen.talk())
        try:
            yield seen
        finally:
            seen.talking.cancel()
            await asyncio.wait({seen.talking})


async def outcome(awaitable):
    """Return what came of it, and when; never raises."""
    try:
        return await awaitable, time.monotonic()
    except Exception as error:
        return error, time.monotonic()


def begin(*awaitables):
    """Wait for all of these beside; returns what gives what came of each, and when."""
    return asyncio.gather(*map(outcome, awaitables))


# ------------------------------------------------------------------ the link


async def test_a_link_that_says_nothing_for_5_s_is_noticed_by_nobody(server, kernel_id):
    async with (
        Proxy(server.url) as proxy,
        talk(proxy.url, server.token, kernel_id) as seen,
    ):
        link = seen.fe._transport
        proxy.freeze()
        seen.quiet.send({})
        request = seen.comm.request("double", {"n": 1})
        waits = begin(seen.fe.execute("1 + 1"), request, seen.quiet.drain())
        await asyncio.sleep(5)
        assert not waits.done()
        proxy.thaw()
        (executed, _), (answer, _), (drained, _) = await waits
        assert (executed.result, answer, drained) == ("2", 2, None)
        await seen.all_is_well()
        assert seen.fe._transport is link


async def test_a_link_that_is_cut_for_5_s_fails_executions_and_nothing_else(server, kernel_id):
    async with (
        Proxy(server.url) as proxy,
        talk(proxy.url, server.token, kernel_id) as seen,
    ):
        execution = begin(seen.fe.execute("time.sleep(1)"))
        proxy.is_down = True
        proxy.cut()
        cut_at = time.monotonic()
        [(error, at)] = await execution
        assert isinstance(error, TransportLost)
        assert at - cut_at < SOON_S
        with pytest.raises(TransportLost):
            await seen.fe.execute("1 + 1")
        seen.quiet.send({})
        request = seen.comm.request("double", {"n": 1})
        waits = begin(request, seen.quiet.drain(), seen.fe.expect_open("later"))
        await asyncio.sleep(5)
        assert not waits.done()
        proxy.is_down = False
        await until(lambda: seen.fe._is_away is False, seconds=SOON_S)
        await seen.fe.execute("later = Comm('later')")
        (answer, _), (drained, _), (later, _) = await waits
        assert (answer, drained, later.target_name) == (2, None, "later")
        await seen.all_is_well()


async def test_one_try_that_gets_no_answer_is_followed_by_the_next(server, kernel_id, monkeypatch):
    monkeypatch.setattr("tsushin.frontend.frontend._ATTEMPT_TIMEOUT_S", 1)
    async with (
        Proxy(server.url) as proxy,
        talk(proxy.url, server.token, kernel_id) as seen,
    ):
        proxy.freeze()
        proxy.cut()
        tries = proxy.accepted
        await until(lambda: proxy.accepted == tries + 3, seconds=SOON_S)
        proxy.thaw()
        await until(lambda: not seen.fe._is_away, seconds=SOON_S)
        await seen.all_is_well()


@pytest.mark.parametrize("away_s", [2, pytest.param(AWAY_S, marks=LONG)])
async def test_a_link_that_is_away_for_too_long_ends_everything_with_the_reason(
    server,
    kernel_id,
    away_s,
    monkeypatch,
):
    monkeypatch.setattr("tsushin.frontend.frontend._AWAY_TIMEOUT_S", away_s)
    async with Proxy(server.url) as proxy:
        async with talk(proxy.url, server.token, kernel_id) as seen:
            proxy.is_down = True
            proxy.cut()
            await until(lambda: seen.fe._is_away, seconds=SOON_S)
            cut_at = time.monotonic()
            seen.quiet.send({})
            request = seen.comm.request("double", {"n": 1}, timeout=None)
            opened = seen.fe.expect_open("later", timeout=100)
            waits = begin(request, opened, seen.quiet.drain(timeout=None))
            ends = await waits
            await until(lambda: seen.closes, seconds=SOON_S)
            [(why, closed_at)] = seen.closes
            for at in (closed_at, *(at for _, at in ends)):
                assert away_s - 1 < at - cut_at < away_s + SOON_S
            assert [type(what) for what, _ in ends] == [TransportLost, TransportLost, type(None)]
            assert (seen.comm.closed_by, seen.gaps, seen.fe.is_alive) == ("lost", [], False)
            assert "WebSocket" in why["lost"]
            assert seen.peers[-1] is False
            with pytest.raises(CommClosed):
                seen.comm.send({"n": -1})
            with pytest.raises(TransportLost):
                await seen.fe.execute("1")
        # The kernel and its comms live on, for whoever comes next.
        async with connect(server.url, token=server.token, kernel_id=kernel_id) as other:
            other.comm_manager.register_target("burst", lambda comm, msg: None)
            assert await other.restore() == [seen.comm.comm_id]
            assert (await other.execute(f"heard == list(range({len(seen.got)}))")).stderr == ""
            assert (await other.execute("gaps, closes, False in peers")).result == (
                "([], [], False)"
            )


@pytest.mark.parametrize("keeps", [True, False])  # the server, what comes for a link that is gone
async def test_what_nobody_keeps_any_more_is_a_gap(tmp_path, keeps):
    settings = {"MappingKernelManager.buffer_offline_messages": keeps}
    with jupyter_server(tmp_path, settings=settings) as server:
        kernel_id = await Server(server.url, token=server.token).start("python3")
        async with (
            Proxy(server.url) as proxy,
            talk(proxy.url, server.token, kernel_id) as seen,
        ):
            await seen.fe.execute(IMPATIENT)
            proxy.is_down = True
            proxy.cut()
            await asyncio.sleep(5)
            proxy.is_down = False
            await until(lambda: not seen.fe._is_away, seconds=SOON_S)
            seen.talking.cancel()
            assert await seen.comm.request("double", {"n": 21}) == 42
            last = int((await seen.fe.execute(STOP)).result)
            await until(lambda: seen.got[-1] == last - 1, seconds=30)
            assert seen.got == sorted(set(seen.got))
            await until(lambda: len(seen.got) + sum(seen.gaps) == last, seconds=SOON_S)
            assert (len(seen.gaps) == 0) is keeps
            assert seen.closes == []
            assert (await seen.fe.execute("peers")).result == "[True, False, True]"
            await seen.comm.drain()
            assert (await seen.fe.execute(f"heard == list(range({seen.sent}))")).result == "True"


@pytest.mark.matrix
@pytest.mark.timeout(300)
async def test_a_link_that_says_nothing_for_70_s_is_given_up_and_made_anew(server, kernel_id):
    async with (
        Proxy(server.url) as proxy,
        talk(proxy.url, server.token, kernel_id) as seen,
    ):
        proxy.freeze()
        frozen_at = time.monotonic()
        execution = begin(seen.fe.execute("1 + 1", timeout=100))
        [(error, at)] = await execution
        assert isinstance(error, TransportLost)
        assert (
            19 < at - frozen_at < 40 + SOON_S
        )  # the WebSocket's pings: every 20 s, each waits 20 s
        await asyncio.sleep(70 - (time.monotonic() - frozen_at))
        assert (seen.fe.is_alive, seen.closes) == (True, [])
        proxy.thaw()
        await until(lambda: not seen.fe._is_away, seconds=10 + SOON_S)
        await seen.all_is_well()


# ------------------------------------------------------------------ a network device


@contextmanager
def network():
    """Two network devices, one in a namespace of its own.

    Yields its name, its device's address, and what sets that up or down.
    """
    name = f"tsushin{os.getpid()}"
    here, there = f"ts{os.getpid()}a", f"ts{os.getpid()}b"

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", "198.18.77.1/30", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", "198.18.77.2/30", "dev", there)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", there, "up")
        yield name, "198.18.77.2", lambda to: ip("-n", name, "link", "set", there, to)
    finally:
        ip("netns", "del", name)


@pytest.mark.matrix
@pytest.mark.timeout(300)
@pytest.mark.parametrize("down_s", [5, 65])
async def test_a_network_that_is_down_loses_nothing(down_s, tmp_path, monkeypatch):
    with network() as (name, address, turn):
        for variable in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(variable, address)
        inside = ("ip", "netns", "exec", name)
        with jupyter_server(tmp_path, ip=address, prefix=inside) as server:
            async with talk(server.url, server.token) as seen:
                turn("down")
                down_at = time.monotonic()
                await asyncio.sleep(down_s)
                assert (seen.fe.is_alive, seen.closes) == (True, [])
                turn("up")
                if down_s > AWAY_S:
                    await until(lambda: seen.fe._is_away is False, seconds=30)
                got = len(seen.got)
                await until(lambda: len(seen.got) > got + 10 * (down_s - 1), seconds=60)
                assert time.monotonic() - down_at < down_s + 60
                await seen.all_is_well()


# ------------------------------------------------------------------ the server, and the kernel


async def test_a_server_that_is_killed_takes_the_kernel_with_it_and_the_next_one_tells(tmp_path):
    port = free_port()
    with jupyter_server(tmp_path, port=port) as server:
        async with talk(server.url, server.token) as seen:
            server.process.kill()
            killed_at = time.monotonic()
            request = seen.comm.request("double", {"n": 1}, timeout=None)
            waits = begin(request, seen.fe.expect_open("later", timeout=100))
            await until(lambda: not is_running(seen.pid), seconds=SOON_S)
            assert seen.fe.is_alive  # nobody has told
            assert not waits.done()
            with jupyter_server(tmp_path, port=port):
                back_at = time.monotonic()
                ends = await waits
                await until(lambda: seen.closes, seconds=SOON_S)
                [(why, closed_at)] = seen.closes
                assert max(closed_at, *(at for _, at in ends)) - back_at < 2 + SOON_S
                assert [type(what) for what, _ in ends] == [KernelGone, KernelGone]
                assert {what.why for what, _ in ends} == {"shut down"}
                assert why["lost"].endswith("was shut down")
                assert (seen.comm.closed_by, seen.fe.is_alive) == ("lost", False)
                assert seen.peers[-1] is False
                assert closed_at - killed_at < AWAY_S
                with pytest.raises(KernelGone):
                    await seen.fe.execute("1")
                await asyncio.wait_for(seen.fe.aclose(), SOON_S)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("away_s", [2, pytest.param(AWAY_S, marks=LONG)])
async def test_a_server_that_is_killed_and_stays_away_ends_everything_in_time(
    tmp_path, away_s, monkeypatch
):
    monkeypatch.setattr("tsushin.frontend.frontend._AWAY_TIMEOUT_S", away_s)
    with jupyter_server(tmp_path) as server:
        rest = Server(server.url, token=server.token)
        async with talk(server.url, server.token, await rest.start("python3")) as seen:
            server.process.kill()
            killed_at = time.monotonic()
            execution = begin(seen.fe.execute("1"))
            request = seen.comm.request("double", {"n": 1}, timeout=None)
            waits = begin(request, seen.fe.expect_open("later", timeout=100))
            [(error, at)] = await execution
            assert isinstance(error, TransportLost)
            assert at - killed_at < SOON_S
            ends = await waits
            await until(lambda: seen.closes, seconds=SOON_S)
            for at in (seen.closes[0][1], *(at for _, at in ends)):
                assert away_s - 1 < at - killed_at < away_s + SOON_S
            assert [type(what) for what, _ in ends] == [TransportLost, TransportLost]
            assert (seen.comm.closed_by, seen.fe.is_alive) == ("lost", False)
            assert not is_running(seen.pid)
            await asyncio.wait_for(seen.fe.aclose(), SOON_S)


async def test_a_kernel_that_is_restarted_under_the_page_ends_what_it_had(server, kernel_id):
    async with talk(server.url, server.token, kernel_id) as seen:
        execution = begin(seen.fe.execute("time.sleep(100)", timeout=200))
        waits = begin(seen.comm.request("never", timeout=None), seen.comm.drain(timeout=None))
        await asyncio.sleep(0.3)
        await Server(server.url, token=server.token).restart(kernel_id)
        [(error, _)] = await execution
        assert isinstance(error, KernelGone)
        (answer, _), (drained, _) = await waits
        assert isinstance(answer, CommClosed | KernelGone)
        assert drained is None
        await until(lambda: seen.closes, seconds=SOON_S)
        assert seen.comm.closed_by in ("lost", "there")  # its last words, or their absence
        assert (len(seen.closes), seen.gaps) == (1, [])
        assert seen.got == list(range(len(seen.got)))
        assert seen.fe.is_alive
        # The next process is met as the first one was.
        opened = seen.fe.expect_open("burst")
        assert int((await seen.fe.execute(PREPARE)).result) != seen.pid
        comm = await opened
        assert await comm.request("double", {"n": 21}) == 42
        assert len(seen.fe.comm_manager.peers) == 1
