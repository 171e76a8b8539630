"""Scenarios of one end: what a router answers, step by step. The format is in spec/vectors/README.md.

The expectations are written here by hand from the specification and the rules of the project; no code of the
package is used. One piece, because it is one table of cases; its long functions hold nothing else.
"""

from __future__ import annotations

from vectorgen.kit import JsonObject as Json
from vectorgen.kit import case

SOURCE = "tools/make_comm_vectors.py"
_made: list[tuple[str, Json]] = []
CLOSERS = {"kernel": "iopub", "starter": "shell"}
CHANNELS = {**CLOSERS, "attached": "shell", "keeper": "shell"}

# --- steps of a scenario -----------------------------------------------------------------------------


def open_content(comm_id: str = "c1", target: str = "t", **extra: object) -> Json:
    return {"comm_id": comm_id, "target_name": target, "data": {}, **extra}


def content(comm_id: str = "c1", **extra: object) -> Json:
    return {"comm_id": comm_id, "data": {}, **extra}


def receive(msg_type: str, content: Json, *, msg_id: str = "m1", **expected: object) -> Json:
    return {"receive": {"msg_type": msg_type, "msg_id": msg_id, "content": content}, **expected}


def receive_open(comm_id: str = "c1", target: str = "t", **extra: object) -> Json:
    event = {"type": "opened", "comm_id": comm_id, "target_name": target}
    return receive("comm_open", open_content(comm_id, target, **extra), events=[event])


def received(comm_id: str = "c1", data: object = None) -> Json:
    event = {"type": "received", "comm_id": comm_id, "data": data or {}}
    return receive("comm_msg", content(comm_id, data=data or {}), events=[event])


def receive_close(comm_id: str = "c1", data: object = None) -> Json:
    event = {"type": "closed", "comm_id": comm_id, "data": data or {}}
    return receive("comm_close", content(comm_id, data=data or {}), events=[event])


def late(msg_type: str, comm_id: str = "c1") -> Json:
    return receive(msg_type, content(comm_id), events=[{"type": "late", "comm_id": comm_id}])


def unknown(msg_type: str, comm_id: str = "c1", target: str | None = None) -> Json:
    sent = content(comm_id) if target is None else open_content(comm_id, target)
    return receive(msg_type, sent, events=[{"type": "unknown", "comm_id": comm_id}])


def fault(code: str = "remote_protocol_error", **attributes: object) -> Json:
    return {"type": "fault", "error": {"code": code, **attributes}}


def sent(
    role: str, msg_type: str, content: Json, *, metadata: Json | None = None, **keys: object
) -> Json:
    return {
        "channel": CHANNELS[role],
        "msg_type": msg_type,
        "content": content,
        "metadata": metadata or {},
        "parent": None,
        **keys,
    }


def refusal(
    role: str, code: str, *, comm_id: str = "c1", parent: str = "m1", **error: object
) -> Json:
    metadata = {"tsushin": {"error": {"code": code, **error}}}
    return sent(role, "comm_close", content(comm_id), metadata=metadata, parent=parent)


def open_(
    role: str = "kernel", comm_id: str = "c1", target: str = "t", data: object = None
) -> Json:
    expected = sent(role, "comm_open", open_content(comm_id, target, data=data or {}))
    return {
        "open": {"comm_id": comm_id, "target_name": target, "data": data or {}},
        "sends": [expected],
    }


def act(role: str, verb: str, comm_id: str = "c1", data: object = None) -> Json:
    msg_type = {"send": "comm_msg", "close": "comm_close"}[verb]
    return {
        verb: {"comm_id": comm_id, "data": data or {}},
        "sends": [sent(role, msg_type, content(comm_id, data=data or {}))],
    }


def lose(*lost: str, reason: str = "the kernel died") -> Json:
    events = [{"type": "lost", "comm_id": comm_id, "reason": reason} for comm_id in lost]
    return {"lose": {"reason": reason}, "events": events}


