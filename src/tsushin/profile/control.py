"""What two ends say to each other beside the users' messages: the comms to the target ``tsushin.session``.

Each frontend opens one at a kernel end that knows the profile. No handler sees what travels on it, and a
plain peer knows neither its id nor its target, so it passes over it.

Spec: spec/profile.md, "Sessions". Vectors: spec/vectors/control.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, cast

import msgspec

from tsushin.errors import RemoteProtocolError
from tsushin.protocol.messages import Channel, Header, JsonObject, Message

PROFILE: Final = 1
TARGET: Final = "tsushin.session"
FEATURES: Final = ("requests", "sequence", "cancel", "streams", "pieces", "restore")
LANE: Final = "lane"  # the feature of an end that can have one

Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Resume:
    """What a frontend had of the kernel end before its link broke.

    Attributes:
        epoch: of the kernel end it knew.
        seen: comm id -> number of the last message it has, none before it missing.
    """

    epoch: str
    seen: dict[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Again:
    """A numbered message that is sent once more. ``buffers`` says how many of the carrier's are its own."""

    header: dict[str, Any]
    content: dict[str, Any]
    parent_header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    buffers: Number = 0


@dataclass(frozen=True, slots=True)
class LaneAsk:
    """A frontend asks for a lane. ``origin`` is its page's, "" where it is no page."""

    origin: str = ""


@dataclass(frozen=True, slots=True)
class LaneOffer:
    """How a session gets its lane: once, and soon. ``port`` is 0 where there is none."""

    port: Annotated[int, msgspec.Meta(ge=0, lt=2**16)] = 0
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One message on a control comm. It may say several things; what it leaves out it does not say.

    Attributes:
        profile: version; above 0 in a hello, which has other keys too, ``also`` among them.
        features: what its end knows.
        session: of its end.
        epoch: made anew with each life of its end.
        tab: from a page: the same before and after it was loaded again.
        resume: from a frontend that was here before.
        recovered: False where the kernel end knows nothing of what ``resume`` says.
        open: comms that its end has open.
        sent: comm id -> number of the last message sent.
        seen: comm id -> number of the last message received, none before it missing.
        want: comm id -> first and last number of what is missing.
        gone: comm id -> number up to which nothing can be sent again.
        again: what was wanted; what is for one session, or comes in pieces.
        accepted: comms whose open found its target.
        refused: comms whose open did not.
        cancel: comm id and request id of answers that nobody waits for any more.
        credit: comm id, request id, and how many parts of the answer were taken in all.
        restore: comms that a frontend takes up, where it does not know how they stand.
        restored: comm id -> number of the last message sent on it; what that comes to is in ``kept``.
        withheld: comms that the frontend asked for and cannot take up.
        kept: of each comm in ``restored`` its open and what is kept of its messages, in order.
        also: in a page's hello: other sessions of the same page; they are no plain ones.
        lane_ask: a frontend would like to have a lane.
        lane_offer: the kernel end's answer.
        mark: to be answered with ``marked``, the same number, at once and by the same route.
        marked: that answer.
    """

    profile: Number = 0
    features: tuple[str, ...] = ()
    session: str = ""
    epoch: str = ""
    tab: str = ""
    resume: Resume | None = None
    recovered: bool = True
    open: tuple[str, ...] = ()
    sent: dict[str, Number] = field(default_factory=dict)
    seen: dict[str, Number] = field(default_factory=dict)
    want: dict[str, tuple[Number, Number]] = field(default_factory=dict)
    gone: dict[str, Number] = field(default_factory=dict)
    again: tuple[Again, ...] = ()
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    cancel: tuple[tuple[str, str], ...] = ()
    credit: tuple[tuple[str, str, Number], ...] = ()
    restore: tuple[str, ...] = ()
    restored: dict[str, Number] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    kept: tuple[Again, ...] = ()
    also: tuple[str, ...] = ()
    lane_ask: LaneAsk | None = None
    lane_offer: LaneOffer | None = None
    mark: Number = 0
    marked: Number = 0


_OF_THE_NUMBER: Final = ("n", "to")
_NOTHING: Final[JsonObject] = msgspec.to_builtins(Control())


def control_id(session: str) -> str:
    """Return the id of the control comm of a frontend's session."""
    return f"{TARGET}.{session}"


