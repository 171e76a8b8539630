"""``tsushin demo``: a real kernel, the endpoint and the page, in one command."""

from __future__ import annotations

import asyncio
import secrets
import time
import webbrowser
from contextlib import suppress
from typing import Annotated, Final, NoReturn

import typer
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from rich.console import Console
from rich.text import Text

from tsushin.errors import TsushinError
from tsushin.frontend.launch import LaunchedKernel
from tsushin.protocol.limits import DEFAULT_LIMITS
from tsushin.protocol.messages import JsonObject
from tsushin.server.app import Endpoint
from tsushin.server.relay import RelayKernel
from tsushin.server.security import Guard
from tsushin.server.serving import Serving
from tsushin.server.signals import stop_on_signals
from tsushin.server.static_files import BUILD_HINT, has_page

_START_TIMEOUT_S: Final = 60.0  # the first start on a slow machine compiles half of IPython

_QUIET: Final = (
    "__import__('warnings').filterwarnings("
    "'ignore', message='The .ipykernel.comm.Comm. class has been deprecated')"
)
_IPYKERNEL_ARGUMENTS: Final = (
    # The kernel end is ours from the first cell on, as after `tsushin enable`.
    "--InteractiveShellApp.extensions=tsushin",
    # The documented examples use the old name of the class on purpose; that it is old is no news.
    f"--InteractiveShellApp.exec_lines={_QUIET}",
)

_console = Console(highlight=False, soft_wrap=True)  # an address must stay in one piece


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 chooses a free one.")] = 0,
    kernel: Annotated[str, typer.Option(help="Name of the kernelspec to start.")] = "python3",
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Start a real kernel and a page, and watch comms open from both ends."""
    if not has_page():
        _fail(BUILD_HINT)
    try:
        asyncio.run(_until_signal(_Demo(kernel, _kernelspec(kernel), port), open_page=browser))
    except (TsushinError, OSError) as error:
        _fail(str(error))


def _kernelspec(name: str) -> JsonObject:
    specs = KernelSpecManager()
    try:
        spec: JsonObject = specs.get_kernel_spec(name).to_dict()
    except NoSuchKernel:
        found = ", ".join(sorted(specs.find_kernel_specs())) or "none"
        _fail(f"there is no kernel {name!r}; found: {found}")
    return spec


def _fail(why: str) -> NoReturn:
    _console.print(Text.assemble(("error ", "bold red"), why))
    raise typer.Exit(1)


class _Demo:
    """One kernel and one endpoint in front of it, on the running loop once ``run`` is called."""

    def __init__(self, kernel_name: str, spec: JsonObject, port: int) -> None:
        self._kernel_name = kernel_name
        self._spec = spec
        self._port = port

    async def run(self, *, open_page: bool) -> None:
        """Start everything, wait to be cancelled, end everything."""
        started_at = time.monotonic()
        is_ipykernel = any("ipykernel" in part for part in self._spec["argv"])
        kernel = LaunchedKernel(
            self._kernel_name,
            limits=DEFAULT_LIMITS,
            timeout_s=_START_TIMEOUT_S,
            arguments=_IPYKERNEL_ARGUMENTS if is_ipykernel else (),
        )
        relay = RelayKernel(kernel, name=self._kernel_name, spec=self._spec)
        endpoint = Endpoint(relay, Guard(token=secrets.token_urlsafe()))
        with Serving(endpoint, host="127.0.0.1", port=self._port) as serving:
            try:
                with _console.status(f"Starting the kernel {self._kernel_name} …"):
                    await relay.start()
                self._say_ready(serving, time.monotonic() - started_at)
                await self._serve(serving, relay, open_page=open_page)
            finally:
                with _console.status("Stopping …"):
                    await kernel.aclose()
                _console.print(Text("Stopped: kernel and page are gone.", "dim"))

    async def _serve(self, serving: Serving, relay: RelayKernel, *, open_page: bool) -> None:
        server = asyncio.ensure_future(serving.run())
        watching = asyncio.ensure_future(relay.watch(_say_dead))
        try:
            listening = asyncio.wrap_future(serving.listening)
            await asyncio.wait({server, listening}, return_when=asyncio.FIRST_COMPLETED)
            if open_page and not await asyncio.to_thread(webbrowser.open, serving.page_url):
                _console.print(
                    Text("No browser could be opened: please open the address yourself.")
                )
            await asyncio.wait({server})  # not "await server": cancelling us must not cut it short
        finally:
            watching.cancel()
            serving.stop()
            await server

    def _say_ready(self, serving: Serving, seconds: float) -> None:
        name = self._spec.get("display_name") or self._kernel_name
        page = Text.assemble(("  page    ", "dim"), (serving.page_url, "bold cyan underline"))
        kernel = Text.assemble(
            ("  kernel  ", "dim"), (str(name), "green"), f", up in {seconds:.1f} s"
        )
        _console.print(Text("通信 Tsushin", "bold"), page, kernel, sep="\n")
        _console.print(Text("  Ctrl-C stops both", "dim"))


def _say_dead() -> None:
    _console.print(
        Text.assemble(
            ("The kernel died. ", "bold red"), "Restart it on the page, or stop with Ctrl-C."
        )
    )


async def _until_signal(running: _Demo, *, open_page: bool) -> None:
    """Run until Ctrl-C or SIGTERM, which are the usual ways to end this."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(running.run(open_page=open_page))

    def stop() -> None:
        loop.call_soon_threadsafe(task.cancel)

    with stop_on_signals(stop), suppress(asyncio.CancelledError):
        await task
