"""Who knocks at a real kernel's lane, and may not come in; and who is in and breaks the rules."""

from __future__ import annotations

import ast
import contextlib
import os
import socket
import struct
import time

import psutil
import pytest
from websockets.frames import CloseCode, Opcode

from kernel.peer import PREPARE, TARGET, WAIT_S, started
from knocking import Refused, knock, shout
from sockets import close_visitors, message
from tsushin.kernel.lane_file import lane_file
from tsushin.wire import ws_v1

pytestmark = pytest.mark.timeout(60)

MIB = 1 << 20
NOBODY = 65534
PAGE = "http://localhost:8888"
ENOUGH_S = 0.5  # here; of the kernel's five


class Host:
    """A real kernel with lanes, and sessions that said hello by the standard route."""

    def __init__(self, peer):
        self.peer = peer
        peer.run(
            f"""
from tsushin.kernel import lane
lane.HANDSHAKE_TIMEOUT_S = {ENOUGH_S}
manager = tsushin.kernel.attach()
heard = []
@manager.register_target("t")
def use(comm, msg):
    comm.on_msg(lambda m: heard.append(m["content"]["data"]["n"]))
"""
        )

    def join(self, session):
        """Say hello as a session of ours does."""
        hello = {"profile": 1, "session": session, "epoch": "e", "sent": {}, "features": ["lane"]}
        self.send(
            session, "comm_open", {"target_name": TARGET, "data": hello}, f"{TARGET}.{session}"
        )

    def send(self, session, msg_type, content, comm_id, **options):
        header = {"session": session}
        self.peer.exchange(msg_type, {"comm_id": comm_id, **content}, header=header, **options)

    def ask(self, session="s", origin=""):
        """Ask for a lane; return the port and the token that are offered."""
        control = f"{TARGET}.{session}"
        self.peer.send(
            "comm_msg",
            {"comm_id": control, "data": {"lane_ask": {"origin": origin}}},
            header={"session": session},
        )
        until = time.monotonic() + WAIT_S
        while True:
            found = self.peer.client.get_iopub_msg(timeout=until - time.monotonic())
            offer = found["content"].get("data", {}).get("lane_offer")
            if found["content"].get("comm_id") == control and offer:
                return offer["port"], offer["token"]

    def visit(self, session="s"):
        port, token = self.ask(session)
        return knock(port, session=session, token=token)

    @property
    def port(self):
        return self.ask()[0]

    def is_well(self):
        """Whoever may come in still can, and is heard."""
        comm_id = f"well {time.monotonic()}"
        visitor = self.visit()
        header = {"session": "s"}
        self.peer.open(comm_id, "t", header=header, metadata={"tsushin": {"n": 1}})
        for n in (2, 3):
            visitor.write(Opcode.BINARY, numbered(n, comm_id))
        until = time.monotonic() + WAIT_S
        while self.peer.value("heard[-2:]") != [2, 3]:
            assert time.monotonic() < until
        self.peer.value("heard.clear()")
        return True


def numbered(n, comm_id, session="s"):
    """Return a comm message as a session of ours sends it."""
    one = message(n, comm_id=comm_id, session=session)
    one.metadata["tsushin"] = {"n": n}
    one.content.pop("n")
    one.content["data"] = {"n": n}
    return bytes(ws_v1.encode(one))


@pytest.fixture(scope="module")
def kernel():
    with started(prepare=PREPARE) as peer:
        host = Host(peer)
        for session in ("s", "other"):
            host.join(session)
        yield host


@pytest.fixture
def host(kernel):
    kernel.peer.run("faults.clear()")
    yield kernel
    close_visitors()


def refused(*arguments, **options):
    with pytest.raises(Refused) as refused:
        knock(*arguments, **options)
    return refused.value.status


# ------------------------------------------------------------------ who may not come in


