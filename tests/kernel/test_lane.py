"""A kernel's lanes alone: real connections, and sessions that a test plays."""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import threading
from contextlib import closing

import pytest
from websockets.frames import CloseCode, Opcode

from knocking import Refused, knock
from sockets import WAIT_S, close_visitors, message
from tsushin.errors import RemoteProtocolError, WireError
from tsushin.kernel import lane
from tsushin.kernel.lane import KernelLanes
from tsushin.kernel.lane_file import lane_file, read_lane_file
from tsushin.wire import ws_v1


class Sessions:
    """The sessions of a manager, and what they were told."""

    def __init__(self):
        self.live = {"s", "other"}
        self.offers, self.ups, self.downs = [], queue.SimpleQueue(), queue.SimpleQueue()
        self.sends = {}

    def is_live(self, session):
        return session in self.live

    def offer_lane(self, session, port, token):
        self.offers.append((session, port, token))

    def lane_up(self, session, send):
        if session not in self.live:
            return False
        self.sends[session] = send
        self.ups.put(session)
        return True

    def lane_down(self, session, send):
        self.downs.put((session, self.sends.get(session) is send))


class Host:
    """Lanes of a kernel that is none."""

    def __init__(self, folder):
        self.sessions, self.received, self.faults = (
            Sessions(),
            queue.SimpleQueue(),
            queue.SimpleQueue(),
        )
        self.file = folder / "kernel-1.json"
        self.lanes = KernelLanes(
            self.sessions,
            receive=self.receive,
            fault=self.faults.put,
            connection_file=str(self.file),
        )

    def receive(self, messages, session):
        for one in messages:
            if one.session != session:
                raise RemoteProtocolError("another session's")
            self.received.put((session, one.content["n"]))

    def visit(self, session="s", **options):
        """Ask for a lane and take what is offered."""
        self.lanes.asked(session, "")
        _, port, token = self.sessions.offers[-1]
        visitor = knock(port, session=session, token=token, **options)
        assert self.sessions.ups.get(timeout=WAIT_S) == session
        return visitor


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    host.lanes.close()
    close_visitors()


def encoded(n, **options):
    return bytes(ws_v1.encode(message(n, **options)))


def test_nothing_listens_until_somebody_asks(host):
    assert host.lanes.port == 0
    assert not lane_file(host.file).exists()
    host.lanes.asked("s", "")
    [(session, port, _)] = host.sessions.offers
    assert (session, port) == ("s", host.lanes.port)
    host.lanes.asked("other", "")
    assert host.sessions.offers[1][:2] == ("other", port)
    assert read_lane_file(lane_file(host.file)).port == port
    assert host.lanes._server._socket.getsockname()[0] == "127.0.0.1"


def test_messages_go_both_ways(host):
    visitor = host.visit()
    visitor.write(Opcode.BINARY, encoded(1))
    assert host.received.get(timeout=WAIT_S) == ("s", 1)
    host.sessions.sends["s"](message(2))
    assert ws_v1.decode(visitor.read(Opcode.BINARY)).content["n"] == 2
    visitor.socket.close()
    assert host.sessions.downs.get(timeout=WAIT_S) == ("s", True)
    assert host.faults.empty()


def test_the_servers_secret_opens_lanes_too(host):
    host.lanes.asked("s", "")
    address = read_lane_file(lane_file(host.file))
    for session in ("s", "other"):
        with closing(knock(address.port, session=session, token=address.secret).socket):
            assert host.sessions.ups.get(timeout=WAIT_S) == session
    with pytest.raises(Refused) as refused:
        knock(address.port, session="s", token=address.secret, headers={"Origin": "http://a"})
    assert refused.value.status == 403


def test_a_second_lane_replaces_the_first_which_is_not_missed(host):
    host.lanes.asked("s", "")
    host.lanes.asked("s", "")
    visitors = []
    for _, port, token in host.sessions.offers:
        visitors.append(knock(port, session="s", token=token))
        assert host.sessions.ups.get(timeout=WAIT_S) == "s"
    first, second = visitors
    assert first.close_code() == CloseCode.GOING_AWAY
    second.write(Opcode.BINARY, encoded(1))
    assert host.received.get(timeout=WAIT_S) == ("s", 1)
    session, is_current = host.sessions.downs.get(timeout=WAIT_S)
    assert (session, is_current) == ("s", False)
    assert list(host.lanes._lanes) == ["s"]