def fails(verb: str, code: str, comm_id: str = "c1", **attributes: object) -> Json:
    given: Json = {"comm_id": comm_id}
    if verb in ("open", "adopt"):
        given["target_name"] = "t"
    if verb != "adopt":
        given["data"] = {}
    return {verb: given, "error": {"code": code, **attributes}}


def scenario(
    kind: str,
    name: str,
    about: str,
    *steps: Json,
    role: str = "kernel",
    open_comms: Json | None = None,
    **keys: object,
) -> None:
    body = case(about, source=SOURCE, role=role, targets=["t"], **keys)
    made = {**body, "steps": list(steps), "open_comms": open_comms or {}}
    _made.append((f"comm/{kind}/{name}", made))


OPEN_C1 = {"c1": "t"}


# --- scenarios between conforming ends ---------------------------------------------------------------


def valid_lives() -> None:
    for role in CHANNELS:
        scenario(
            "valid",
            f"{role}-opens-sends-closes",
            "The opening end sends open, message and close on its own channel.",
            open_(role, data={"a": 1}),
            act(role, "send", data={"b": None}),
            received(data={"c": [1.5]}),
            act(role, "close", data={"bye": True}),
            role=role,
        )
        scenario(
            "valid",
            f"{role}-accepts-and-is-closed",
            "The peer opens, both send, the peer closes with data.",
            receive_open(data={"a": 1}),
            received(data={"n": 1}),
            act(role, "send", data={"n": 2}),
            receive_close(data={"why": "done"}),
            role=role,
        )
    scenario(
        "valid",
        "metadata-buffers-parent",
        "What the caller attaches is on the message, and nothing else is.",
        {
            "open": {
                "comm_id": "c1",
                "target_name": "t",
                "data": {},
                "metadata": {"m": 1},
                "buffers": ["", "00ff"],
                "parent": "cell-1",
                "target_module": "my/module",
            },
            "sends": [
                sent(
                    "kernel",
                    "comm_open",
                    open_content(target_module="my/module"),
                    metadata={"m": 1},
                    buffers=["", "00ff"],
                    parent="cell-1",
                )
            ],
        },
        open_comms=OPEN_C1,
    )
    scenario(
        "valid",
        "two-comms-do-not-mix",
        "Closing one comm leaves the other open.",
        receive_open("c1"),
        open_("kernel", "c2"),
        receive_close("c2"),
        received("c1"),
        open_comms=OPEN_C1,
    )
    scenario(
        "valid",
        "target-module",
        "The open's target_module is told with the event; null means there is none.",
        receive(
            "comm_open",
            open_content(target_module="my/module"),
            events=[
                {
                    "type": "opened",
                    "comm_id": "c1",
                    "target_name": "t",
                    "target_module": "my/module",
                }
            ],
        ),
        receive_open("c2", target_module=None),
        role="starter",
        open_comms={"c1": "t", "c2": "t"},
    )
    scenario(
        "valid",
        "other-types-are-passed-over",
        "A message that is none of the three is nothing to the router, whatever it holds.",
        receive("status", {"execution_state": "busy"}),
        receive("comm_info_request", {"target_name": 7}),
        receive("", {}),
    )


def valid_late() -> None:
    for role in CHANNELS:
        scenario(
            "valid",
            f"{role}-closes-cross",
            "Both ends close at the same time: the peer's close is late, not an error "
            "(logged as one in comm 0.2.3 and JupyterLab 4.6).",
            open_(role),
            act(role, "close"),
            late("comm_msg"),
            late("comm_close"),
            role=role,
        )
        scenario(
            "valid",
            f"{role}-after-the-peers-close",
            "What still arrives after the peer's close, a second close too, is late.",
            receive_open(),
            receive_close(),
            late("comm_close"),
            late("comm_msg"),
            role=role,
        )
        scenario(
            "valid",
            f"{role}-unknown-comm",
            "Messages about a comm this end has no part in change nothing and are not answered.",
            unknown("comm_msg", "other"),
            unknown("comm_close", "other"),
            role=role,
        )
    scenario(
        "valid",
        "attached-unknown-target",
        "An open is a broadcast: a frontend that attached never closes what it does not know.",
        unknown("comm_open", "c1", "not-mine"),
        unknown("comm_msg", "c1"),
        unknown("comm_close", "c1"),
        role="attached",
    )
    scenario(
        "valid",
        "closed-ids-are-forgotten-in-order",
        "Only max_closed_ids closed ids are remembered, the latest ones.",
        open_(comm_id="c1"),
        act("kernel", "close", "c1"),
        open_(comm_id="c2"),
        act("kernel", "close", "c2"),
        unknown("comm_msg", "c1"),
        late("comm_msg", "c2"),
        limits={"max_closed_ids": 1},
    )


