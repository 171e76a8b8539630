"""What a connection file says: where a kernel's sockets are, and the keys to them.

Spec: Jupyter kernels, "Connection files". ``curve_publickey`` and ``curve_secretkey`` (Z85 text) are
jupyter_client's from 8.9 on: whoever has the file is given the kernel's own pair for both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import zmq

from tsushin.errors import quote

Port = Literal["shell", "iopub", "control", "stdin", "hb"]
PORTS: Final[tuple[Port, ...]] = ("shell", "iopub", "control", "stdin", "hb")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo:
    """A connection file, checked. Keys are kept out of its repr."""

    carrier: Literal["tcp", "ipc"]
    ip: str
    ports: dict[Port, int]
    key: bytes = field(repr=False)
    signature_scheme: str = "hmac-sha256"
    curve: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, info: Mapping[str, object]) -> ConnectionInfo:
        """Check the contents of a connection file.

        Raises:
            ValueError: a port is missing or no integer; the carrier is neither tcp nor ipc; half a key pair.
        """
        carrier = info.get("transport", "tcp")
        if carrier not in ("tcp", "ipc"):
            raise ValueError(
                f"connection file: transport: expected tcp or ipc, got {quote(carrier)}"
            )
        return cls(
            carrier=carrier,
            ip=str(info.get("ip") or "127.0.0.1"),
            ports={name: _port(info, name) for name in PORTS},
            key=_bytes(info.get("key", "")),
            signature_scheme=str(info.get("signature_scheme") or "hmac-sha256"),
            curve=_curve(info),
        )

    def url(self, port: Port) -> str:
        """Return where one of the kernel's sockets is bound."""
        separator = ":" if self.carrier == "tcp" else "-"
        return f"{self.carrier}://{self.ip}{separator}{self.ports[port]}"

    def secure(self, socket: zmq.Socket[Any]) -> None:  # Any: whatever the socket's recv returns
        """Make ``socket`` a CurveZMQ client where the file has keys. Call before ``connect``."""
        if self.curve is not None:
            public, secret = self.curve
            socket.curve_publickey, socket.curve_secretkey = public, secret
            socket.curve_serverkey = public


def _port(info: Mapping[str, object], name: Port) -> int:
    value = info.get(f"{name}_port")
    if not isinstance(value, int) or not 0 < value < 65536:  # noqa: PLR2004 (what a port can be)
        raise ValueError(f"connection file: {name}_port: expected a port, got {quote(value)}")
    return value


def _curve(info: Mapping[str, object]) -> tuple[bytes, bytes] | None:
    public, secret = info.get("curve_publickey"), info.get("curve_secretkey")
    if not public and not secret:
        return None
    if not public or not secret:
        raise ValueError(
            "connection file: expected curve_publickey and curve_secretkey, got one of them"
        )
    return _bytes(public), _bytes(secret)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
