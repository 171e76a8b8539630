from __future__ import annotations

import pytest
from typer.testing import CliRunner

import tsushin
from tsushin.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"TERM": "dumb", "COLUMNS": "100"})


def test_the_version_is_the_packages():
    assert run("--version").output == f"tsushin {tsushin.__version__}\n"


def test_without_a_command_it_lists_them():
    shown = run()
    assert shown.exit_code == 2
    assert all(command in shown.output for command in ("demo", "serve"))


@pytest.mark.parametrize(("command", "option"), [("demo", "--no-browser"), ("serve", "--port")])
def test_each_command_explains_itself(command, option):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert option in shown.output
