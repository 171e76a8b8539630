"""What leaves the kernel: bytes, order, topic, parent. The stock client verifies each signature."""

from __future__ import annotations

import os
import zlib

import zmq

from kernel.peer import data_of, of_type

SIZES = (0, 64 * 1024, 5 * 1024 * 1024)  # bytes


def test_metadata_and_buffers_come_back_byte_equal(kernel):
    kernel.run("""
def target(comm, msg):
    comm.send({"n": msg["content"]["data"]["n"]}, msg["metadata"], msg["buffers"])
manager.register_target("back", target)
""")
    buffers = [os.urandom(size) for size in SIZES]
    messages = kernel.open("back", "back", {"n": 1}, metadata={"m": [1, None]}, buffers=buffers)
    (echoed,) = of_type(messages, "comm_msg")
    assert echoed["metadata"] == {"m": [1, None]}
    assert [bytes(b) for b in echoed["buffers"]] == buffers


def test_every_kind_of_message_carries_buffers_from_the_kernel(kernel):
    messages = kernel.run(f"""
import os, zlib
made = [os.urandom(size) for size in {SIZES}]
c = Comm("x", {{}}, {{"m": "open"}}, made)
c.send({{}}, {{"m": "msg"}}, made)
c.close({{}}, {{"m": "close"}}, made)
""")
    checks = kernel.value("[zlib.crc32(b) for b in made]")
    sent = [m for m in messages if m["msg_type"].startswith("comm_")]
    assert [m["metadata"]["m"] for m in sent] == ["open", "msg", "close"]
    for message in sent:
        assert [zlib.crc32(b) for b in message["buffers"]] == checks


def test_handlers_get_read_only_views_of_bytes(kernel):
    kernel.run("""
def target(comm, msg):
    seen.extend((type(b).__name__, b.readonly, b.format, b.nbytes) for b in msg["buffers"])
manager.register_target("views", target)
""")
    kernel.open("views", "views", buffers=[b"", b"abc"])
    assert kernel.value("seen") == [("memoryview", True, "B", 0), ("memoryview", True, "B", 3)]


def test_a_buffer_changed_after_send_arrives_as_it_was(kernel):  # bug 4
    (sent,) = of_type(
        kernel.run("""
c, big = Comm("x"), bytearray(b"a" * 5_000_000)
c.send({}, buffers=[big])
big[:] = b"b" * len(big)
"""),
        "comm_msg",
    )
    assert bytes(sent["buffers"][0]) == b"a" * 5_000_000


def test_data_changed_after_send_arrives_as_it_was(kernel):
    messages = kernel.run("""
c, data = Comm("x"), {"list": [1]}
c.send(data)
data["list"].append(2)
""")
    assert data_of(messages) == [{"list": [1]}]


def test_arrays_that_are_not_contiguous_travel_whole(kernel):
    (sent,) = of_type(
        kernel.run("Comm('x').send({}, buffers=[memoryview(b'abcdef')[::2]])"), "comm_msg"
    )
    assert bytes(sent["buffers"][0]) == b"ace"


def test_what_threads_send_keeps_the_order_of_each_comm(kernel):
    messages = kernel.run("""
import threading
def count(comm):
    for n in range(100):
        comm.send({"n": n})
comms = [Comm(f"t{i}") for i in range(3)]
threads = [threading.Thread(target=count, args=[comm]) for comm in comms]
for thread in threads: thread.start()
for thread in threads: thread.join(5)
""")
    for comm_id in kernel.value("[comm.comm_id for comm in comms]"):
        own = [m for m in of_type(messages, "comm_msg") if m["content"]["comm_id"] == comm_id]
        assert [m["content"]["data"]["n"] for m in own] == list(range(100))


def test_headers_are_the_kernels_and_parents_the_cells(kernel):
    msg_id = kernel.client.execute("c = Comm('x')")
    (opened,) = of_type(kernel.until_idle(msg_id), "comm_open")
    assert opened["header"]["session"] == kernel.reply(msg_id)["header"]["session"]
    assert opened["header"]["username"] == kernel.value("kernel.session.username")
    assert opened["parent_header"]["msg_type"] == "execute_request"
    assert opened["parent_header"]["session"] == kernel.session.session


def test_topic_is_the_one_of_the_comm(kernel):
    with zmq.Context() as context, context.socket(zmq.SUB) as one:
        one.connect(kernel.manager._make_url("iopub"))
        one.subscribe("comm-only-me")
        topics = set()
        for n in range(100):  # a subscription takes a moment, so publish until it is there
            kernel.run(f"Comm('x', comm_id='other-{n}'), Comm('x', comm_id='only-me-{n}')")
            while one.poll(50):
                topics.add(one.recv_multipart()[0])
            if any(topic.startswith(b"comm-only-me-") for topic in topics):
                break
    assert topics
    # ipykernel's iopub_welcome has the subscription itself as its topic.
    assert all(topic.startswith(b"comm-only-me") for topic in topics)
