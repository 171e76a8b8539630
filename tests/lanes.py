"""A world of one kernel end and its frontends, with lanes that come and go: for machines and simulations.

The standard route is that of ``comm_pair``: slow, in any order across channels and links, lossy, repeating. A
lane is in order and loses nothing until it dies; then all that is in it is lost, and each end notices in its
own time. What an application may count on is checked by ``check`` at any time, and by ``settle`` at the end.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import replace

from tsushin.profile.arrivals import MAX_ASKS
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.protocol.messages import plain
from tsushin.testing import comm_pair

LARGE = bytes(200)  # goes in pieces where a test says that these are small
# Whoever hears nothing for 31 s gives up, rightly, and after 5 s nobody waits: so long no link is away here.
MAX_MESS_S = 12
MAX_MESSAGES = 900  # of one comm: less than is kept


class MemoryLane:
    """A lane between a kernel end and one of its frontends; each end has it from when it says so."""

    def __init__(self, kernel, front):
        self.kernel, self.front = kernel, front
        self.to_kernel, self.to_front = deque(), deque()
        self.is_up = {"kernel": False, "front": False}
        self.is_dead = False
        # What ``lane_up`` was given is told from others by its identity.
        self.sends = {"kernel": self._sender(self.to_front), "front": self._sender(self.to_kernel)}

    def _sender(self, way):
        def send(message):
            assert message.msg_type != "comm_open", "comm_open went by a lane"
            if not self.is_dead:
                way.append(plain(message))

        return send

    def begin(self, *sides):
        """The lane is there for these ends, "kernel" and "front"; both unless given."""
        for side in sides or ("kernel", "front"):
            end, peer = self._ends(side)
            self.is_up[side] = True
            if not self.is_dead and not end.sessions.lane_up(peer.name, self.sends[side]):
                self.die()

    def die(self):
        """What is in it is lost; nobody has noticed yet."""
        self.is_dead = True
        self.to_kernel.clear()
        self.to_front.clear()

    def notice(self, *sides):
        """These ends see that it has ended; both unless given."""
        for side in sides or ("kernel", "front"):
            if self.is_up[side]:
                end, peer = self._ends(side)
                self.is_up[side] = False
                end.sessions.lane_down(peer.name, self.sends[side])

    def end(self):
        """It dies, and both ends notice."""
        self.die()
        self.notice()

    def choices(self):
        """Return the sides at which something can arrive."""
        ways = {"kernel": self.to_kernel, "front": self.to_front}
        return [side for side, way in ways.items() if way and self.is_up[side]]

    def step(self, side):
        """The oldest message arrives at one end."""
        end, _ = self._ends(side)
        end.receive((self.to_kernel if side == "kernel" else self.to_front).popleft())

    def _ends(self, side):
        return (self.kernel, self.front) if side == "kernel" else (self.front, self.kernel)


class Lanes:
    """``Lanes`` of one end: keeps what it is told."""

    def __init__(self, end=lambda session: None):
        self.wants, self.asks, self.offers, self.ended = 0, [], [], []
        self._end = end

    def wanted(self):
        self.wants += 1

    def asked(self, session, origin):
        self.asks.append((session, origin))

    def offered(self, port, token):
        self.offers.append((port, token))

    def end(self, session):
        self.ended.append(session)
        self._end(session)


def run(pair, *lanes):
    """Let everything happen, on every route."""
    while True:
        pair.run()
        moved = False
        for lane in lanes:
            for side in lane.choices():
                lane.step(side)
                moved = True
        if not moved:
            return


def pass_time(pair, seconds, *lanes):
    """Let so much time pass: every timer rings when its time has come, and everything happens."""
    until = pair.clock.now + seconds
    while True:
        run(pair, *lanes)
        due = [at for end in pair.ends if (at := end.runtime.next_timer()) is not None]
        if not due or min(due) > until:
            break
        pair.clock.now = max(pair.clock.now, min(due))
        for end in pair.ends:
            end.runtime.ring()
    pair.clock.now = until


# A simulation's actions: how often, and numbers for the choices of each.
def _actions(r):
    return {
        "send": (8, lambda: (r.randrange(3), r.randrange(12), r.choice([0, 0, 3, 29]))),
        "send_to_one": (3, lambda: (r.randrange(12), r.randrange(2), r.random() < 0.3)),
        "send_large": (1, lambda: (r.randrange(2), r.randrange(12))),
        "open": (1, lambda: (r.randrange(3),)),
        "close": (1, lambda: (r.randrange(12),)),
        "ask": (1, lambda: (r.randrange(3), r.randrange(12))),
        "arrive": (8, lambda: (r.randrange(50), r.choice([0, 3, 19]))),
        "lose": (3, lambda: (r.randrange(50), r.random() < 0.4)),
        "lane_begin": (2, lambda: (r.randrange(2), r.randrange(4))),
        "lane_goes_on": (1, lambda: (r.randrange(4),)),
        "lane_arrive": (8, lambda: (r.randrange(20), r.choice([0, 5, 29]))),
        "lane_die": (1.5, lambda: (r.randrange(4), r.randrange(4))),
        "notice": (1, lambda: ()),
        "pass_time": (3, lambda: (r.choice([0.01, 0.06, 0.5, 1, 2.5]),)),
        "hello": (1, lambda: (r.randrange(2),)),
    }


def simulate(seed, steps=60):
    """Let a world live through chosen events, and hold it to its promises all the time."""
    choices = random.Random(seed)
    world, actions = World(is_lossy=choices.random() < 0.5), _actions(choices)
    weights = [weight for weight, _ in actions.values()]
    for _ in range(steps):
        name = choices.choices(list(actions), weights)[0]
        getattr(world, f"do_{name}")(*actions[name][1]())
        world.check()
    world.settle()


class World:
    """A kernel end, two frontends of the profile and a plain one, and all that an application sees of them.

    What a machine or a simulation does are the methods named ``do_…``; each may be called at any time, with
    numbers for the choices, and does nothing where there is nothing to do.

    Args:
        is_lossy: the standard route loses and repeats messages; then the plain frontend is promised nothing.
    """

    def __init__(self, *, is_lossy=True):
        self.is_lossy = is_lossy
        limits = replace(DEFAULT_LIMITS, max_queue_bytes=1 << 30)
        self.pair = comm_pair(frontends=3, on_unknown="ignore", limits=limits)
        self.kernel, self.fronts = self.pair.kernel, self.pair.frontends[:2]
        self.plain = self.pair.frontends[2]
        self.lanes, self.hubs = [], {}
        self.comms = {}  # comm id -> the end that opened it
        self.handles = defaultdict(dict)  # comm id -> end's name -> its comm
        self.is_closed = set()
        self.sent = defaultdict(list)  # (receiver, comm id, sender) -> numbers
        self.got = defaultdict(list)
        self.told_closed = defaultdict(list)  # (end's name, comm id) -> once
        self.gaps, self.asked = [], []
        self.n, self.passed = 0, 0.0
        for end in self.pair.ends:
            self._listen(end)
        for front in self.fronts:
            self._have_lanes(front, lambda _, f=front: self._hang_up(f))
        self._have_lanes(self.kernel, lambda s: self._hang_up(self._front(s)))
        self.pair.join(*self.fronts)
        self.kernel.sessions.heard_plain(self.plain.name)
        for opener in (self.kernel, *self.fronts):
            self._open(opener)
        self.pair.run()

    # ------------------------------------------------------------------ what users do

    def do_send(self, who, which, times):
        """An end sends some messages on one of its comms, to all."""
        end = (self.kernel, *self.fronts)[who % 3]
        for _ in range(1 + times % 30):
            comm = self._comm(end, which)
            if comm is not None and self.n < MAX_MESSAGES:
                comm.send({"n": self._next(end, comm.comm_id, None), "by": end.name})

    def do_send_to_one(self, which, front, is_large):
        """The kernel sends something to one session, perhaps in pieces."""
        comm = self._comm(self.kernel, which)
        session = self.fronts[front % 2].name
        if comm is not None and self.kernel.sessions.is_live(session) and self.n < MAX_MESSAGES:
            n = self._next(self.kernel, comm.comm_id, session)
            comm.send({"n": n, "by": "kernel"}, buffers=[LARGE] if is_large else None, to=session)

    def do_send_large(self, front, which):
        """A frontend sends something in pieces."""
        end = self.fronts[front % 2]
        comm = self._comm(end, which)
        if comm is not None:
            n = self._next(end, comm.comm_id, None)
            comm.send({"n": n, "by": end.name}, buffers=[LARGE])

    def do_open(self, who):
        """An end opens one more comm."""
        if len(self.comms) < 12:
            self._open((self.kernel, *self.fronts)[who % 3])

    def do_close(self, which):
        """The end that opened a comm closes it."""
        comm_id = self._pick([i for i in self.comms if i not in self.is_closed], which)
        if comm_id is not None and len(self.comms) - len(self.is_closed) > 2:
            self.is_closed.add(comm_id)
            self.handles[comm_id][self.comms[comm_id].name].close()

    def do_ask(self, who, which):
        """An end asks for something; whom it asks answers, or the comm is closed."""
        end = (self.kernel, *self.fronts)[who % 3]
        comm = self._comm(end, which)
        if comm is not None and len(self.asked) < 20:
            self.asked.append((comm.comm_id, comm.request("who", timeout=None)))

    # ------------------------------------------------------------------ what the routes do

    def do_arrive(self, which, times):
        """What is on its way by the standard route arrives, some of it, in any order across links."""
        for i in range(1 + times % 20):
            choice = self._pick(self.pair.choices(), which + i)
            if choice is not None:
                choice.step()

    def do_lose(self, which, is_repeated):
        """A message on the standard route is lost, or comes once more."""
        choices = [c for c in self.pair.choices() if c.link is not None]
        choice = self._pick(choices, which)
        if choice is None or not self.is_lossy:
            return
        if is_repeated:
            choice.link.repeat(choice.channel)
            choice.end.receive(choice.link.receive_nowait())
        else:
            choice.link.drop(choice.channel)

    def do_lane_begin(self, front, order):
        """A frontend gets a lane, also where it has one; one end may know of it much earlier."""
        lane = MemoryLane(self.kernel, self.fronts[front % 2])
        self.lanes.append(lane)
        lane.begin(*(("kernel",), ("front",), ("kernel", "front"), ("front", "kernel"))[order % 4])

    def do_lane_goes_on(self, which):
        """The end that did not know of a lane does now."""
        halves = [e for e in self.lanes if list(e.is_up.values()) in ([True, False], [False, True])]
        lane = self._pick([one for one in halves if not one.is_dead], which)
        if lane is not None:
            lane.begin("front" if lane.is_up["kernel"] else "kernel")

    def do_lane_arrive(self, which, times):
        """What is in the lanes arrives, some of it."""
        for i in range(1 + times % 30):
            choice = self._pick(
                [(lane, s) for lane in self.lanes for s in lane.choices()], which + i
            )
            if choice is not None:
                choice[0].step(choice[1])

    def do_lane_die(self, which, noticed):
        """A lane dies; at which end that is noticed now is chosen, too."""
        lane = self._pick([lane for lane in self.lanes if not lane.is_dead], which)
        if lane is not None:
            lane.die()
            if noticed % 4:
                lane.notice(*(("kernel",), ("front",), ("kernel", "front"))[noticed % 4 - 1])

    def do_notice(self):
        """What nobody has noticed yet of lanes that died is noticed."""
        for lane in [lane for lane in self.lanes if lane.is_dead]:
            lane.notice()
            self.lanes.remove(lane)

    def do_pass_time(self, seconds):
        """Time passes, and nothing arrives meanwhile."""
        if self.passed + seconds < MAX_MESS_S:
            self.passed += seconds
            self.pair.clock.advance(seconds)
            for end in self.pair.ends:
                end.runtime.ring()

    def do_hello(self, front):
        """A frontend says hello again, as after its link was away."""
        self.fronts[front % 2].sessions.join()

    # ------------------------------------------------------------------ what holds

    def check(self):
        """Everything that arrived is in order and once; what is kept is bounded."""
        for key, got in self.got.items():
            if self.is_lossy and key[0] == self.plain.name:
                assert set(got) <= set(self.sent[key]), key
            else:
                assert got == self.sent[key][: len(got)], key
        assert self.gaps == []
        assert all(len(closed) <= 1 for closed in self.told_closed.values())
        for end in self.pair.ends:
            profile = end.sessions._profile
            for peer in profile.peers.values():
                assert all(len(s.held) <= 4097 for s in peer.incoming.values())
            assert profile._outbox.nbytes <= end.limits.max_all_history_bytes

    def settle(self):
        """The links heal; everything is there, nobody waits any more, and nothing is kept."""
        self.do_notice()
        for lane in self.lanes:
            lane.begin(
                *(side for side, is_up in lane.is_up.items() if not is_up and not lane.is_dead)
            )
        for _ in range(MAX_ASKS + 3):
            pass_time(self.pair, 20, *self.lanes)
            self.do_notice()
        self.check()
        for key, sent in self.sent.items():
            is_promised = not (self.is_lossy and key[0] == self.plain.name)
            if key[1] in self.is_closed and self.comms[key[1]].name != key[2]:
                continue  # the close crossed what was still on its way
            if is_promised:
                assert self.got[key] == sent, key
        self._check_closes()
        self._check_nothing_is_left()

    def _check_closes(self):
        for comm_id in self.is_closed:
            unsure = {self.comms[comm_id].name, *([self.plain.name] if self.is_lossy else [])}
            for name in self.handles[comm_id].keys() - unsure:
                assert self.told_closed[name, comm_id] == [True], (name, comm_id)

    def _check_nothing_is_left(self):
        for comm_id, answer in self.asked:
            assert not answer.is_waiting(), comm_id
        for end in self.pair.ends:
            profile = end.sessions._profile
            assert end.sessions._marks == {}
            assert (profile._outbox._history, profile._outbox.nbytes) == ({}, 0), end
            assert profile.queued_bytes() == 0
            if (
                end is not self.plain or not self.is_lossy
            ):  # to a plain one, what is repeated is new
                assert end.runtime.faults == []
            assert end.runtime.reports == []

    # ------------------------------------------------------------------ inside

    def _listen(self, end):
        @end.register_target("t")
        def target(comm, msg):
            self._watch(end, comm)

    def _watch(self, end, comm):
        comm_id = comm.comm_id
        self.handles[comm_id][end.name] = comm

        def on_msg(msg):
            data = msg["content"]["data"]
            self.got[end.name, comm_id, data["by"]].append(data["n"])

        comm.on_msg(on_msg)
        comm.on_close(lambda _: self.told_closed[end.name, comm_id].append(True))
        comm.on_gap(lambda missed: self.gaps.append((end.name, comm_id, missed)))
        comm.handle("who", lambda _: end.name)

    def _have_lanes(self, end, hang_up):
        self.hubs[end.name] = Lanes(hang_up)
        end.sessions.use_lanes(self.hubs[end.name])

    def _hang_up(self, front):
        for lane in [lane for lane in self.lanes if lane.front is front]:
            lane.end()
            self.lanes.remove(lane)

    def _front(self, session):
        return next(front for front in self.pair.frontends if front.name == session)

    def _open(self, end):
        comm_id = f"comm {len(self.comms)}"
        self.comms[comm_id] = end
        self._watch(end, end.new_comm("t", comm_id=comm_id))

    def _comm(self, end, which):
        """Return one of the open comms of an end, that it opened or was told of."""
        open_ = [
            ends[end.name]
            for comm_id, ends in self.handles.items()
            if end.name in ends and comm_id not in self.is_closed and not ends[end.name].closed
        ]
        return self._pick(open_, which)

    def _next(self, end, comm_id, to):
        """Return the next number; note who gets it."""
        self.n += 1
        opener = self.comms[comm_id]
        if end is not self.kernel:
            receivers = [self.kernel]
        elif to is not None:
            receivers = [self._front(to)]
        elif opener is self.kernel:
            receivers = self.pair.frontends
        else:
            receivers = [opener]
        for receiver in receivers:
            # A message for one who has no such comm is passed over.
            if opener in (self.kernel, receiver) or receiver is self.kernel:
                self.sent[receiver.name, comm_id, end.name].append(self.n)
        return self.n

    @staticmethod
    def _pick(choices, which):
        return choices[which % len(choices)] if choices else None