def valid_lose_adopt() -> None:
    for role in CHANNELS:
        scenario(
            "valid",
            f"{role}-loses-every-comm",
            "Every open comm is lost with the reason, in the order of opening; nothing is sent.",
            open_(role, "c1"),
            receive_open("c2"),
            open_(role, "c3"),
            act(role, "close", "c3"),
            lose("c1", "c2"),
            role=role,
        )
    scenario(
        "valid",
        "after-lose-ids-are-unknown",
        "A loss forgets closed and lost ids: what arrives later belongs to another life.",
        open_("starter"),
        act("starter", "close"),
        receive_open("c2"),
        lose("c2"),
        unknown("comm_close", "c1"),
        unknown("comm_msg", "c2"),
        receive_open("c3"),
        role="starter",
        open_comms={"c3": "t"},
    )
    scenario(
        "valid",
        "lose-with-nothing-open",
        "Losing the link without open comms tells nobody anything; twice is once.",
        lose(),
        lose(),
    )
    adopt = {"adopt": {"comm_id": "c1", "target_name": "t"}}
    scenario(
        "valid",
        "adopt",
        "A comm the peer has open is taken over without a message, and used from then on.",
        adopt,
        received(),
        act("attached", "send"),
        receive_close(),
        role="attached",
    )
    scenario(
        "valid",
        "adopt-after-unknown-messages",
        "Messages seen before the adoption were unknown and do not stand in its way.",
        unknown("comm_msg"),
        adopt,
        received(),
        role="attached",
        open_comms=OPEN_C1,
    )


def register(target: str, *events: Json) -> Json:
    return {"register": {"target_name": target}, "events": list(events)}


def valid_keep() -> None:
    opened = {"type": "opened", "comm_id": "c1", "target_name": "later"}
    data = [{"type": "received", "comm_id": "c1", "data": {"n": n}} for n in range(2)]
    keeps = {"role": "keeper"}
    scenario(
        "valid",
        "kept-open-is-delivered-when-registered",
        "A comm waits for its target with its messages; then it is as if they came now.",
        receive("comm_open", open_content(target="later")),
        *(receive("comm_msg", content(data={"n": n})) for n in range(2)),
        register("later", opened, *data),
        received(),
        open_comms={"c1": "later"},
        **keeps,
    )
    scenario(
        "valid",
        "close-of-a-kept-comm-drops-it",
        "Nobody has seen a comm that was closed while it waited; what follows is late.",
        receive("comm_open", open_content(target="later")),
        receive("comm_close", content()),
        register("later"),
        late("comm_msg"),
        **keeps,
    )
    scenario(
        "valid",
        "the-comm-that-waited-longest-goes",
        "When too much waits, the oldest comm goes whole; its later messages are unknown.",
        receive("comm_open", open_content(target="later")),
        receive("comm_msg", content(data={"n": 0})),
        receive("comm_open", open_content("c2", "later")),
        unknown("comm_msg"),
        register("later", {**opened, "comm_id": "c2"}),
        limits={"max_kept_messages": 2},
        open_comms={"c2": "later"},
        **keeps,
    )
    scenario(
        "valid",
        "kept-comms-are-lost-with-the-kernel",
        "What waits belongs to a kernel that is gone: it is forgotten.",
        receive("comm_open", open_content(target="later")),
        {"lose": {"reason": "the kernel died"}},
        register("later"),
        **keeps,
    )


