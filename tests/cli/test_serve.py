from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tsushin
from endpoint_client import TIMEOUT_S
from tsushin.cli.main import app

SETUP = """
def setup(manager):
    manager.register_target("echo", lambda comm, msg: comm.send(msg["content"]["data"]))
"""
RUN = "from tsushin.cli.main import main; main()"
SRC = Path(tsushin.__file__).parents[1]


def test_a_function_of_ones_own_is_served_until_ctrl_c(tmp_path):
    (tmp_path / "mine.py").write_text(SETUP)
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "serve", "mine:setup"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    ) as process:
        try:
            url, token = process.stderr.readline().split()[3].split("?token=")
            with tsushin.connect_sync(url, token=token) as fe:
                comm = fe.comm_manager.new_comm("echo", {"x": 1})
                assert comm.expect_msg(TIMEOUT_S).result()["content"]["data"] == {"x": 1}
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nothing_there:setup"], "nothing_there"),
        (["json:nothing"], "nothing"),
        (["builtins:id", "--host", "0.0.0.0"], "allow_remote"),
    ],
)
def test_what_cannot_be_served_is_said(arguments, why):
    shown = CliRunner().invoke(app, ["serve", *arguments], env={"COLUMNS": "200"})
    assert shown.exit_code == 2
    assert why in shown.output
