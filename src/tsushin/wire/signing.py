"""Sign and verify: HMAC over the four JSON parts of a ZMQ message.

The order matters: a signature's length is checked, it is verified, and only then remembered, so that
forged messages cannot fill the memory; the caller decodes after that. A remembered signature is refused:
that is the protection against replay.

What it does not do: by specification the buffers and the identities are not signed. Whoever can write to
the socket can change them; only a private network, or CurveZMQ, prevents that.

Spec: Jupyter messaging, "The Wire Protocol". Vectors: spec/vectors/zmq.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Iterable
from typing import Final

from tsushin.errors import SignatureError, quote
from tsushin.protocol.limits import DEFAULT_LIMITS, Limits
from tsushin.wire.parts import BytesLike

_PREFIX: Final = "hmac-"
# Digests of no fixed length cannot be an HMAC.
_HASHES: Final = frozenset(
    name for name in hashlib.algorithms_guaranteed if hashlib.new(name).digest_size
)


class Signer:
    """Signs what is sent and verifies what is received, with one key.

    ``sign`` may be called from any thread, ``verify`` from one at a time. Sent signatures are not
    remembered: a frontend and a kernel never receive what they sent.

    Args:
        key: as in the connection file; empty means that nothing is signed and nothing is checked.
        scheme: ``signature_scheme`` of the connection file: "hmac-" and the name of a hash.
        limits: ``max_signatures`` bounds what is remembered; the oldest is forgotten first.

    Raises:
        ValueError: unknown scheme.
    """

    __slots__ = ("_digits", "_keyed", "_max_seen", "_order", "_seen")

    def __init__(
        self, key: bytes, *, scheme: str = "hmac-sha256", limits: Limits = DEFAULT_LIMITS
    ) -> None:
        name = scheme.removeprefix(_PREFIX)
        if name == scheme or name not in _HASHES:
            raise ValueError(
                f"scheme: expected 'hmac-' and the name of a hash, got {quote(scheme)}"
            )
        # Keyed once: copying the states costs less than deriving them again for each message.
        self._keyed = _keyed(key, name) if key else None
        self._digits = 2 * hashlib.new(name).digest_size
        self._max_seen = limits.max_signatures
        self._seen: set[bytes] = set()
        self._order: deque[bytes] = deque()  # as they arrived

    def sign(self, parts: Iterable[BytesLike]) -> bytes:
        """Return the signature of the four JSON parts, lower-case hex; empty without a key."""
        if self._keyed is None:
            return b""
        inner, outer = self._keyed[0].copy(), self._keyed[1].copy()
        inner.update(b"".join(parts))
        outer.update(inner.digest())
        return outer.hexdigest().encode()

    def verify(self, signature: BytesLike, parts: Iterable[BytesLike]) -> None:
        """Accept a signature once; decode the parts after this, not before.

        Raises:
            SignatureError: missing, of the wrong length, wrong, or seen before. Never without a key.
        """
        if self._keyed is None:
            return
        if len(signature) != self._digits:
            raise _fault(f"expected {self._digits} bytes, got {len(signature)}")
        given = bytes(signature)
        if not hmac.compare_digest(given, self.sign(parts)):
            raise _fault("does not match the message")
        if given in self._seen:
            raise _fault("was seen before")
        self._remember(given)

    def _remember(self, signature: bytes) -> None:
        self._seen.add(signature)
        self._order.append(signature)
        while len(self._order) > self._max_seen:
            self._seen.discard(self._order.popleft())


def _keyed(key: bytes, name: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return the inner and the outer hash of an HMAC, begun with the key (RFC 2104).

    To copy these two takes half the time of copying what ``hmac.new`` returns.
    """
    inner, outer = hashlib.new(name), hashlib.new(name)
    size = inner.block_size
    key = key if len(key) <= size else hashlib.new(name, key).digest()
    inner.update(bytes(byte ^ 0x36 for byte in key.ljust(size, b"\0")))
    outer.update(bytes(byte ^ 0x5C for byte in key.ljust(size, b"\0")))
    return inner, outer


def _fault(text: str) -> SignatureError:
    return SignatureError(text, part="signature")
