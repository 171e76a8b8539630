"""What type checkers say of the public API. Never imported: read by mypy and pyright (``test_typing.py``).

The comment of each ``reveal_type`` line is the type that both checkers must reveal, in the notation that
``test_typing.py`` brings theirs to.
"""

from __future__ import annotations

from typing import Any, reveal_type

from tsushin import Comm, CommManager, Expected
from tsushin.errors import CommClosed, LimitExceeded, TsushinError
from tsushin.protocol.messages import ClassicMessage


def check_comm(manager: CommManager) -> None:
    comm = Comm("t", {"a": [1, b"x"]}, {"m": 1}, [b"x", bytearray(1), memoryview(b"")])
    reveal_type(comm)  # Comm
    reveal_type(manager.new_comm("t"))  # Comm
    reveal_type(comm.comm_id)  # str
    reveal_type(comm.target_name)  # str
    reveal_type(comm.primary)  # bool
    reveal_type(comm.closed)  # bool
    reveal_type(comm.closed_by)  # Literal['here', 'there', 'lost'] | None
    reveal_type(comm.target_module)  # str | None
    reveal_type(comm.open_msg)  # ClassicMessage | None
    reveal_type(comm.send({"a": 1}, copy=False))  # None
    reveal_type(comm.close())  # None
    reveal_type(comm.expect_msg(timeout=1))  # Expected[ClassicMessage]


def check_handlers(comm: Comm) -> None:
    @comm.on_msg
    def on_msg(msg: ClassicMessage) -> int:
        reveal_type(msg["content"])  # dict[str, Any]
        reveal_type(msg["header"]["msg_id"])  # str
        reveal_type(msg["buffers"])  # list[Any]
        return 1

    @comm.on_close
    async def on_close(msg: ClassicMessage) -> None:
        del msg

    # Decorating keeps the function's own type.
    reveal_type(on_msg)  # (msg: ClassicMessage) -> int
    reveal_type(on_close)  # (msg: ClassicMessage) -> Coroutine[Any, Any, None]
    reveal_type(comm.on_msg(None))  # None


def check_targets(manager: CommManager) -> None:
    @manager.register_target("t")
    def opened(comm: Comm, msg: ClassicMessage) -> str:
        del comm, msg
        return "x"

    reveal_type(opened)  # (comm: Comm, msg: ClassicMessage) -> str
    reveal_type(manager.register_target("t", opened))  # (comm: Comm, msg: ClassicMessage) -> str
    reveal_type(manager.register_target("t", "pkg:f"))  # (Comm, ClassicMessage) -> object
    reveal_type(manager.unregister_target("t"))  # (Comm, ClassicMessage) -> object
    reveal_type(manager.get_comm("id"))  # Any | None
    reveal_type(manager.comm_info())  # dict[str, Any]
    reveal_type(manager.session)  # SessionId


async def check_expected(manager: CommManager, number: Expected[int]) -> None:
    reveal_type(await number)  # int
    reveal_type(number.result(timeout=1))  # int
    reveal_type(number.is_waiting())  # bool
    reveal_type(await manager.expect_open("t"))  # Comm
    comm = manager.expect_open("t").result()
    msg = await comm.expect_msg()
    reveal_type(msg["content"]["data"])  # Any
    async with comm as same:
        reveal_type(same)  # Comm


def check_errors(error: TsushinError) -> None:
    reveal_type(error.code)  # str
    if isinstance(error, CommClosed):
        reveal_type(error.data)  # dict[str, object]
        reveal_type(error.closed_by)  # Literal['here', 'there', 'lost'] | None
    if isinstance(error, LimitExceeded):
        reveal_type(error.allowed)  # int


def check_mistakes(comm: Comm, manager: CommManager, value: Any) -> None:
    comm.send("text")  # type: ignore[arg-type]  # data is a mapping
    comm.send([1])  # type: ignore[arg-type]
    comm.send({}, None, b"one buffer")  # type: ignore[arg-type]  # a list of buffers
    comm.on_msg(lambda: value)  # type: ignore[type-var]  # takes the message
    manager.register_target(comm)  # type: ignore[call-overload]  # takes a name
