"""A WebSocket on threads, over real connections; what is wrong is written byte by byte."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import tracemalloc
import weakref
from dataclasses import replace
from functools import partial

import pytest
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from sockets import WAIT_S, Side, Visitor, message, shaken_hands, tcp_pair
from tsushin.errors import RemoteProtocolError, WireError
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.transports.threaded import Handshake, ThreadedWebSocket
from tsushin.wire import ws_v1

MIB = 1 << 20


@pytest.fixture
def made():
    """Makes ends; all are closed after the test."""
    sockets = []

    def make(send_buffer=None, **options):
        here, there = tcp_pair(send_buffer)
        sockets.extend((here, there))
        return (here, there), shaken_hands(**options)

    yield make
    for sock in sockets:
        sock.close()


@pytest.fixture
def pair(made):
    (here, there), (client, server) = made()
    return Side(here, client).start(), Side(there, server).start()


@pytest.fixture
def visited(made):
    """A server's side, and a visitor that writes what it likes."""
    (here, there), (client, server) = made(max_size=MIB)
    limits = replace(DEFAULT_LIMITS, max_message_bytes=MIB)
    return Visitor(here, client), Side(there, server, limits=limits).start()


def ended(ref):
    """Say whether what is referred to is freed soon: the other thread may be about to."""
    until = time.monotonic() + WAIT_S
    while ref() is not None and time.monotonic() < until:
        time.sleep(0.001)
    return ref() is None


def encoded(n, **options):
    return bytes(ws_v1.encode(message(n, **options)))


def test_messages_arrive_both_ways_in_order_with_their_buffers(pair):
    client, server = pair
    for n in range(1000):
        client.websocket.send(message(n, [b"", bytes([n % 256]) * n]))
        server.websocket.send(message(-n))
    got = server.take(1000)
    assert [m.content["n"] for m in got] == list(range(1000))
    assert all(bytes(m.buffers[1]) == bytes([n % 256]) * n for n, m in enumerate(got))
    assert client.numbers(1000) == [-n for n in range(1000)]


@pytest.mark.parametrize("mib", [1, 32])
def test_large_buffers_are_equal_byte_for_byte(pair, mib):
    client, server = pair
    large = os.urandom(MIB) * mib
    for sender, receiver in ((client, server), (server, client)):
        sender.websocket.send(message(1, [large, b"end"]))
        [got] = receiver.take()
        assert got.buffers[0] == large
        assert got.buffers[1] == b"end"


@pytest.mark.parametrize("size", [0, 1, 9, 100, MIB], ids="{} bytes".format)
def test_what_came_with_the_handshake_is_the_first(made, size):
    (here, there), (client, server) = made()
    first = Frame(Opcode.BINARY, encoded(1, buffers=[bytes(MIB)])).serialize(mask=True)
    side = Side(there, server, early=first[:size])
    here.sendall(first[size:])
    other = Side(here, client).start()
    other.websocket.send(message(2))
    side.start()
    assert side.numbers(2) == [1, 2]


@pytest.mark.parametrize("cuts", ["whole", "by bytes", "in the mark"])
def test_a_handshake_takes_not_a_byte_of_what_is_behind_it(cuts):
    client, server = ClientProtocol(parse_uri("ws://127.0.0.1/")), ServerProtocol()
    event = None
    for protocol, other, answer in ((server, client, None), (client, server, server.accept)):
        if answer is None:
            client.send_request(client.connect())
        else:
            server.send_response(answer(event))
        data = b"".join(other.data_to_send()) + b"\x82\x7e\r\n\r\n"
        mark = data.index(b"\r\n\r\n") + 2
        handshake, event, early = Handshake(protocol), None, b""
        for cut in {
            "whole": [data],
            "by bytes": [data[i : i + 1] for i in range(len(data))],
            "in the mark": [data[:mark], data[mark:]],
        }[cuts]:
            if event is None:
                [event] = handshake.receive(cut) or [None]
                early = handshake.take_early()
            else:
                early += cut
        assert isinstance(event, Response if answer else Request)
        assert early == b"\x82\x7e\r\n\r\n"
    assert client.state is State.OPEN
    assert client.close_sent is None


