"""A rule-based machine drives a kernel end and two frontend ends: whatever happens, in whatever order.

Claims: messages of one comm arrive in the order they were sent and none is lost before a close; both ends of
a comm agree once nothing is under way; nobody meets a fault; a close is told once.
"""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tsushin.errors import CommClosed
from tsushin.testing import Gate, comm_pair

TARGET = "t"


class Pairs(RuleBasedStateMachine):
    """Comms between a kernel and the frontends; the second one lost its target and only watches."""

    comms = Bundle("comms")
    gates = Bundle("gates")

    def __init__(self):
        super().__init__()
        self.pair = comm_pair(frontends=2, on_unknown="ignore")
        self.sent = defaultdict(list)  # (comm id, who) -> numbers, in order
        self.seen = defaultdict(list)  # the same, as the other end read them
        self.closes = defaultdict(int)  # (comm id, who) -> how often on_close ran
        self.closed_by = {}  # comm id -> who called close first
        self.number = 0
        self.gate = Gate(is_open=True)
        for end in (self.pair.kernel, self.pair.frontend):
            end.register_target(TARGET, self.accepter(end.name))

    def accepter(self, name):
        def accept(comm, _msg):
            self.listen(comm, name)

        return accept

    def listen(self, comm, name):
        async def on_msg(msg):
            gate = self.gate
            await gate
            self.seen[comm.comm_id, name].append(msg["content"]["data"]["n"])

        def on_close(_msg):
            self.closes[comm.comm_id, name] += 1

        comm.on_msg(on_msg)
        comm.on_close(on_close)

    # ------------------------------------------------------------------ what users do

    @rule(target=comms, from_kernel=st.booleans(), listen_later=st.booleans())
    def open(self, from_kernel, listen_later):
        end = self.pair.kernel if from_kernel else self.pair.frontend
        comm = end.new_comm(TARGET)
        if not listen_later:
            self.listen(comm, end.name)
        return comm.comm_id

    @rule(comm_id=comms, from_kernel=st.booleans(), count=st.integers(1, 3))
    def send(self, comm_id, from_kernel, count):
        end = self.pair.kernel if from_kernel else self.pair.frontend
        comm = end.get_comm(comm_id)
        for _ in range(count if comm is not None else 0):
            self.number += 1
            comm.send({"n": self.number}, buffers=[b"x"])
            self.sent[comm_id, end.name].append(self.number)

    @rule(comm_id=comms, from_kernel=st.booleans())
    def close(self, comm_id, from_kernel):
        end = self.pair.kernel if from_kernel else self.pair.frontend
        comm = end.get_comm(comm_id)
        if comm is not None:
            comm.close({"by": end.name})
            comm.close()
            self.closed_by.setdefault(comm_id, end.name)
            try:
                comm.send()
            except CommClosed as error:
                assert error.closed_by == "here"  # noqa: PT017 (the rule is that it raises)
            else:
                raise AssertionError("sent after close")

    @rule(comm_id=comms, from_kernel=st.booleans())
    def listen_now(self, comm_id, from_kernel):
        end = self.pair.kernel if from_kernel else self.pair.frontend
        comm = end.get_comm(comm_id)
        if comm is not None:
            self.listen(comm, end.name)

    # ------------------------------------------------------------------ what the world does

    @rule(data=st.data(), count=st.integers(1, 5))
    def step(self, data, count):
        for _ in range(count):
            if choices := self.pair.choices():
                choices[data.draw(st.integers(0, len(choices) - 1))].step()

    @rule(target=gates)
    def handlers_take_time(self):
        self.gate.open()
        self.gate = Gate()
        return self.gate

    @rule(gate=consumes(gates))
    def handlers_finish(self, gate):
        gate.open()

    @rule()
    def time_passes_for_handlers(self):
        for end in self.pair.ends:
            end.runtime.resume()

    @rule(comm_id=comms)
    def drain(self, comm_id):
        self.gate.open()
        self.pair.run()
        kernel, frontend = (end.get_comm(comm_id) for end in (self.pair.kernel, self.pair.frontend))
        assert (kernel is None) == (frontend is None) == (comm_id in self.closed_by)
        for here, there in (("kernel", "frontend 0"), ("frontend 0", "kernel")):
            if comm_id not in self.closed_by and (comm_id, there) in self.seen:
                assert self.seen[comm_id, there] == self.sent[comm_id, here]

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def order_is_kept_and_nothing_is_skipped(self):
        for (comm_id, reader), numbers in self.seen.items():
            sender = "frontend 0" if reader == "kernel" else "kernel"
            assert numbers == self.sent[comm_id, sender][: len(numbers)]

    @invariant()
    def nobody_meets_a_fault(self):
        for end in self.pair.ends:
            assert end.runtime.faults == []
            assert end.runtime.reports == []

    @invariant()
    def a_close_is_told_once_and_not_to_who_closed(self):
        assert set(self.closes.values()) <= {1}
        for comm_id, name in self.closes:
            assert self.closed_by[comm_id] != name

    @invariant()
    def the_watcher_has_no_part(self):
        watcher = self.pair.frontends[1]
        assert watcher.comms == {}

    def teardown(self):
        for comm_id in {comm_id for comm_id, _ in self.sent} | set(self.closed_by):
            self.drain(comm_id)


TestPairs = Pairs.TestCase
TestPairs.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
