from __future__ import annotations

import pytest

from tsushin.errors import RemoteProtocolError
from tsushin.frontend.comm_info import open_comms

X = {"x": {"target_name": "t"}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"status": "ok", "comms": X}, X),
        ({"comms": X}, X),  # JJava, tslab
        ({"status": "ok", "comms": {"comms": X}}, X),  # IRkernel
        ({"status": "ok", "comms": {"comms": {}}}, {}),
        ({"status": "ok", "comms": {"comms": []}}, {}),
        ({"status": "ok", "comms": []}, {}),
        ({"status": "ok", "comms": {}}, {}),
        ({"comms": {"comms": {"target_name": "t"}}}, {"comms": {"target_name": "t"}}),
        ({"comms": {"x": {"target_name": "t", "more": 1}}}, X),
    ],
)
def test_replies_met_in_kernels(content, expected):
    assert open_comms(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"comms": 7},
        {"comms": None},
        {"comms": [1]},
        {"comms": {"x": 7}},
        {"comms": {"x": {}}},
        {"status": "error", "ename": "RuntimeError", "evalue": "changed size"},
    ],
)
def test_anything_else_is_the_kernels_fault(content):
    with pytest.raises(RemoteProtocolError):
        open_comms(content)
