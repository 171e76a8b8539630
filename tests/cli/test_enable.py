from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tsushin.cli.main import app
from tsushin.kernel.enable import startup_file


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_enable_says_what_it_did_and_where(call):
    first, second = call("enable"), call("enable")
    assert first.exit_code == second.exit_code == 0
    assert first.output.startswith("Enabled: ")
    assert second.output.startswith("Already enabled: ")
    assert str(startup_file()) in first.output
    assert startup_file().exists()


def test_disable_says_what_it_did(call):
    call("enable", "--profile", "work")
    first, second = (call("disable", "--profile", "work") for _ in range(2))
    assert first.output.startswith("Disabled: ")
    assert second.output.startswith("Not enabled: ")
    assert not startup_file("work").exists()


def test_a_profile_that_is_no_name_fails_with_the_reason(call):
    failed = call("enable", "--profile", "../etc")
    assert failed.exit_code == 1
    assert "expected a plain name, got '../etc'" in failed.output