def is_control(comm_id: object) -> bool:
    """Say whether a comm id is a control comm's, or the one under which a kernel end says it is here."""
    return isinstance(comm_id, str) and comm_id.startswith(TARGET)


def read_control(message: Message) -> Control:
    """Return what a message on a control comm says.

    Raises:
        RemoteProtocolError: it is malformed.
    """
    try:
        return msgspec.convert(message.content.get("data", {}), Control)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"{TARGET}: {error}") from error


def control_data(control: Control) -> JsonObject:
    """Return the ``data`` that says it, but for ``again`` (``again_data``)."""
    said = msgspec.to_builtins(control)
    return {key: value for key, value in said.items() if value != _NOTHING[key]}


def again_data(
    messages: Iterable[Message], key: str = "again"
) -> tuple[JsonObject, tuple[memoryview, ...]]:
    """Return ``data`` and buffers of a message that brings others: in ``again``, or in ``kept``."""
    listed, buffers = [], list[memoryview]()
    for message in messages:
        listed.append(
            {
                "header": message.header,
                "parent_header": message.parent_header,
                "metadata": message.metadata,
                "content": message.content,
                "buffers": len(message.buffers),
            }
        )
        buffers += message.buffers
    return {key: listed}, tuple(buffers)


def carried(
    control: Control, buffers: tuple[memoryview, ...], channel: Channel
) -> tuple[list[Message], list[Message]]:
    """Return the messages that ``control`` brings: those in ``again``, and those in ``kept``.

    Args:
        control: as ``read_control`` gives it.
        buffers: of the message that carried it: those of ``again``, then those of ``kept``.
        channel: that it came by.

    Raises:
        RemoteProtocolError: the buffers do not add up.
    """
    found, first = [], 0
    for one in (*control.again, *control.kept):
        last = first + one.buffers
        found.append(
            Message(
                channel,
                cast("Header", one.header),
                one.parent_header,
                one.metadata,
                one.content,
                buffers[first:last],
            )
        )
        first = last
    if first != len(buffers):
        raise RemoteProtocolError(
            f"{TARGET}: again: expected {first} buffers in all, got {len(buffers)}"
        )
    return found[: len(control.again)], found[len(control.again) :]


def number_of(message: Message) -> int | None:
    """Return the number of a user message, or None where it has none (or something else in its place)."""
    ours = message.metadata.get("tsushin")
    number = ours.get("n") if isinstance(ours, dict) else None
    return number if type(number) is int and number > 0 else None  # and no bool


def is_bare(message: Message) -> bool:
    """Say whether a numbered ``comm_msg`` has nothing but its number from the profile, as nearly all."""
    return message.msg_type == "comm_msg" and len(message.metadata["tsushin"]) == 1


def addressee(message: Message) -> str | None:
    """Return the session that a numbered message is for; None for all."""
    ours = message.metadata.get("tsushin")
    to = ours.get("to") if isinstance(ours, dict) else None
    return to if isinstance(to, str) else None


def with_entry(message: Message, entry: JsonObject) -> Message:
    """Return the message with more in ``metadata.tsushin``."""
    ours = message.metadata.get("tsushin")
    return _with_ours(message, {**ours, **entry} if isinstance(ours, dict) else entry)


def without_number(message: Message) -> Message:
    """Return the message as its sender's user made it: without a number, and whom it is for."""
    ours = message.metadata.get("tsushin", {})
    return _with_ours(message, {key: ours[key] for key in ours if key not in _OF_THE_NUMBER})


def without_body(message: Message) -> Message:
    """Return what somebody else may know of a message that is not for them: its number."""
    ours = {key: value for key, value in message.metadata["tsushin"].items() if key in ("n", "to")}
    content = {"comm_id": message.content["comm_id"], "data": {}}
    return Message(message.channel, message.header, {}, {"tsushin": ours}, content)


def _with_ours(message: Message, ours: JsonObject) -> Message:
    metadata = {**message.metadata, "tsushin": ours}
    if not ours:
        del metadata["tsushin"]
    return Message(
        message.channel,
        message.header,
        message.parent_header,
        metadata,
        message.content,
        message.buffers,
        message.identities,
    )
