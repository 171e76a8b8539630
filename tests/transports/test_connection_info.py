from __future__ import annotations

import pytest
import zmq

from tsushin.transports.connection_info import ConnectionInfo

PORTS = {
    f"{name}_port": 5000 + i for i, name in enumerate(("shell", "iopub", "control", "stdin", "hb"))
}


def test_tcp_is_the_default():
    info = ConnectionInfo.parse({**PORTS, "ip": "127.0.0.1", "key": "k"})
    assert info.url("iopub") == "tcp://127.0.0.1:5001"
    assert (info.key, info.signature_scheme, info.curve) == (b"k", "hmac-sha256", None)


def test_ipc_joins_path_and_number_by_a_hyphen():
    info = ConnectionInfo.parse({**PORTS, "ip": "/run/kernel", "transport": "ipc"})
    assert info.url("hb") == "ipc:///run/kernel-5004"


def test_curve_keys_make_a_client_of_the_kernel():
    public, secret = zmq.curve_keypair()
    info = ConnectionInfo.parse(
        {**PORTS, "curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    )
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        info.secure(socket)
        assert socket.mechanism == zmq.CURVE


def test_keys_stay_out_of_the_repr():
    public, secret = zmq.curve_keypair()
    info = ConnectionInfo.parse(
        {**PORTS, "key": "secret!", "curve_publickey": public, "curve_secretkey": secret}
    )
    assert "secret!" not in repr(info)
    assert secret.decode() not in repr(info)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"iopub_port": None}, "iopub_port: expected a port, got None"),
        ({"hb_port": "5"}, "hb_port: expected a port, got '5'"),
        ({"shell_port": 70000}, "shell_port"),
        ({"transport": "pgm"}, "expected tcp or ipc, got 'pgm'"),
        ({"curve_publickey": "x"}, "got one of them"),
    ],
)
def test_broken_file_is_named(change, text):
    with pytest.raises(ValueError, match=text):
        ConnectionInfo.parse({**PORTS, **change})
