from __future__ import annotations

from typer.testing import CliRunner

from tsushin.cli.main import app


def test_help_lists_the_commands():
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert all(command in shown.output for command in ("enable", "disable"))
