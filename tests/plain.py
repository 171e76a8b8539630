"""A stock end against ours: what it may hear, and what each of our features does where it is the only peer.

Every feature is used where nobody at the other end knows the profile. ``FEATURES`` says what it gives or
raises, and within which time: docs/explanation/guarantees.md, "Against a plain peer", promises these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

AT_ONCE_S = 0.2
TIMEOUT_S = 0.3  # of the waits that only their own timeout ends
SLOWER = 5  # a busy machine may take so many times as long


@dataclass(frozen=True)
class Feature:
    """One use of a feature.

    Attributes:
        code: body of an ``async`` function in which ``comm`` and ``manager`` are ours.
        gives: its value, or the name of the error.
        says: what the text of the error begins or ends with.
        within_s: the time it is promised within.
        only: "kernel" or "frontend", where it is different at the other one.
    """

    name: str
    code: str
    gives: object = None
    says: str = ""
    within_s: float = AT_ONCE_S
    only: str = ""

    @property
    def bound_s(self):
        """What it may take on a busy machine."""
        return self.within_s * SLOWER


NOBODY = "nobody at the other end answers requests"
FEATURES = [
    Feature("request", "await comm.request('x', {'a': 1})", "NoPeer", NOBODY),
    Feature("request-for-ever", "await comm.request('x', timeout=None)", "NoPeer", NOBODY),
    Feature("request-sync", "comm.request_sync('x')", "NoPeer", NOBODY, only="kernel"),
    Feature("stream", "async for _ in comm.stream('x'): pass", "NoPeer", NOBODY),
    Feature("stream-sync", "for _ in comm.stream('x'): pass", "NoPeer", NOBODY, only="kernel"),
    Feature(
        "ready-kernel",
        f"await comm.ready({TIMEOUT_S})",
        "TimeoutError",
        f"not within {TIMEOUT_S} s",
        TIMEOUT_S,
        only="kernel",
    ),
    Feature(
        "ready-frontend",
        "await comm.ready(timeout=None)",
        "NoPeer",
        "nobody at the other end knows the profile",
        only="frontend",
    ),
    Feature("drain", "await comm.drain(timeout=None)"),
    Feature("coalesce", "for n in range(100): comm.send({'n': n}, coalesce='n')"),
    Feature("on-full", "for n in range(100): comm.send({'n': n}, on_full='raise')"),
    Feature("on-gap", "comm.on_gap(print)"),
    Feature("handle", "comm.handle('x', print)"),
    Feature("peers", "return list(manager.peers)", []),
]


def features(end):
    """Return what there is to be used at a "kernel" or a "frontend"."""
    return [feature for feature in FEATURES if feature.only in ("", end)]


USE = """
import asyncio, time
async def use():
    {code}
async def used():
    begun = time.monotonic()
    try:
        async with asyncio.timeout({bound}):
            given, text = await use(), ""
    except Exception as error:
        given, text = type(error).__name__, str(error)
    return given, text, time.monotonic() - begun
"""


def cell(feature):
    """Return a cell that uses a feature, and prints as JSON what it gave or raised, the text, and seconds."""
    code = USE.format(code=feature.code, bound=feature.bound_s)
    return f"{code}import json\nprint(json.dumps(await used()))\n"


def wrong(feature, given, text, seconds):
    """Return what is not as documented in what a use of a feature came to."""
    found = []
    if given != feature.gives or not text.endswith(feature.says):
        found.append(f"{given!r}: {text}")
    if seconds > feature.bound_s:
        found.append(f"after {seconds:.1f} s")
    return found


# ------------------------------------------------------------------ what a plain peer may hear

TEXT = (str, True)
OBJECT = (dict, True)
HEADER = {
    **dict.fromkeys(("msg_id", "msg_type", "session", "username", "version"), TEXT),
    "date": ((str, datetime), True),  # jupyter_client reads it
}
CONTENT = {
    "comm_open": {
        "comm_id": TEXT,
        "target_name": TEXT,
        "data": OBJECT,
        "target_module": ((str, type(None)), False),
    },
    "comm_msg": {"comm_id": TEXT, "data": OBJECT},
    "comm_close": {"comm_id": TEXT, "data": OBJECT},
}


def faults(message):
    """Return how a comm message differs from the specification ("Custom Messages"), if it does."""
    header, content = message["header"], message["content"]
    kind = header.get("msg_type")
    if kind not in CONTENT:
        return [f"msg_type {kind!r}"]
    found = [*_differs("header", header, HEADER), *_differs(kind, content, CONTENT[kind])]
    if not isinstance(message["metadata"], dict):
        found.append("metadata is no object")
    return found


def _differs(where, given, shape):
    for key, (kind, is_needed) in shape.items():
        if key in given and not isinstance(given[key], kind):
            yield f"{where}.{key}: {given[key]!r}"
        elif is_needed and key not in given:
            yield f"{where}.{key} is missing"
    yield from (f"{where}.{key} is none of the specification's" for key in set(given) - set(shape))
