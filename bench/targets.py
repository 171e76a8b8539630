"""The kernel's side of a row, as cells: the same handler on the stock stack and on Tsushin."""

from __future__ import annotations

ECHO = """
{prepare}
def echo(comm, msg):
    @comm.on_msg
    def _(msg):
        comm.send(msg["content"]["data"])
{register}
"""
STOCK_REGISTER = 'get_ipython().kernel.comm_manager.register_target("{name}", {name})'
OUR_REGISTER = 'tsushin.comm_manager().register_target("{name}", {name}, run="{run}")'


def stock(code: str, name: str) -> str:
    """Return a cell that registers a target with ipykernel's own comms, without orjson."""
    prepare = 'get_ipython().kernel.session.packer = "json"'
    return code.format(prepare=prepare, register=STOCK_REGISTER.format(name=name))


def ours(code: str, name: str, run: str) -> str:
    """Return a cell that registers a target with Tsushin; ``run`` is "main" or "thread"."""
    return code.format(prepare="import tsushin", register=OUR_REGISTER.format(name=name, run=run))


STOCK_ECHO = stock(ECHO, "echo")
MAIN_ECHO = ours(ECHO, "echo", "main")
THREAD_ECHO = ours(ECHO, "echo", "thread")
