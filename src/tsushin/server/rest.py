"""The REST surface: as much of Jupyter Server's as ``@jupyterlab/services`` needs to use one kernel.

| request | answer |
|---|---|
| ``GET /api`` | 200 ``{version}`` |
| ``GET /api/status`` | 200 ``{started, last_activity, connections, kernels, tsushin}`` |
| ``GET /api/kernelspecs``, ``…/{name}`` | 200 ``{default, kernelspecs}``, 200 ``{name, spec, resources}`` |
| ``GET /api/kernels`` | 200, a list of exactly one kernel model |
| ``GET /api/kernels/{id}`` | 200 ``{id, name, last_activity, execution_state, connections}`` |
| ``POST /api/kernels`` | 201, the model of the one kernel; ``{name}`` may be left out |
| ``POST /api/kernels/{id}/interrupt`` | 204, or 501 where this kernel cannot |
| ``POST /api/kernels/{id}/restart`` | 200, the model, or 501 where this kernel cannot |
| ``DELETE /api/kernels/{id}`` | 405: the kernel belongs to whoever serves it |

``tsushin`` is our version: a page that sees it sends its token as a subprotocol instead of in the URL.
Errors are ``{message, reason}`` with status 400, 403, 404, 405, 500, 501 or 503. The WebSocket is
``/api/kernels/{id}/channels`` (``channels.py``). Times are ISO 8601 in UTC.

Spec: Jupyter Server, "REST API".
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from tsushin._version import __version__
from tsushin.errors import TsushinError, Unsupported, quote
from tsushin.kernel.end import KernelEnd
from tsushin.protocol.messages import JsonObject
from tsushin.server.asgi import (
    NO_CONTENT,
    BadRequest,
    Receive,
    Request,
    Response,
    error_response,
    json_response,
    read_json,
)

_CREATED: Final = 201


class RestApi:
    """Answers HTTP requests below ``/api`` about one kernel.

    Attributes:
        connections: pages attached now (count); whoever attaches them keeps it.
    """

    def __init__(self, kernel: KernelEnd) -> None:
        self._kernel = kernel
        self._started = time.time()
        self.connections = 0

    async def answer(self, request: Request, receive: Receive) -> Response:
        """Return the answer to ``request``; errors become answers too."""
        try:
            return await self._answer(request, receive)
        except BadRequest as error:
            return error_response(400, str(error))
        except Unsupported as error:
            return error_response(501, str(error))
        except (TsushinError, TimeoutError) as error:
            return error_response(503, str(error))

    async def _answer(self, request: Request, receive: Receive) -> Response:
        method, segments = request.method, request.path.strip("/").split("/")[1:]
        match method, segments:
            case "POST", ["kernels"]:
                return self._start(await read_json(receive))
            case _, ["kernels", kernel_id, *rest]:
                return await self._about_kernel(method, kernel_id, rest)
            case "GET" | "HEAD", ["kernelspecs", *rest]:
                return self._kernelspecs(rest)
        values = {
            "": {"version": __version__},
            "status": self._status(),
            "kernels": [self._model()],
        }
        value = values.get("/".join(segments))
        if value is None or method not in {"GET", "HEAD"}:
            return _nothing(request.method, request.path)
        return json_response(value)

    def _status(self) -> JsonObject:
        return {
            "started": _time(self._started),
            "last_activity": _time(self._kernel.last_activity),
            "connections": self.connections,
            "kernels": 1,
            "tsushin": __version__,
        }

    def _model(self) -> JsonObject:
        return {
            "id": self._kernel.kernel_id,
            "name": self._kernel.name,
            "last_activity": _time(self._kernel.last_activity),
            "execution_state": self._kernel.execution_state,
            "connections": self.connections,
        }

    def _kernelspecs(self, rest: list[str]) -> Response:
        name = self._kernel.name
        spec = {"name": name, "spec": self._kernel.spec(), "resources": {}}
        if rest == [name]:
            return json_response(spec)
        if rest:
            return error_response(404, f"kernelspec {quote('/'.join(rest))}: there is no such spec")
        return json_response({"default": name, "kernelspecs": {name: spec}})

    def _start(self, body: JsonObject) -> Response:
        wanted = body.get("name") or self._kernel.name
        if wanted != self._kernel.name:
            return error_response(
                404, f"kernel {quote(wanted)}: this endpoint has one kernel, {self._kernel.name!r}"
            )
        return json_response(
            self._model(), _CREATED, location=f"api/kernels/{self._kernel.kernel_id}"
        )

    async def _about_kernel(self, method: str, kernel_id: str, rest: list[str]) -> Response:
        if kernel_id != self._kernel.kernel_id:
            return error_response(404, f"kernel {quote(kernel_id)}: there is no such kernel")
        match method, rest:
            case "GET" | "HEAD", []:
                return json_response(self._model())
            case "POST", ["interrupt"]:
                await self._kernel.interrupt()
                return Response(NO_CONTENT)
            case "POST", ["restart"]:
                await self._kernel.restart()
                return json_response(self._model())
            case "DELETE", []:
                return error_response(405, "the kernel ends with the process that serves it")
        return _nothing(method, "/".join(rest))


def _nothing(method: str, path: str) -> Response:
    return error_response(404, f"{quote(method)} {quote(path)}: there is nothing here")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
