"""Every way one comm can go between a kernel and two frontends, with real routers: STYLE 3.

Channels are FIFO, iopub is a broadcast, each end sends at most two messages, either side opens. A world is a
value: what each end knows, and what is on its way. Each transition builds the routers of that world, does one
thing, and reads off the next world. Conforming ends never meet a fault; a loss and an open sent twice are
explored too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tsushin.errors import DuplicateComm
from tsushin.protocol.events import Closed, Late, Opened, ProtocolFault, Received, Unknown
from tsushin.protocol.messages import Message
from tsushin.protocol.routing import CommRecord, Outgoing, Router
from tsushin.protocol.states import State

KERNEL, FRONTENDS = 0, (1, 2)
ENDS = (KERNEL, *FRONTENDS)
WAYS = ((0, 1), (0, 2), (1, 0), (2, 0))  # (from, to): two copies of iopub, two shells
ID = "c1"


@dataclass(frozen=True)
class Rules:
    """What may happen besides opening, sending and closing."""

    opener: int
    knows: tuple[bool, bool, bool] = (True, True, True)
    on_unknown: str = "close"
    messages: int = 2
    closers: tuple[int, ...] = ENDS
    may_lose: bool = False
    may_repeat_open: bool = False
    may_adopt: bool = False
    keeper: int | None = (
        None  # a frontend that registers the target at any time, and keeps till then
    )


@dataclass(frozen=True)
class World:
    """Where everybody is, and what is under way."""

    states: tuple[State, ...] = (State.UNOPENED,) * 3
    remembered: tuple[bool, ...] = (False,) * 3
    left: tuple[int, ...] = (2,) * 3
    queues: tuple[tuple[str, ...], ...] = ((),) * 4
    listed: bool | None = None  # a comm_info_reply on its way to the second frontend has the comm
    lost: bool = False
    repeated: bool = False
    waiting: tuple[str, ...] = ()  # what the keeper keeps
    heard: int = 0  # messages that the keeper's application got
    registered: bool = False


def put(values, place, value):
    return (*values[:place], value, *values[place + 1 :])


class Step:
    """One transition: the routers of a world, then the world they leave behind."""

    def __init__(self, world, rules):
        self.world, self.rules = world, rules
        self.records = [CommRecord(ID, "t", True, state) for state in world.states]  # noqa: FBT003
        self.routers = [self.router(end) for end in ENDS]

    def router(self, end):
        keeps = end == self.rules.keeper
        made = Router(
            channel="shell" if end else "iopub",
            session=str(end),
            on_unknown="keep" if keeps else self.rules.on_unknown if end else "close",
            knows_target=lambda _: self.world.registered if keeps else self.rules.knows[end],
            new_msg_id=lambda: "m",
        )
        for msg_type in self.world.waiting if keeps else ():
            receive(made, msg_type)
        if self.world.states[end] is State.OPEN:
            made._live[ID] = self.records[end]
        if self.world.remembered[end]:
            made._closed[ID] = None
        return made

    def act(self, end, verb):
        send = getattr(self.routers[end], verb)
        send(self.records[end], Outgoing({}), 0.0)
        return self.after(end)

    def adopt(self, end):
        record = CommRecord(ID, "t", primary=False)
        try:
            self.routers[end].adopt(record)
        except DuplicateComm:
            assert self.world.remembered[end] or self.world.states[end] is State.OPEN
        else:
            self.records[end] = record
        return self.after(end)

    def lose(self, ends):
        for end in ends:
            self.routers[end].lose("gone")
        queues = tuple(
            () if set(way) & set(ends) else queue
            for way, queue in zip(WAYS, self.world.queues, strict=True)
        )
        listed = None if 2 in ends else self.world.listed
        after = replace(self.after(*ends), queues=queues, listed=listed, lost=True)
        assert all(after.states[end] is not State.OPEN for end in ends)
        return after

    def deliver(self, way):
        (_, end), (msg_type, *rest) = WAYS[way], self.world.queues[way]
        self.world = replace(self.world, queues=put(self.world.queues, way, tuple(rest)))
        receive(self.routers[end], msg_type)
        if ID in self.routers[end]._waiting:
            assert self.routers[end].events() == []
            return replace(self.after(end), waiting=(*self.world.waiting, msg_type))
        if self.world.waiting and end == self.rules.keeper:  # closed before anybody asked for it
            assert (self.routers[end].events(), msg_type) == ([], "comm_close")
            return replace(self.after(end), waiting=())
        [event] = self.routers[end].events()
        self.count(end, [event])
        self.check(end, msg_type, event)
        if isinstance(event, Opened):
            self.records[end] = self.routers[end].record(ID)
        replies = [event.error.reply] if isinstance(event, ProtocolFault) else []
        return self.after(end, replies=[r for r in replies if r is not None])

    def register(self, end):
        """The application registers the target: what waited is there at once, in order."""
        self.world = replace(self.world, registered=True, waiting=())
        waited = len(self.routers[end]._waiting._comms)
        self.routers[end].release("t", 0.0)
        events = self.routers[end].events()
        assert [type(event) for event in events[:1]] == [Opened] * waited
        self.count(end, events)
        return self.after(end)

    def count(self, end, events):
        if end == self.rules.keeper:
            heard = sum(isinstance(event, Received) for event in events)
            self.world = replace(self.world, heard=self.world.heard + heard)
            record = self.routers[end].record(ID)
            self.records[end] = record or self.records[end]

    def check(self, end, msg_type, event):
        """Assert that what an end makes of a message is what it should be where it stands."""
        state, conforming = self.world.states[end], not self.world.repeated
        if isinstance(event, ProtocolFault):
            refused = msg_type == "comm_open" and not self.rules.knows[end]
            assert refused or not conforming, event.error
            assert state is not State.OPEN or event.error.reply is None
        elif state is State.OPEN:
            assert isinstance(event, Received | Closed)
        elif self.world.remembered[end]:
            assert isinstance(event, Late)
        else:
            assert isinstance(event, Opened | Unknown)
            # A kernel hears of comms it does not know only in another life.
            assert end != KERNEL or isinstance(event, Opened) or self.world.lost

    def after(self, *ends, replies=()):
        world = self.world
        for end in ends:
            router = self.routers[end]
            is_open = router.record(ID) is not None
            remembers = ID in router._closed
            state = State.OPEN if is_open else State.UNOPENED
            if self.records[end].state is State.CLOSED:
                state = State.CLOSED
            world = replace(
                world,
                states=put(world.states, end, state),
                remembered=put(world.remembered, end, remembers),
            )
            for message in (*replies, *router.messages_to_send()):
                world = sent(world, end, message.msg_type)
        return world


def receive(router, msg_type):
    content = {"comm_id": ID, "target_name": "t", "data": {}}
    router.receive(Message("shell", {"msg_type": msg_type}, content=content), 0.0)


def sent(world, end, msg_type):
    queues = world.queues
    for place, (origin, _) in enumerate(WAYS):
        if origin == end:
            queues = put(queues, place, (*queues[place], msg_type))
    return replace(world, queues=queues)


def next_worlds(world, rules):
    """Yield every world that can follow."""
    if world.states[rules.opener] is State.UNOPENED and not world.lost:
        yield Step(world, rules).act(rules.opener, "send_open")
    for end in ENDS:
        if world.states[end] is State.OPEN:
            yield from worlds_after_call(world, rules, end)
    for way, queue in enumerate(world.queues):
        if queue:
            yield Step(world, rules).deliver(way)
    if rules.keeper is not None and not world.registered:
        yield Step(world, rules).register(rules.keeper)
    if rules.may_adopt:
        yield from worlds_after_list(world, rules)
    if rules.may_repeat_open and not world.repeated:
        yield from worlds_after_repeat(world)
    if rules.may_lose and not world.lost:
        yield Step(world, rules).lose(ENDS)  # the kernel died
        yield Step(world, rules).lose((1,))  # the first frontend's link broke


def worlds_after_repeat(world):
    for end in ENDS:
        if world.states[end] is not State.UNOPENED:
            yield replace(sent(world, end, "comm_open"), repeated=True)


def worlds_after_call(world, rules, end):
    if end in rules.closers:
        yield Step(world, rules).act(end, "send_close")
    if world.left[end]:
        after = Step(world, rules).act(end, "send_msg")
        yield replace(after, left=put(after.left, end, after.left[end] - 1))


def worlds_after_list(world, rules):
    """The second frontend asks what is open; the reply is not ordered with what it hears on iopub."""
    if world.listed is None and world.states[KERNEL] is State.OPEN:
        yield replace(world, listed=True)
    if world.listed:
        yield replace(Step(world, rules).adopt(2), listed=False)


def explore(rules):
    """Return every world that can be reached; an assertion on the way fails the test."""
    start = World(left=(rules.messages,) * 3)
    seen, front = {start}, [start]
    while front:
        new = set(next_worlds(front.pop(), rules)) - seen
        seen |= new
        front += new
    return seen


KEEPING = Rules(KERNEL, closers=(KERNEL, 1), keeper=2)

# What can happen, and how many worlds that makes: a change here is a change of the rules.
CASES = {
    "the kernel opens": (Rules(KERNEL), 9196),
    "the kernel opens, one frontend knows": (Rules(KERNEL, (True, True, False), "ignore"), 856),
    "the kernel opens, no frontend knows": (Rules(KERNEL, (True, False, False)), 230),
    "a frontend opens": (Rules(1), 625),
    "a frontend opens what the kernel does not know": (Rules(1, (False, True, True)), 61),
    "a frontend opens, another adopts": (Rules(1, may_adopt=True), 10126),
    "the kernel opens, one frontend adopts": (
        Rules(KERNEL, (True, True, False), "ignore", 1, may_adopt=True),
        1991,
    ),
    "a frontend opens, a loss": (Rules(1, may_lose=True), 812),
    "the kernel opens, a loss": (Rules(KERNEL, messages=1, may_lose=True), 1668),
    "a frontend opens, an open is repeated": (Rules(1, messages=1, may_repeat_open=True), 3373),
    "the kernel opens, an open is repeated": (
        Rules(KERNEL, (True, True, False), "ignore", may_repeat_open=True),
        7216,
    ),
    "the kernel opens, one frontend registers late": (KEEPING, 5006),
}


@pytest.mark.parametrize(("rules", "count"), CASES.values(), ids=CASES)
def test_no_input_lands_on_a_dash(rules, count):
    # That every step of `explore` passed its checks says so; the count says that it went somewhere.
    assert len(explore(rules)) == count


@pytest.mark.parametrize("opener", [KERNEL, 1])
def test_both_ends_agree_once_nothing_is_under_way(opener):
    rules = Rules(opener, (True, True, False), "ignore")
    quiet = [world.states[:2] for world in explore(rules) if not any(world.queues)]
    assert {tuple(state.value for state in states) for states in quiet} == {
        ("UNOPENED", "UNOPENED"),
        ("OPEN", "OPEN"),
        ("CLOSED", "CLOSED"),
    }


def test_a_kernel_that_is_open_once_nothing_is_under_way_has_no_frontend_that_closed():
    for world in explore(Rules(KERNEL, messages=1)):
        if not any(world.queues) and world.states[KERNEL] is State.OPEN:
            assert world.states == (State.OPEN,) * 3


@pytest.mark.parametrize("opener", [KERNEL, 1])
def test_an_adopted_comm_does_not_outlive_the_kernels_close(opener):
    knows = (True, True, False)
    rules = Rules(opener, knows, "ignore", 1, closers=(KERNEL,), may_adopt=True)
    for world in explore(rules):
        if not any(world.queues) and not world.listed and world.states[KERNEL] is State.CLOSED:
            assert State.OPEN not in world.states


def test_who_registers_late_gets_the_comm_and_every_message_once():
    open_ = [
        world
        for world in explore(KEEPING)
        if world.registered and not any(world.queues) and world.states[KERNEL] is State.OPEN
    ]
    assert open_
    for world in open_:
        assert world.states[2] is State.OPEN
        assert world.heard == 2 - world.left[KERNEL]


def test_who_only_keeps_says_nothing():
    for world in explore(KEEPING):
        if not world.registered:
            assert world.queues[WAYS.index((2, 0))] == ()
