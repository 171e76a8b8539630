"""One ``execute_request`` and what comes back: a reply on shell, outputs on iopub, and "idle" on iopub.

Shell and iopub are not ordered relative to each other: an execution is over when both the reply and "idle"
are here, in whichever order.

Spec: Jupyter messaging, "Execute" and "Kernel status".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tsushin.errors import ExecutionError, TsushinError
from tsushin.expected import Expected
from tsushin.frontend.outputs import Outputs, output_of
from tsushin.protocol.messages import JsonObject, Message

OnOutput = Callable[[JsonObject], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an execution printed, showed and gave.

    Attributes:
        status: "ok"; with ``raise_on_error=False`` also "error" or "aborted".
        stdout: everything written there.
        stderr: everything written there.
        result: ``text/plain`` of the last expression's value, or None.
        outputs: all outputs in order, as nbformat's dicts; text of one stream in a row is one output.
        execution_count: the kernel's counter, or None.
        error: the error behind a status that is not "ok".
    """

    status: Literal["ok", "error", "aborted"]
    stdout: str = ""
    stderr: str = ""
    result: str | None = None
    outputs: list[JsonObject] = field(default_factory=list)
    execution_count: int | None = None
    error: ExecutionError | None = None


class Execution:
    """Watches one execution (``requests.Watcher``).

    Args:
        timeout_s: seconds from now.
        on_output: called with each output as it arrives. Must not raise.

    Attributes:
        expected: the result to come, also where the code raised.
    """

    def __init__(self, *, timeout_s: float, on_output: OnOutput | None = None) -> None:
        self.expected: Expected[Result] = Expected("execute (no answer yet)", timeout_s=timeout_s)
        self._outputs = Outputs()
        self._on_output = on_output
        self._reply: JsonObject | None = None
        self._is_idle = False

    def message(self, message: Message) -> None:
        """See ``Watcher.message``."""
        content = message.content
        if message.msg_type == "execute_reply":
            self._reply = content
        elif message.msg_type == "status":
            self._is_idle = self._is_idle or content.get("execution_state") == "idle"
        else:
            self._add(output_of(message.msg_type, content))
        self.expected.about = f"execute ({self._missing()})"
        if self._reply is not None and self._is_idle:
            self.expected.settle(self._result(self._reply))

    def end(self, error: TsushinError) -> None:
        """See ``Watcher.end``."""
        self.expected.fail(error)

    def _add(self, output: JsonObject | None) -> None:
        if output is not None and self.expected.is_waiting():
            self._outputs.add(output)
            if self._on_output is not None:
                self._on_output(output)

    def _missing(self) -> str:
        reply = "no reply" if self._reply is None else "reply arrived"
        return f"{reply}, {'idle' if self._is_idle else 'kernel still busy'}"

    def _result(self, reply: JsonObject) -> Result:
        error = execution_error(reply)
        count = reply.get("execution_count")
        status = reply.get("status")
        return Result(
            status="ok" if error is None else "error" if status == "error" else "aborted",
            stdout=self._outputs.text("stdout"),
            stderr=self._outputs.text("stderr"),
            result=self._outputs.result(),
            outputs=self._outputs.items,
            execution_count=count if isinstance(count, int) else None,
            error=error,
        )


def execution_error(reply: JsonObject) -> ExecutionError | None:
    """Return the error in an ``execute_reply``, or None where its status is "ok"."""
    status, lines = reply.get("status"), reply.get("traceback")
    if status == "ok":
        return None
    if status == "error":
        return ExecutionError(
            name=str(reply.get("ename", "")),
            value=str(reply.get("evalue", "")),
            traceback=[str(line) for line in lines] if isinstance(lines, list) else [],
        )
    about = "not run: an earlier request raised, or the kernel was interrupted"
    return ExecutionError(name="Aborted", value=about, traceback=[])
