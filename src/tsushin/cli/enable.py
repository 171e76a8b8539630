"""``tsushin enable`` and ``tsushin disable``: attach every kernel at its start, or no longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tsushin.kernel import enable as startup

Profile = Annotated[str, typer.Option(help="The IPython profile; `IPYTHONDIR` is honoured.")]


def register(app: typer.Typer) -> None:
    """Add the two commands."""
    app.command()(enable)
    app.command()(disable)


def enable(profile: Profile = "default") -> None:
    """Attach tsushin to every IPython kernel at its start."""
    _change(
        startup.enable,
        profile,
        done="[green]Enabled[/]: kernels started from now on attach.",
        already="[yellow]Already enabled[/]: nothing to do.",
    )


def disable(profile: Profile = "default") -> None:
    """Undo `tsushin enable`."""
    _change(
        startup.disable,
        profile,
        done="[green]Disabled[/]: kernels started from now on are left alone.",
        already="[yellow]Not enabled[/]: nothing to do.",
    )


def _change(change: Callable[[Path], bool], profile: str, *, done: str, already: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    try:
        file = startup.startup_file(profile)
        console.print(done if change(file) else already)
    except (OSError, ValueError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print("[red]Failed[/]:", str(error))
        raise typer.Exit(1) from error
    console.print("[dim]startup file:[/]", str(file), markup=True)