def test_a_handshake_that_is_none_has_failed():
    handshake = Handshake(ServerProtocol())
    assert handshake.receive(b"GET / HTTP/1.1\r\nHost: a\r\n") == []
    assert not handshake.has_failed
    assert handshake.receive(b"nonsense\r\n\r\n") == []
    assert handshake.has_failed


def test_a_message_in_fragments_is_one_and_a_ping_between_them_is_answered(visited):
    visitor, side = visited
    data = encoded(7, buffers=[bytes(1000)])
    visitor.write(Opcode.BINARY, b"", fin=False)
    visitor.write(Opcode.CONT, data[:10], fin=False)
    visitor.write(Opcode.PING, b"there?")
    visitor.write(Opcode.CONT, data[10:500], fin=False)
    visitor.write(Opcode.CONT, data[500:])
    visitor.write(Opcode.BINARY, encoded(8))
    assert side.numbers(2) == [7, 8]
    assert visitor.read(Opcode.PONG) == b"there?"


@pytest.mark.parametrize(
    ("opcode", "payload", "error"),
    [
        (Opcode.TEXT, b"{}", RemoteProtocolError),
        (Opcode.BINARY, b"", WireError),
        (Opcode.BINARY, b"garbage, and more garbage", WireError),
        (Opcode.BINARY, struct.pack("<QQQ", 2, 9912, 24), WireError),
        (Opcode.BINARY, struct.pack("<Q", 10**7), RemoteProtocolError),
    ],
    ids=["text", "empty", "garbage", "wrong offsets", "ten million offsets"],
)
def test_what_is_no_message_ends_it_and_is_told_at_both_ends(visited, opcode, payload, error):
    visitor, side = visited
    visitor.write(Opcode.BINARY, encoded(1))
    assert side.numbers(1) == [1]
    visitor.write(opcode, payload)
    assert isinstance(side.end(), error)
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR


def test_bytes_that_are_no_frame_end_it(visited):
    visitor, side = visited
    visitor.socket.sendall(b"\xff" * 100)
    side.end()
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR


def test_a_frame_that_says_it_is_10_gb_is_refused_before_anything_is_allocated(visited):
    visitor, side = visited
    tracemalloc.start()
    visitor.socket.sendall(b"\x82\xff" + struct.pack("!Q", 10 * 10**9) + bytes(4) + bytes(1000))
    side.end()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert visitor.close_code() == CloseCode.MESSAGE_TOO_BIG
    assert peak < 4 * MIB


