"""A Python process without a kernel whose comms pages and programs use: a thermostat.

    python examples/plain_process.py

It prints an address with a token, and serves until Ctrl-C. Be its frontend from another terminal:

    import tsushin
    with tsushin.connect_sync("the address") as fe:
        comm = fe.comm_manager.new_comm("thermostat")
        comm.send({"set": 23})
        print(comm.expect_msg().result()["content"]["data"])
"""

from __future__ import annotations

import tsushin

setting = 20.0
manager = tsushin.comm_manager()


@manager.register_target("thermostat")
def thermostat(comm: tsushin.Comm, msg: dict) -> None:
    """Each comm may set it; all comms are told."""
    del msg

    @comm.on_msg
    def change(msg: dict) -> None:
        global setting  # noqa: PLW0603 (one process, one thermostat)
        setting = float(msg["content"]["data"]["set"])
        for one in manager.comms.values():
            one.send({"setting": setting})


if __name__ == "__main__":
    tsushin.serve()