def valid_leniency() -> None:
    for msg_type, opened in (("comm_open", False), ("comm_msg", True), ("comm_close", True)):
        for name, data in (("missing", ...), ("null", None), ("empty-array", [])):
            fields = open_content() if msg_type == "comm_open" else content()
            del fields["data"]
            if data is not ...:
                fields["data"] = data
            kind = {"comm_open": "opened", "comm_msg": "received", "comm_close": "closed"}[msg_type]
            more: Json = {"target_name": "t"} if kind == "opened" else {"data": {}}
            event: Json = {"type": kind, "comm_id": "c1", **more}
            scenario(
                "valid",
                f"{msg_type.replace('_', '-')}-data-{name}",
                "Data that is missing, null or [] counts as {} (IRkernel 1.3.2 writes {} as []).",
                *([receive_open()] if opened else []),
                receive(msg_type, fields, events=[event]),
                open_comms={} if msg_type == "comm_close" else OPEN_C1,
            )
    scenario(
        "valid",
        "extra-keys",
        "Keys the specification does not name are passed over.",
        receive_open(version="2.1.0", topic=None),
        received(),
        open_comms=OPEN_C1,
    )


IDS = {
    "62-characters": "i" * 62,
    "80-characters": "i" * 80,
    "256-characters": "i" * 256,
    "non-ascii": "通信-é-\U0001f4e1",
    "empty": "",
    "with-spaces": " a b\n",
    "proto": "__proto__",
    "constructor": "constructor",
}


def valid_ids() -> None:
    for name, comm_id in IDS.items():
        scenario(
            "valid",
            f"id-{name}",
            "An id is any text of at most max_comm_id_chars characters; neighbours fail on some "
            "(ipykernel 7.4 on non-ASCII, xeus-python on 62 characters).",
            receive_open(comm_id),
            received(comm_id, {"n": 1}),
            act("kernel", "send", comm_id),
            act("kernel", "close", comm_id),
            late("comm_close", comm_id),
        )
    scenario(
        "valid",
        "target-proto",
        "A target name is looked up among registered targets only, not among an object's own members.",
        unknown("comm_open", "c1", "__proto__"),
        unknown("comm_open", "c2", "constructor"),
        unknown("comm_open", "c3", ""),
        role="attached",
    )


# --- scenarios with a rule broken --------------------------------------------------------------------