def as_nobody(work):
    """Do something as another user of this machine; return what it says."""
    "".encode("idna")  # sockets use it; nobody may not read where it is imported from
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(write, repr(work()).encode())
        except BaseException as error:
            os.write(write, repr(repr(error)).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        return ast.literal_eval(pipe.read())


def test_another_user_can_neither_read_the_file_nor_come_in(host):
    port = host.port
    path = lane_file(host.peer.manager.connection_file)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600

    def attack():
        try:
            path.read_bytes()
        except PermissionError:
            found = ["unreadable"]
        else:
            found = ["readable"]
        for token in (None, "guessed", "A" * 43):
            try:
                knock(port, session="s", token=token)
            except Refused as error:
                found.append(error.status)
        return found

    expected = "unreadable" if os.getuid() == 0 else "readable"  # else it is the same user
    assert as_nobody(attack) == [expected, 403, 403, 403]
    assert host.is_well()


@pytest.mark.parametrize(
    ("promised", "headers"),
    [
        ("", {"Origin": PAGE}),
        (PAGE, {}),
        (PAGE, {"Origin": "http://evil.example"}),
        (PAGE, {"Origin": "null"}),
        ("", {"Host": "evil.example"}),
        ("", {"Host": "rebound.example:{port}"}),
        ("", {"Host": ""}),
    ],
)
def test_another_origin_or_host_is_refused(host, promised, headers):
    port, token = host.ask(origin=promised)
    headers = {name: value.format(port=port) for name, value in headers.items()}
    assert refused(port, session="s", token=token, headers=headers) == 403


def test_a_page_comes_in_with_its_origin(host):
    port, token = host.ask(origin=PAGE)
    knock(port, session="s", token=token, headers={"Origin": PAGE})


def test_a_used_token_and_another_sessions_are_refused(host):
    port, token = host.ask()
    knock(port, session="s", token=token)
    assert refused(port, session="s", token=token) == 403
    port, token = host.ask("other")
    assert refused(port, session="s", token=token) == 403
    assert refused(port, session="other", token=token) == 403  # used up by that


def test_a_token_that_is_too_old_is_refused(host):
    port, token = host.ask()
    host.peer.run(
        "guard = manager.lanes._server.guard\n"
        "guard._clock = lambda ahead=guard._clock: ahead() + 30.1"
    )
    assert refused(port, session="s", token=token) == 403
    assert host.is_well()


@pytest.mark.matrix
@pytest.mark.timeout(90)
def test_a_token_is_too_old_after_half_a_minute(host):
    port, token = host.ask()
    time.sleep(31)
    assert refused(port, session="s", token=token) == 403


def test_a_session_nobody_knows_is_refused_whoever_comes(host):
    port = host.port
    secret = host.peer.value("manager.lanes._server.guard.secret")
    assert refused(port, session="stranger", token=secret) == 403
    knock(port, session="s", token=secret)


def test_a_page_with_the_servers_secret_is_refused(host):
    port = host.port
    secret = host.peer.value("manager.lanes._server.guard.secret")
    assert refused(port, session="s", token=secret, headers={"Origin": PAGE}) == 403


def test_another_path_is_not_found(host):
    port, token = host.ask()
    assert refused(port, session="s", token=token, path="/api/kernels") == 404


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff" * 1000,
        b"GET /lane HTTP/1.1\r\n\r\n",
        b"POST /lane?session=s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /lane HTTP/1.1\r\n" + b"X: " + b"y" * MIB + b"\r\n\r\n",
        b"GET /lane HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"GET /" + b"x" * MIB + b" HTTP/1.1\r\n\r\n",
        b"GET /lane?session=%ff%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: \xff\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"",
    ],
    ids=[
        "garbage",
        "no headers",
        "post",
        "huge header",
        "many headers",
        "huge path",
        "odd",
        "tls",
        "nothing",
    ],
)
def test_what_is_no_handshake_is_sent_away(host, data):
    answer = shout(host.port, data)
    assert b" 101 " not in answer
    assert host.is_well()


def test_slow_handshakes_end_in_time_and_give_their_places_back(host):
    port = host.port
    visitors = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    began = time.monotonic()
    while time.monotonic() - began < 2 * ENOUGH_S:  # one byte now and then, as a slow loris does
        for visitor in visitors[::3]:
            with contextlib.suppress(OSError):
                visitor.send(b"G")
        time.sleep(ENOUGH_S / 5)
    for visitor in visitors:
        visitor.settimeout(WAIT_S)
        with contextlib.suppress(ConnectionResetError):
            assert visitor.recv(1) == b""
        visitor.close()
    assert time.monotonic() - began < 10 * ENOUGH_S + 5
    assert host.is_well()
    assert host.peer.value("manager.lanes._server._places._value") == 32


def test_while_a_hundred_idle_visitors_are_there_a_session_gets_its_lane_soon(host):
    port, token = host.ask()
    visitors = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    until = time.monotonic() + 20 * ENOUGH_S
    while True:
        try:
            knock(port, session="s", token=token)
            break
        except (Refused, ConnectionError):  # sent away: all places are taken; not for long
            assert time.monotonic() < until
            time.sleep(0.05)
    for visitor in visitors:
        visitor.close()


# ------------------------------------------------------------------ who is in


@pytest.mark.parametrize(
    ("opcode", "payload", "says"),
    [
        (Opcode.TEXT, b'{"header": {}}', "text"),
        (Opcode.BINARY, b"garbage", ""),
        (Opcode.BINARY, struct.pack("<QQQQ", 3, 9912, 24, 32) + bytes(100), "offset"),
        (Opcode.BINARY, None, "other"),
    ],
    ids=["text", "garbage", "wrong offsets", "another session's"],
)
def test_who_breaks_the_rules_is_sent_away_which_the_kernels_log_tells(host, opcode, payload, says):
    visitor = host.visit()
    visitor.write(opcode, numbered(1, "c", session="other") if payload is None else payload)
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR
    until = time.monotonic() + WAIT_S
    while not (told := host.peer.value("faults")):
        assert time.monotonic() < until
    assert says in told[0]
    assert host.is_well()


def test_a_frame_of_10_gb_is_refused_before_anything_is_allocated(host):
    visitor = host.visit()
    process = psutil.Process(host.peer.value("__import__('os').getpid()"))
    before = process.memory_info().rss
    visitor.socket.sendall(b"\x82\xff" + struct.pack("!Q", 10 * 10**9) + bytes(4) + bytes(MIB))
    assert visitor.close_code() == CloseCode.MESSAGE_TOO_BIG
    assert process.memory_info().rss - before < 16 * MIB
    assert host.is_well()


def test_other_message_types_are_passed_over(host):
    visitor = host.visit()
    for msg_type in ("execute_request", "shutdown_request", "comm_info_request", "nonsense"):
        visitor.write(Opcode.BINARY, bytes(ws_v1.encode(message(1, msg_type=msg_type))))
    visitor.write(Opcode.PING, b"still")
    assert visitor.read(Opcode.PONG) == b"still"
    assert host.peer.value("faults") == []
    assert host.is_well()
