"""``wire/zmq.py``: vectors, properties, and jupyter_client's ``Session``."""

from __future__ import annotations

from array import array
from contextlib import suppress
from datetime import datetime

import msgspec
import pytest
import zmq as pyzmq
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from strategies import damaged, messages
from tsushin.errors import RemoteProtocolError, SignatureError, WireError
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message
from tsushin.wire import zmq
from tsushin.wire.signing import Signer
from vectors import Vector, as_bytes, error_as_json, load

KEY = b"0123456789abcdef"
HEADER = {"msg_id": "m1", "msg_type": "comm_msg"}
MESSAGE = Message(
    "shell", HEADER, content={"comm_id": "c1", "data": {}}, buffers=(memoryview(b"ab"),)
)
VALID = load("zmq/valid")
INVALID = load("zmq/invalid")


def signer_of(vector: Vector) -> Signer:
    return Signer(vector.raw["key"].encode(), scheme=vector.raw["scheme"])


def session_of(vector: Vector) -> Session:
    key, scheme = vector.raw["key"].encode(), vector.raw["scheme"]
    return Session(key=key, signature_scheme=scheme, packer="json", unpacker="json")


def decode(vector: Vector, signer: Signer) -> Message:
    channel = vector.raw["message"]["channel"] if "message" in vector.raw else "shell"
    return zmq.decode(vector.frames, channel=channel, signer=signer, limits=vector.limits)


def as_frames(message: Message, signer: Signer) -> list[bytes]:
    return [bytes(frame) for frame in zmq.encode(message, signer)]


@pytest.fixture
def signer():
    return Signer(KEY)


# --- vectors ---


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_valid_frames_decode_to_the_message(vector):
    signer = signer_of(vector)
    for _ in range(vector.raw.get("repeat", 1)):
        assert as_bytes(decode(vector, signer)) == as_bytes(vector.message)


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_valid_message_comes_back(vector):
    frames = zmq.encode(vector.message, signer_of(vector))
    back = zmq.decode(frames, channel=vector.message.channel, signer=signer_of(vector))
    assert as_bytes(back) == as_bytes(vector.message)


@pytest.mark.parametrize("vector", [v for v in VALID if "canonical" in v.flags], ids=str)
def test_a_canonical_message_encodes_to_exactly_the_frames(vector):
    assert as_frames(vector.message, signer_of(vector)) == vector.frames


@pytest.mark.parametrize("vector", INVALID, ids=str)
def test_invalid_frames_raise_the_named_error(vector):
    signer = signer_of(vector)
    for _ in range(vector.raw.get("repeat", 1) - 1):
        decode(vector, signer)
    with pytest.raises(RemoteProtocolError) as caught:
        decode(vector, signer)
    assert error_as_json(caught.value) == vector.raw["error"]


@pytest.mark.parametrize("vector", INVALID, ids=str)
def test_after_invalid_frames_the_next_message_decodes(vector):
    signer = signer_of(vector)
    for _ in range(vector.raw.get("repeat", 1)):
        with suppress(RemoteProtocolError):
            decode(vector, signer)
    good = as_frames(MESSAGE, signer)
    assert as_bytes(zmq.decode(good, channel="shell", signer=signer)) == as_bytes(MESSAGE)


# --- frames in, frames out ---


@given(message=messages(identities=True))
def test_any_message_comes_back(message):
    signer = Signer(KEY)
    frames = zmq.encode(message, signer)
    assert as_bytes(zmq.decode(frames, channel=message.channel, signer=signer)) == as_bytes(message)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, pyzmq.Frame])
def test_frames_may_be_of_any_kind_that_pyzmq_gives(signer, kind):
    frames = [kind(frame) for frame in as_frames(MESSAGE, signer)]
    assert as_bytes(zmq.decode(frames, channel="shell", signer=signer)) == as_bytes(MESSAGE)


def test_frames_from_a_real_socket_decode_without_copying_buffers(signer):
    with (
        pyzmq.Context() as context,
        context.socket(pyzmq.PAIR) as a,
        context.socket(pyzmq.PAIR) as b,
    ):
        a.bind("inproc://frames")
        b.connect("inproc://frames")
        a.send_multipart(zmq.encode(MESSAGE, signer), copy=False)
        frames = b.recv_multipart(copy=False)
        message = zmq.decode(frames, channel="shell", signer=signer)
    assert as_bytes(message) == as_bytes(MESSAGE)
    assert message.buffers[0].readonly