def invalid_opens() -> None:
    for role in CLOSERS:
        scenario(
            "invalid",
            f"{role}-unknown-target",
            "An open for an unknown target is answered by a close with empty data and the reason in the "
            "metadata, never by an echo of the open's data (as xeus does).",
            receive(
                "comm_open",
                open_content(target="nobody", data={"secret": 1}),
                events=[fault("unknown_target", target_name="nobody")],
                sends=[refusal(role, "unknown_target")],
            ),
            late("comm_msg"),
            receive_open("c2"),
            role=role,
            open_comms={"c2": "t"},
        )
        scenario(
            "invalid",
            f"{role}-closed-id-opened-again",
            "An id is never used twice: the open is refused, and the comm stays closed.",
            receive_open(),
            act(role, "close"),
            receive(
                "comm_open",
                open_content(),
                msg_id="m2",
                events=[fault()],
                sends=[refusal(role, "remote_protocol_error", parent="m2")],
            ),
            late("comm_msg"),
            role=role,
        )
        scenario(
            "invalid",
            f"{role}-too-many-open",
            "An open above max_open_comms is refused with the limit as the reason.",
            receive_open("c1"),
            receive(
                "comm_open",
                open_content("c2"),
                events=[
                    fault(
                        "limit_exceeded", limit="max_open_comms", allowed=1, actual=2, unit="count"
                    )
                ],
                sends=[refusal(role, "limit_exceeded", comm_id="c2")],
            ),
            late("comm_msg", "c2"),
            received("c1"),
            role=role,
            limits={"max_open_comms": 1},
            open_comms=OPEN_C1,
        )
    scenario(
        "invalid",
        "attached-closed-id-opened-again",
        "An attached frontend reports it and answers nothing.",
        receive_open(),
        receive_close(),
        receive("comm_open", open_content(), events=[fault()]),
        role="attached",
    )
    scenario(
        "invalid",
        "attached-too-many-open",
        "An attached frontend above its limit reports it and leaves the comm to others.",
        receive_open("c1"),
        receive(
            "comm_open",
            open_content("c2"),
            events=[fault("limit_exceeded", limit="max_open_comms")],
        ),
        role="attached",
        limits={"max_open_comms": 1},
        open_comms=OPEN_C1,
    )
    for role in CHANNELS:
        scenario(
            "invalid",
            f"{role}-live-id-opened-again",
            "A second open of a live id is reported and not answered: a close would close the good comm "
            "(ipykernel 7.4 and JupyterLab replace the live comm).",
            receive_open(),
            receive("comm_open", open_content(), events=[fault()]),
            received(),
            act(role, "send"),
            role=role,
            open_comms=OPEN_C1,
        )
        scenario(
            "invalid",
            f"{role}-own-id-opened-by-peer",
            "The peer opens with the id of a comm that was opened here.",
            open_(role),
            receive("comm_open", open_content(), events=[fault()]),
            received(),
            role=role,
            open_comms=OPEN_C1,
        )
    long = "i" * 257
    scenario(
        "invalid",
        "id-too-long",
        "An id above max_comm_id_chars is refused.",
        receive(
            "comm_open",
            open_content(long),
            events=[fault("limit_exceeded", limit="max_comm_id_chars", allowed=256, actual=257)],
            sends=[refusal("kernel", "limit_exceeded", comm_id=long)],
        ),
    )
    scenario(
        "invalid",
        "id-length-counts-characters",
        "An id's length is counted in characters (code points), not in UTF-16 units or bytes.",
        receive_open("\U0001f4e1" * 4),
        receive(
            "comm_open",
            open_content("\U0001f4e1" * 5),
            events=[fault("limit_exceeded", limit="max_comm_id_chars", allowed=4, actual=5)],
            sends=[refusal("kernel", "limit_exceeded", comm_id="\U0001f4e1" * 5)],
        ),
        limits={"max_comm_id_chars": 4},
        open_comms={"\U0001f4e1" * 4: "t"},
    )


def invalid_keep() -> None:
    opened = {"type": "opened", "comm_id": "c1", "target_name": "later"}
    scenario(
        "invalid",
        "open-of-an-id-that-waits",
        "An open for the id of a comm that waits is reported; the one that waits is kept.",
        receive("comm_open", open_content(target="later")),
        receive("comm_open", open_content(target="later"), events=[fault()]),
        {"register": {"target_name": "later"}, "events": [opened]},
        open_comms={"c1": "later"},
        role="keeper",
    )


def invalid_refuse() -> None:
    error = {"code": "remote_error", "name": "ValueError", "message": "no"}
    for role in CHANNELS:
        scenario(
            "invalid",
            f"{role}-target-raises",
            "A target that raised closes its comm with the reason in the metadata.",
            receive_open(),
            {
                "refuse": {"comm_id": "c1", "error": error},
                "sends": [refusal(role, "remote_error", name="ValueError")],
            },
            late("comm_msg"),
            role=role,
        )
    scenario(
        "invalid",
        "target-closes-then-raises",
        "A target that closed its comm before it raised has said all there is: nothing more is sent.",
        receive_open(),
        act("kernel", "close"),
        {"refuse": {"comm_id": "c1", "error": error}, "sends": []},
    )


