"""What a message on a control comm says."""

from __future__ import annotations

from collections.abc import Iterator

from vectorgen.kit import JsonObject as Json
from vectorgen.kit import case

SOURCE = "tools/make_comm_vectors.py"

HELLO = {"profile": 1, "features": ["sequence"], "session": "s", "epoch": "e"}
AGAIN = {"header": {"msg_type": "comm_msg"}, "content": {"comm_id": "c", "data": {}}}


def valid() -> dict[str, tuple[str, Json, Json]]:
    """Return name -> (about, data, what it says but for what is left out)."""
    resume = {"epoch": "k", "seen": {"c": 3}}
    return {
        "nothing": ("A message may say nothing.", {}, {}),
        "hello": ("A frontend is here.", HELLO, HELLO),
        "hello-again": (
            "A frontend is here again, and says what it had.",
            {**HELLO, "resume": resume, "sent": {"d": 2}, "open": ["c"]},
            {**HELLO, "resume": resume, "sent": {"d": 2}, "open": ["c"]},
        ),
        "hello-of-a-kernel": (
            "A kernel end answers, and knows nothing of what the frontend had.",
            {**HELLO, "recovered": False, "seen": {"c": 0}},
            {**HELLO, "recovered": False, "seen": {"c": 0}},
        ),
        "unknown-keys": (
            "Keys of later versions are passed over.",
            {"later": 1, "seen": {"c": 1}},
            {"seen": {"c": 1}},
        ),
        "numbers": (
            "How far both are, and what is missing.",
            {"sent": {"c": 9}, "seen": {"d": 4}, "want": {"d": [5, 8]}, "gone": {"e": 2}},
            {"sent": {"c": 9}, "seen": {"d": 4}, "want": {"d": [5, 8]}, "gone": {"e": 2}},
        ),
        "again": (
            "A message is sent once more.",
            {"again": [{**AGAIN, "buffers": 0}]},
            {"again": [{**AGAIN, "buffers": 0}]},
        ),
        "opens": (
            "What became of comms that the receiver has opened.",
            {"accepted": ["a", "b"], "refused": ["c"]},
            {"accepted": ["a", "b"], "refused": ["c"]},
        ),
        "credit": (
            "Parts of an answer were taken.",
            {"credit": [["c", "r1", 8]]},
            {"credit": [["c", "r1", 8]]},
        ),
        "hello-of-a-page": (
            "A page says which tab it is in, and which other sessions it has.",
            {**HELLO, "tab": "t1", "also": ["u"]},
            {**HELLO, "tab": "t1", "also": ["u"]},
        ),
        "restore": (
            "A frontend takes up comms.",
            {"restore": ["c", "d"]},
            {"restore": ["c", "d"]},
        ),
        "restored": (
            "How a comm stands, with what is kept of it; another one is not to be had.",
            {"restored": {"c": 7}, "kept": [{**AGAIN, "buffers": 0}], "withheld": ["d"]},
            {"restored": {"c": 7}, "kept": [{**AGAIN, "buffers": 0}], "withheld": ["d"]},
        ),
        "lane-ask": (
            "A page would like to have a lane.",
            {"lane_ask": {"origin": "http://localhost:8888"}},
            {"lane_ask": {"origin": "http://localhost:8888"}},
        ),
        "lane-offer": (
            "It can have one.",
            {"lane_offer": {"port": 40001, "token": "t"}},
            {"lane_offer": {"port": 40001, "token": "t"}},
        ),
        "lane-offer-none": (
            "There is none.",
            {"lane_offer": {}},
            {"lane_offer": {"port": 0, "token": ""}},
        ),
        "mark": (
            "A mark, and the answer to one.",
            {"mark": 3, "marked": 2},
            {"mark": 3, "marked": 2},
        ),
        "cancel": (
            "An answer is wanted no more.",
            {"cancel": [["c", "r1"]]},
            {"cancel": [["c", "r1"]]},
        ),
    }


def invalid() -> dict[str, tuple[str, object, int]]:
    """Return name -> (about, data, buffers of the message)."""
    return {
        "data-array": ("Data is an object.", [], 0),
        "profile-text": ("The version is a number.", {"profile": "1"}, 0),
        "seen-negative": ("Numbers are counts.", {"seen": {"c": -1}}, 0),
        "seen-fraction": ("Numbers are whole.", {"seen": {"c": 1.5}}, 0),
        "want-one": ("A hole has a first and a last number.", {"want": {"c": [1]}}, 0),
        "again-no-content": ("A message has content.", {"again": [{"header": {}}]}, 0),
        "again-header-text": ("A header is an object.", {"again": [{**AGAIN, "header": "h"}]}, 0),
        "again-too-few-buffers": ("Buffers add up.", {"again": [{**AGAIN, "buffers": 2}]}, 1),
        "again-too-many-buffers": ("Buffers add up.", {"again": [AGAIN]}, 1),
        "kept-too-few-buffers": ("Buffers add up.", {"kept": [{**AGAIN, "buffers": 2}]}, 1),
        "restored-text": ("Numbers are counts.", {"restored": {"c": "7"}}, 0),
        "restore-text": ("Comm ids are in an array.", {"restore": "c"}, 0),
        "tab-number": ("A tab is text.", {**HELLO, "tab": 1}, 0),
        "also-text": ("Sessions are in an array.", {**HELLO, "also": "u"}, 0),
        "lane-ask-text": ("What is asked is an object.", {"lane_ask": "http"}, 0),
        "lane-offer-port": ("A port has 16 bits.", {"lane_offer": {"port": 65536}}, 0),
        "lane-offer-token": ("A token is text.", {"lane_offer": {"port": 1, "token": 2}}, 0),
        "cancel-one": ("A request is named by comm and id.", {"cancel": [["c"]]}, 0),
        "accepted-number": ("Comm ids are text.", {"accepted": [1]}, 0),
    }


def all_cases() -> Iterator[tuple[str, Json]]:
    """Yield the path and content of every case."""
    for name, (about, data, meaning) in valid().items():
        yield f"control/valid/{name}", {**case(about, "", SOURCE), "data": data, "is": meaning}
    for name, (about, wrong, buffers) in invalid().items():
        given = {"data": wrong, "buffers": buffers, "error": {"code": "remote_protocol_error"}}
        yield f"control/invalid/{name}", {**case(about, "", SOURCE), **given}
