"""``tsushin serve module:function``: comms of your own Python code, without a kernel."""

from __future__ import annotations

import pkgutil
import sys
from typing import Annotated

import typer

import tsushin
from tsushin.kernel.own import process_manager


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    setup: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="Called with the CommManager, to register targets; looked up from here.",
        ),
    ],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 chooses a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = False,
    allow_remote: Annotated[
        bool, typer.Option(help="Let other machines connect; nothing is encrypted.")
    ] = False,
) -> None:
    """Serve the comms of a Python function to pages and programs, until Ctrl-C."""
    sys.path.insert(0, "")
    try:
        function = pkgutil.resolve_name(setup)
    except (ImportError, AttributeError, ValueError) as error:
        raise typer.BadParameter(f"{setup}: {error}") from error
    function(process_manager())
    try:
        tsushin.serve(host=host, port=port, open=browser, allow_remote=allow_remote)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