def invalid_calls() -> None:
    for verb in ("send", "close"):
        scenario(
            "invalid",
            f"{verb}-before-open",
            "Nothing is sent on a comm that was never opened.",
            fails(verb, "comm_not_open"),
        )
        scenario(
            "invalid",
            f"{verb}-after-own-close",
            "After one's own close nothing is sent (comm 0.2.3 still publishes a comm_msg).",
            open_(),
            act("kernel", "close", data={"mine": 1}),
            fails(verb, "comm_closed", closed_by="here", data={}),
        )
        scenario(
            "invalid",
            f"{verb}-after-the-peers-close",
            "After the peer's close the error has the data of that close.",
            open_(),
            receive_close(data={"why": "done"}),
            fails(verb, "comm_closed", closed_by="there", data={"why": "done"}),
        )
        scenario(
            "invalid",
            f"{verb}-after-lose",
            "A lost comm is closed.",
            open_(),
            lose("c1"),
            fails(verb, "comm_closed", closed_by="lost", data={}),
        )
    for verb in ("open", "adopt"):
        scenario(
            "invalid",
            f"{verb}-while-open",
            "A comm is opened once: a second time sends nothing and leaves it open.",
            open_(),
            fails(verb, "duplicate_comm", comm_id="c1"),
            received(),
            open_comms=OPEN_C1,
        )
        scenario(
            "invalid",
            f"{verb}-after-close",
            "A closed comm is not opened again.",
            open_(),
            act("kernel", "close"),
            fails(verb, "comm_closed", closed_by="here"),
        )
        scenario(
            "invalid",
            f"new-{verb}-of-live-id",
            "Another comm with the id of an open one is refused.",
            receive_open(),
            {**fails(verb, "duplicate_comm", comm_id="c1"), "new": True},
            received(),
            open_comms=OPEN_C1,
        )
        scenario(
            "invalid",
            f"new-{verb}-of-closed-id",
            "Another comm with a remembered id is refused: a comm_info_reply and a comm_close are not "
            "ordered, so the close may have come first.",
            receive_open(),
            receive_close(),
            {**fails(verb, "duplicate_comm", comm_id="c1"), "new": True},
            late("comm_msg"),
            role="attached",
        )
        scenario(
            "invalid",
            f"{verb}-after-unknown-close",
            "The close of somebody else's comm is remembered: a comm_info_reply that was on its way when it "
            "closed does not bring it back.",
            unknown("comm_msg"),
            unknown("comm_close"),
            fails(verb, "duplicate_comm", comm_id="c1"),
            late("comm_msg"),
            role="attached",
        )
        scenario(
            "invalid",
            f"{verb}-too-many",
            "One's own calls keep max_open_comms too.",
            open_(comm_id="c1"),
            fails(verb, "limit_exceeded", "c2", limit="max_open_comms", allowed=1, actual=2),
            open_comms=OPEN_C1,
            limits={"max_open_comms": 1},
        )


WRONG = {
    "missing": ...,
    "null": None,
    "number": 7,
    "true": True,
    "array": ["c1"],
    "object": {"a": 1},
}


def invalid_fields() -> None:
    """Every field of every type, missing or of another type; the end survives and goes on."""
    good = {
        "comm_open": open_content("c9"),
        "comm_msg": content("c1", data={"a": 1}),
        "comm_close": content("c1", data={"a": 1}),
    }
    for msg_type, fields in good.items():
        wrong: list[tuple[str, str, object]] = [("comm_id", n, v) for n, v in WRONG.items()]
        wrong += [
            ("data", n, v) for n, v in WRONG.items() if n not in ("missing", "null", "object")
        ]
        wrong += [("data", "string", "text"), ("data", "zero", 0), ("data", "false", False)]
        wrong += [("data", "empty-string", "")]
        if msg_type == "comm_open":
            wrong += [("target_name", n, v) for n, v in WRONG.items()]
            wrong += [
                ("target_module", n, v) for n, v in WRONG.items() if n not in ("missing", "null")
            ]
        for field, name, value in wrong:
            bad = {key: item for key, item in fields.items() if key != field}
            if value is not ...:
                bad[field] = value
            scenario(
                "invalid",
                f"{msg_type}-{field}-{name}".replace("_", "-"),
                f"A {msg_type} with this {field} is reported and changes nothing; later messages work.",
                receive_open(),
                receive(msg_type, bad, events=[fault()]),
                received(),
                open_comms=OPEN_C1,
            )


def all_cases() -> list[tuple[str, Json]]:
    """Return every scenario with its path."""
    _made.clear()
    valid_lives()
    valid_late()
    valid_lose_adopt()
    valid_keep()
    valid_leniency()
    valid_ids()
    invalid_opens()
    invalid_keep()
    invalid_refuse()
    invalid_calls()
    invalid_fields()
    return list(_made)
