"""Ends of the profile that listen, and what was said between them."""

from __future__ import annotations

from tsushin.profile.control import is_control


def listen(into, answer=None):
    def target(comm, msg):
        comm.handle("who", lambda _: answer)
        comm.on_msg(lambda m: into.append(m["content"]["data"]["n"]))
        comm.on_close(lambda _: into.append("closed"))
        comm.on_gap(lambda missed: into.append(f"gap {missed}"))

    return target


def controls(pair):
    return [m for m in pair.sent if is_control(m.content["comm_id"])]


def lose(end, channel="iopub", most=10**6):
    """Lose what is held for an end."""
    lost = []
    while channel in end.links[0].held() and len(lost) < most:
        lost.append(end.links[0].drop(channel))
    return lost
