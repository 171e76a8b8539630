"""``wire/signing.py``: what is signed, what is refused, what is remembered."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from jupyter_client.session import Session

from tsushin.errors import SignatureError
from tsushin.protocol.limits import Limits
from tsushin.wire.signing import Signer

KEY = b"0123456789abcdef"
PARTS = [b'{"msg_id":"m1"}', b"{}", b"{}", b'{"a":1}']
FIXED_SIZE = sorted(n for n in hashlib.algorithms_guaranteed if not n.startswith("shake"))


@pytest.fixture
def signer():
    return Signer(KEY)


@pytest.mark.parametrize("name", FIXED_SIZE)
def test_every_fixed_size_hash_is_a_scheme(name):
    signature = Signer(KEY, scheme=f"hmac-{name}").sign(PARTS)
    assert signature == hmac.new(KEY, b"".join(PARTS), name).hexdigest().encode()


@pytest.mark.parametrize("name", FIXED_SIZE)
def test_every_scheme_verifies_its_own_signature_once(name):
    signer = Signer(KEY, scheme=f"hmac-{name}")
    signature = signer.sign(PARTS)
    signer.verify(signature, PARTS)
    with pytest.raises(SignatureError, match="was seen before"):
        signer.verify(signature, PARTS)


@pytest.mark.parametrize(
    "scheme",
    ["", "sha256", "hmac-", "hmac-sha257", "hmac-shake_128", "HMAC-SHA256", "hmac-hmac-md5"],
)
@pytest.mark.parametrize("key", [KEY, b""])
def test_an_unknown_scheme_is_a_value_error_that_names_it(scheme, key):
    with pytest.raises(ValueError, match=f"scheme: expected .*{scheme!r}"):
        Signer(key, scheme=scheme)


@pytest.mark.parametrize("scheme", ["hmac-sha256", "hmac-sha512", "hmac-md5"])
def test_it_signs_as_jupyter_client_does(scheme):
    session = Session(key=KEY, signature_scheme=scheme)
    assert Signer(KEY, scheme=scheme).sign(PARTS) == session.sign(PARTS)


def test_signing_twice_gives_the_same_signature(signer):
    assert signer.sign(PARTS) == signer.sign(PARTS)


def test_views_are_signed_as_their_bytes(signer):
    assert signer.sign(map(memoryview, PARTS)) == signer.sign(map(bytearray, PARTS))


def test_an_empty_key_signs_with_nothing_and_checks_nothing():
    unsigned = Signer(b"")
    assert unsigned.sign(PARTS) == b""
    for signature in (b"", b"", b"anything", b"anything"):
        unsigned.verify(signature, PARTS)


@pytest.mark.parametrize("signature", [b"", b"a", b"a" * 63, b"a" * 65, b"a" * 10_000_000])
def test_another_length_is_refused_before_it_is_compared(signer, signature):
    with pytest.raises(SignatureError, match=f"expected 64 bytes, got {len(signature)}$") as caught:
        signer.verify(signature, [])
    assert caught.value.part == "signature"


@pytest.mark.parametrize("signature", [b"0" * 64, b"\xff" * 64, b"\0" * 64])
def test_a_wrong_signature_is_refused_and_never_quoted(signer, signature):
    with pytest.raises(SignatureError, match=r"does not match the message$"):
        signer.verify(signature, PARTS)


def test_each_of_the_four_parts_is_covered(signer):
    signature = signer.sign(PARTS)
    for i in range(4):
        changed = [*PARTS[:i], PARTS[i] + b" ", *PARTS[i + 1 :]]
        with pytest.raises(SignatureError):
            signer.verify(signature, changed)


def test_a_forged_message_does_not_use_up_the_signature(signer):
    # jupyter_client remembers a signature before verifying it: a forger could block the real message.
    signature = signer.sign(PARTS)
    with pytest.raises(SignatureError):
        signer.verify(signature, [*PARTS[:3], b"{}"])
    signer.verify(signature, PARTS)


def test_a_sent_signature_is_no_replay(signer):
    signer.verify(signer.sign(PARTS), PARTS)


def test_the_oldest_signature_is_forgotten_first():
    signer = Signer(KEY, limits=Limits(max_signatures=2))
    messages = [[part, b"{}", b"{}", b"{}"] for part in (b"1", b"2", b"3")]
    for parts in messages:
        signer.verify(signer.sign(parts), parts)
    signer.verify(signer.sign(messages[0]), messages[0])  # forgotten
    with pytest.raises(SignatureError):
        signer.verify(signer.sign(messages[2]), messages[2])


def test_memory_is_bounded_by_the_limit():
    signer = Signer(KEY, limits=Limits(max_signatures=10))
    for number in range(100):
        parts = [b"%d" % number]
        signer.verify(signer.sign(parts), parts)
    assert len(signer._seen) == 10


def test_the_key_is_nowhere_to_be_read(signer):
    assert KEY not in repr([getattr(signer, name) for name in signer.__slots__]).encode()
    assert not hasattr(signer, "__dict__")
