"""The command ``tsushin``: collects one file per command, each with a ``register(app)``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated

import typer

from tsushin import cli
from tsushin._version import __version__

app: typer.Typer = typer.Typer(
    name="tsushin",
    help="Jupyter's comms, whole: both ends, in every frontend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold tokens
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 (typer calls it so)
    if is_wanted:
        typer.echo(f"tsushin {__version__}")
        raise typer.Exit


@app.callback()
def tsushin(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Jupyter's comms, whole: both ends, in every frontend."""
    del version  # its callback has done everything


for _info in sorted(pkgutil.iter_modules(cli.__path__), key=lambda info: info.name):
    _module = importlib.import_module(f"{cli.__name__}.{_info.name}")
    if hasattr(_module, "register"):
        _module.register(app)


def main() -> None:
    """Run the command line. The entry point of the ``tsushin`` script."""
    app()