def test_who_asks_has_no_lane_any_more(host):
    visitor = host.visit()
    host.lanes.asked("s", "")
    assert visitor.close_code() == CloseCode.GOING_AWAY
    assert host.sessions.downs.get(timeout=WAIT_S) == ("s", True)


def test_a_session_that_went_while_it_came_gets_none(host):
    host.lanes.asked("s", "")
    _, port, token = host.sessions.offers[-1]
    host.sessions.lane_up = lambda session, send: False
    visitor = knock(port, session="s", token=token)
    visitor.rest()
    assert host.lanes._lanes == {}


def test_ending_one_leaves_the_others(host):
    one, other = host.visit("s"), host.visit("other")
    host.lanes.end("s")
    host.lanes.end("nobody")
    assert one.close_code() == CloseCode.GOING_AWAY
    other.write(Opcode.BINARY, encoded(1, session="other"))
    assert host.received.get(timeout=WAIT_S) == ("other", 1)


def test_closing_ends_all_and_listens_no_more_until_somebody_asks(host):
    visitors = [host.visit("s"), host.visit("other")]
    port = host.lanes.port
    host.lanes.close()
    assert [visitor.close_code() for visitor in visitors] == [CloseCode.GOING_AWAY] * 2
    assert not lane_file(host.file).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    host.lanes.close()
    host.visit().socket.close()


def test_who_was_let_in_when_it_closed_gets_no_lane(host, monkeypatch):
    shaken, go_on = threading.Event(), threading.Event()
    welcome = host.lanes._welcome

    def wait(session, lane):
        shaken.set()
        assert go_on.wait(WAIT_S)
        welcome(session, lane)

    monkeypatch.setattr(host.lanes, "_welcome", wait)
    host.lanes.asked("s", "")
    _, port, token = host.sessions.offers[-1]
    visitor = knock(port, session="s", token=token)
    assert shaken.wait(WAIT_S)
    host.lanes.close()
    go_on.set()
    visitor.rest()
    assert host.sessions.ups.empty()


@pytest.mark.parametrize("setting", ["0", ""])
def test_where_the_environment_says_so_there_is_none(host, monkeypatch, setting):
    monkeypatch.setenv("TSUSHIN_LANE", setting)
    host.lanes.asked("s", "")
    assert host.sessions.offers == [("s", 0, "")]
    assert host.lanes.port == 0


def test_where_nothing_can_listen_there_is_none_and_it_is_said(host, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError("no loopback")

    monkeypatch.setattr(lane.socket, "create_server", fail)
    host.lanes.asked("s", "")
    assert host.sessions.offers == [("s", 0, "")]
    assert "no loopback" in caplog.text


def test_where_no_file_can_be_written_the_lane_is_there_all_the_same(tmp_path, caplog):
    (tmp_path / "tsushin-lanes").write_text("no folder")
    host = Host(tmp_path)
    host.visit().socket.close()
    host.lanes.close()
    assert "through a server" in caplog.text


def test_a_message_of_another_session_ends_the_lane_and_is_told(host):
    visitor = host.visit()
    visitor.write(Opcode.BINARY, encoded(1, session="other"))
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR
    assert host.sessions.downs.get(timeout=WAIT_S) == ("s", True)
    assert str(host.faults.get(timeout=WAIT_S)) == "another session's"


def test_what_is_no_message_ends_the_lane_and_is_told(host):
    visitor = host.visit()
    visitor.write(Opcode.BINARY, b"garbage")
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR
    assert isinstance(host.faults.get(timeout=WAIT_S), WireError)


def test_what_fails_in_the_kernel_ends_the_lane_only_and_is_logged(host, caplog):
    visitor = host.visit()
    with caplog.at_level(logging.ERROR):
        host.lanes._receive = lambda messages, session: 1 / 0
        visitor.write(Opcode.BINARY, encoded(1))
        visitor.rest()
        assert host.sessions.downs.get(timeout=WAIT_S) == ("s", True)
        host.visit("other").socket.close()
    assert host.lanes.port


def test_a_child_lets_go_and_its_parent_goes_on(host):
    visitor = host.visit()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            host.lanes.forget()
            host.lanes.end("s")
            host.lanes.close()
            os.write(write, json.dumps([host.lanes.port, len(host.lanes._lanes)]).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        assert json.load(pipe) == [0, 0]
    assert lane_file(host.file).exists()
    visitor.write(Opcode.BINARY, encoded(1))
    assert host.received.get(timeout=WAIT_S) == ("s", 1)
    host.visit("other").socket.close()