def test_buffers_are_views_both_ways(signer):
    memory = bytearray(b"abcd")
    message = Message("iopub", HEADER, buffers=(memoryview(memory),))
    frames = zmq.encode(message, signer)
    decoded = zmq.decode(frames, channel="iopub", signer=signer)
    memory[0] = ord("z")
    assert decoded.buffers[0] == b"zbcd"
    assert decoded.buffers[0].readonly


def test_sizes_of_typed_buffers_are_bytes_not_elements(signer):
    message = Message("shell", HEADER, buffers=(memoryview(array("f", [1, 2, 3, 4])),))
    assert len(zmq.encode(message, signer)[-1]) == 16


def test_a_buffer_with_gaps_is_named(signer):
    message = Message("shell", HEADER, buffers=(memoryview(b"ok"), memoryview(b"abcd")[::2]))
    with pytest.raises(ValueError, match="buffer 1: expected contiguous"):
        zmq.encode(message, signer)


def test_raw_json_in_the_content_is_sent_as_it_is(signer):
    raw = msgspec.Raw(b'{"v": 1.50}')
    frames = zmq.encode(Message("shell", HEADER, content={"data": raw}), signer)
    assert frames[5] == b'{"data":{"v": 1.50}}'


def test_encoding_leaves_the_message_alone(signer):
    before = as_bytes(MESSAGE)
    zmq.encode(MESSAGE, signer)
    assert as_bytes(MESSAGE) == before


# --- what a peer can do ---


@pytest.mark.parametrize("count", range(6))
def test_a_list_cut_short_is_a_wire_error_not_an_index_error(signer, count):
    frames = as_frames(MESSAGE, signer)[:count]
    with pytest.raises(WireError) as caught:
        zmq.decode(frames, channel="shell", signer=signer)
    assert caught.value.part == ("delimiter" if count == 0 else "frames")


def test_a_forged_copy_does_not_block_the_message_it_copies(signer):
    frames = as_frames(MESSAGE, signer)
    with pytest.raises(SignatureError):
        zmq.decode([*frames[:5], b'{"forged":1}'], channel="shell", signer=signer)
    assert zmq.decode(frames, channel="shell", signer=signer).content == MESSAGE.content


def test_a_message_over_a_limit_is_not_remembered(signer):
    frames = as_frames(MESSAGE, signer)
    with pytest.raises(RemoteProtocolError):
        zmq.decode(frames, channel="shell", signer=signer, limits=Limits(max_buffers=0))
    zmq.decode(frames, channel="shell", signer=signer)


def test_nothing_is_parsed_before_the_signature_holds(signer):
    with pytest.raises(SignatureError):
        zmq.decode(
            [zmq.DELIMITER, b"0" * 64, b"not json", b"", b"", b""], channel="shell", signer=signer
        )


@given(data=st.data(), at=st.integers(0, 6))
def test_damaged_frames_raise_only_what_is_documented(data, at):
    frames = as_frames(MESSAGE, Signer(b""))
    frames[at] = data.draw(damaged(frames[at]))
    try:
        message = zmq.decode(frames, channel="shell", signer=Signer(b""))
    except RemoteProtocolError:
        return
    back = zmq.decode(zmq.encode(message, Signer(b"")), channel="shell", signer=Signer(b""))
    assert as_bytes(back) == as_bytes(message)


# --- jupyter_client ---

# Session.deserialize adapts a message of another protocol version, and what it reads has a version.
FOR_SESSION = [v for v in VALID if "version" in v.raw["message"]["header"]]


@pytest.mark.parametrize("vector", FOR_SESSION, ids=str)
def test_jupyter_client_reads_what_we_write(vector):
    message = vector.message
    session = session_of(vector)
    identities, rest = session.feed_identities(as_frames(message, signer_of(vector)))
    read = session.deserialize(rest)
    assert identities == list(message.identities)
    for part in ("header", "parent_header"):
        assert undated(read[part]) == undated(getattr(message, part))
    assert (read["metadata"], read["content"]) == (message.metadata, message.content)
    assert read["buffers"] == [bytes(buffer) for buffer in message.buffers]


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_we_read_what_jupyter_client_writes(vector):
    message = vector.message
    classic = {part: getattr(message, part) for part in zmq.JSON_PARTS}
    frames = session_of(vector).serialize(classic, ident=list(message.identities))
    frames += message.buffers
    decoded = zmq.decode(frames, channel=message.channel, signer=signer_of(vector))
    assert as_bytes(decoded) == as_bytes(message)


def undated(header: dict[str, object]) -> dict[str, object]:
    """Session makes a datetime of a date; compare it as a moment."""
    date = header.get("date")
    return {**header, "date": datetime.fromisoformat(date) if isinstance(date, str) else date}