def test_fragments_that_are_too_large_together_are_refused(visited):
    visitor, side = visited
    visitor.write(Opcode.BINARY, bytes(MIB // 2), fin=False)
    visitor.write(Opcode.CONT, bytes(MIB // 2), fin=False)
    visitor.write(Opcode.CONT, bytes(MIB // 2), fin=False)
    side.end()
    assert visitor.close_code() == CloseCode.MESSAGE_TOO_BIG


def test_what_the_receiver_finds_wrong_ends_it_and_is_told(made):
    (here, there), (client, server) = made()
    visitor, side = Visitor(here, client), Side(there, server)

    def refuse(messages):
        raise RemoteProtocolError("not yours")

    side.websocket.start(refuse, side._end)
    visitor.write(Opcode.BINARY, encoded(1))
    assert str(side.end()) == "not yours"
    assert visitor.close_code() == CloseCode.PROTOCOL_ERROR


def test_a_receiver_that_fails_ends_it_and_the_error_is_its_callers(made):
    (here, there), (client, server) = made()
    visitor, side = Visitor(here, client), Side(there, server)
    visitor.write(Opcode.BINARY, encoded(1))
    with pytest.raises(ZeroDivisionError):
        side.websocket.run(lambda messages: 1 / 0, side._end)
    assert side.end() is None
    visitor.rest()


# ------------------------------------------------------------------ sending


def test_a_slow_reader_makes_nobody_wait_and_gets_all_in_order(made):
    (here, there), (client, server) = made(send_buffer=1 << 16)
    reader, sender = Side(here, client), Side(there, server).start()
    large = [os.urandom(MIB) for _ in range(8)]
    began = time.monotonic()
    for n, buffer in enumerate(large):
        sender.websocket.send(message(2 * n, [buffer]))
        sender.websocket.send(message(2 * n + 1))
    took = time.monotonic() - began
    reader.start()
    got = reader.take(16)
    assert took < 2
    assert [m.content["n"] for m in got] == list(range(16))
    assert [bytes(m.buffers[0]) for m in got[::2]] == large


def test_many_threads_send_and_each_ones_order_is_kept(pair):
    client, server = pair
    threads, each = 8, 500

    def send(who):
        for n in range(each):
            client.websocket.send(message(n, [bytes([who])] + [bytes(10_000)] * (n % 50 == 0)))

    workers = [threading.Thread(target=send, args=(who,)) for who in range(threads)]
    for worker in workers:
        worker.start()
    got = [[] for _ in range(threads)]
    for one in server.take(threads * each):
        got[one.buffers[0][0]].append(one.content["n"])
    for worker in workers:
        worker.join()
    assert got == [list(range(each))] * threads


def test_flush_waits_until_all_is_written_and_no_longer_than_it_is_told(made):
    (here, there), (client, server) = made(send_buffer=1 << 16)
    reader, sender = Side(here, client), Side(there, server).start()
    sender.websocket.flush(0)
    sender.websocket.send(message(1, [bytes(8 * MIB)]))
    began = time.monotonic()
    sender.websocket.flush(0.1)
    assert 0.1 <= time.monotonic() - began < 5
    assert sender.websocket._waiting or sender.websocket._is_writing
    reader.start()
    sender.websocket.flush(WAIT_S)
    assert not sender.websocket._waiting
    assert not sender.websocket._is_writing
    assert reader.numbers(1) == [1]


def test_what_a_socket_does_not_take_of_a_large_message_follows_in_order(made):
    for client_sends in (True, False):
        (here, there), (client, server) = made(send_buffer=1 << 14)
        ends = Side(here, client), Side(there, server)
        sender, reader = ends if client_sends else reversed(ends)
        sender.start()
        parts = [os.urandom(size) for size in (3 * MIB + 1, 5, 1 << 16, 2 * MIB + 3, 0, 70_000)]
        for n in range(3):
            sender.websocket.send(message(n, parts))
            sender.websocket.send(message(n, [b"small"]))
        reader.start()
        got = reader.take(6)
        assert [[bytes(buffer) for buffer in m.buffers] for m in got] == [parts, [b"small"]] * 3


def test_where_no_write_can_be_tried_the_second_thread_writes_all_in_order(pair, monkeypatch):
    monkeypatch.delattr(socket, "MSG_DONTWAIT")  # as on Windows
    for sender, receiver in (pair, reversed(pair)):
        large = os.urandom(MIB)
        for n in range(20):
            sender.websocket.send(message(n, [large] * (n % 5 == 0)))
        got = receiver.take(20)
        assert [m.content["n"] for m in got] == list(range(20))
        assert all(m.buffers[0] == large for m in got[::5])


def test_a_large_message_is_received_without_a_second_copy(pair):
    client, server = pair
    for sender, receiver in ((client, server), (server, client)):
        large = memoryview(bytes(32 * MIB))
        tracemalloc.start()
        sender.websocket.send(message(1, [large]))
        [got] = receiver.take()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert got.buffers[0].nbytes == 32 * MIB
        assert (
            peak < 44 * MIB
        )  # what arrived, with an eighth of room to grow, and what is moved at a time


def test_a_message_that_was_handed_on_is_held_by_nobody(pair):
    client, server = pair
    for sender, receiver in ((client, server), (server, client)):
        large = bytearray(os.urandom(MIB))
        sender.websocket.send(message(1, [large]))
        [got] = receiver.take()
        frame = weakref.ref(got.buffers[0])
        del got
        sender.websocket.flush(WAIT_S)
        assert ended(frame)


# ------------------------------------------------------------------ the end


@pytest.mark.parametrize("closer", [0, 1])
def test_when_one_end_closes_both_hear_of_it_once(pair, closer):
    pair[1 - closer].websocket.send(message(1))
    assert pair[closer].numbers(1) == [1]
    pair[closer].websocket.close()
    assert [side.end() for side in pair] == [None, None]
    assert pair[1 - closer].websocket.is_closed_by_peer
    for side in pair:
        side.websocket.send(message(2))  # dropped
        side.websocket.close()
        side.websocket.flush(0)
    assert [len(side.ends) for side in pair] == [1, 1]


def test_a_link_that_breaks_is_no_close(made):
    (here, there), (_, server) = made()
    side = Side(there, server).start()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    here.close()
    assert side.end() is None
    assert not side.websocket.is_closed_by_peer


def test_a_close_is_answered(visited):
    visitor, side = visited
    visitor.write(Opcode.CLOSE, CloseCode.NORMAL_CLOSURE.to_bytes(2, "big"))
    assert side.end() is None
    assert visitor.close_code() == CloseCode.NORMAL_CLOSURE
    assert side.websocket.is_closed_by_peer


def test_closing_says_why(visited):
    visitor, side = visited
    side.websocket.close()
    assert visitor.close_code() == CloseCode.GOING_AWAY
    side.end()


@pytest.mark.parametrize("code", [CloseCode.PROTOCOL_ERROR, CloseCode.MESSAGE_TOO_BIG])
def test_a_close_that_says_that_something_is_wrong_is_not_orderly(visited, code):
    visitor, side = visited
    visitor.write(Opcode.CLOSE, code.to_bytes(2, "big"))
    assert side.end() is None
    assert not side.websocket.is_closed_by_peer


@pytest.mark.parametrize("how", ["close", "text", "goes away"])
def test_its_threads_end_although_the_other_side_reads_nothing(made, how):
    (here, there), (client, server) = made(send_buffer=4096)
    visitor, side = Visitor(here, client), Side(there, server).start()
    side.websocket.send(message(1, [bytes(16 * MIB)]))
    if how == "close":
        side.websocket.close()
    elif how == "text":
        visitor.write(Opcode.TEXT, b"{}")
    else:
        here.close()
    side.end()
    writer = side.websocket._writer
    writer.join(WAIT_S)
    assert not writer.is_alive()
    assert there.fileno() == -1


def test_a_child_lets_go_of_the_socket_and_its_parent_goes_on(made):
    (here, there), (client, server) = made()
    visitor = Visitor(here, client)
    childs = Side(there.dup(), server)
    childs.websocket.forget()
    childs.websocket.send(message(1))
    parents = Side(there, server).start()
    parents.websocket.send(message(2))
    assert ws_v1.decode(visitor.read(Opcode.BINARY)).content["n"] == 2


def test_debuggers_pass_its_threads_over(pair):
    ours = [t for t in threading.enumerate() if t.name.startswith("tsushin lane")]
    assert ours
    assert all(vars(t)["pydev_do_not_trace"] and t.daemon for t in ours)


def test_small_delays_are_not_added(pair):
    client, server = pair
    for sock in (client.socket, server.socket):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_burst_and_single_messages_mixed_keep_their_order(pair):
    client, server = pair
    send = partial(client.websocket.send)
    pauses = [0, 0, 0.0001, 0, 0.001] * 40
    for n, pause in enumerate(pauses):
        send(message(n))
        until = time.perf_counter() + pause
        while time.perf_counter() < until:  # shorter than a sleep can be
            pass
    assert server.numbers(len(pauses)) == list(range(len(pauses)))


def test_nothing_follows_its_close():
    here, there = tcp_pair()
    client, server = shaken_hands()
    ended = threading.Event()
    lane = ThreadedWebSocket(here, server)
    lane.start(lambda messages: None, lambda fault: ended.set())
    with there:
        there.settimeout(WAIT_S)
        client.send_close(1000)
        there.sendall(b"".join(client.data_to_send()))
        lane.close()
        lane.send(message(1))
        assert ended.wait(WAIT_S)
        received = b""
        while data := there.recv(4096):
            received += data
    client.receive_data(received)
    client.receive_eof()
    assert [frame.opcode for frame in client.events_received()] == [Opcode.CLOSE]
