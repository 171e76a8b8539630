"""The extension in real servers: enabled by its file, beside others like it, and in front of a gateway."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import jupyter_server
import pytest

import tsushin
from processes import EXTENDED, FRONTENDS, STOCK, TOKEN, environment
from server.jupyter.pages import classes, lines, page, running, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

ENABLES = Path(tsushin.__file__).parent / "server" / "jupyter" / "tsushin.json"
OURS, STOCKS = "TsushinConnection", "ZMQChannelsWebsocketConnection"
BY_FILES = dict.fromkeys(FRONTENDS, False)  # and ours as the configuration files say


@pytest.fixture
def python(tmp_path):
    """The Python of an environment where Tsushin was installed; all other packages are this one's."""
    venv.create(tmp_path, symlinks=True)
    [packages] = (tmp_path / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(str(Path(jupyter_server.__file__).parents[1]))
    enabling = tmp_path / "etc" / "jupyter" / "jupyter_server_config.d"
    enabling.mkdir(parents=True)
    (enabling / ENABLES.name).write_bytes(ENABLES.read_bytes())
    return tmp_path / "bin" / "python"


def extension(python, *command):
    """Run ``jupyter server extension ...``; return what it says, in one line, without colours."""
    done = subprocess.run(
        [python, "-m", "jupyter_server", "extension", *command],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return " ".join(re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr).split())


async def test_where_it_is_installed_a_server_lists_and_loads_it(run_server, python):
    listed = extension(python, "list")
    assert "tsushin enabled" in listed
    assert f"tsushin {tsushin.__version__} OK" in listed
    with run_server(extensions=BY_FILES, python=python) as server:
        assert classes(server)[:2] == [OURS, STOCKS]
        async with running(server) as kernel_id, page(server, kernel_id) as one:
            await one.run("print(1 + 1)")
        assert one.text() == "2\n"


def test_disabled_it_changes_nothing(run_server, python):
    extension(python, "disable", "tsushin")
    assert "tsushin disabled" in extension(python, "list")
    with run_server(extensions=BY_FILES, python=python) as server:
        assert classes(server)[0] == STOCKS
        assert not lines(server, "tsushin | extension")


async def test_it_derives_from_the_class_of_an_extension_before_it(run_server):
    with run_server(extensions={**EXTENDED, "a_before": True}) as server:
        assert classes(server)[:4] == ["TsushinBefore", OURS, "Before", STOCKS]
        async with running(server) as kernel_id:
            async with page(server, kernel_id) as one:
                await one.run("1")
            await until(lambda: lines(server, "Before has passed something"))


async def test_it_derives_from_the_class_of_an_extension_after_it(run_server):
    with run_server(extensions={**EXTENDED, "z_after": True}) as server:
        assert classes(server)[:4] == ["TsushinAfter", OURS, "After", STOCKS]
        async with running(server) as kernel_id:
            async with page(server, kernel_id) as one:
                await one.run("1")
            await until(lambda: lines(server, "After has passed something"))


def test_what_another_derives_from_ours_stays(run_server):
    with run_server(extensions={**EXTENDED, "z_derived": True}) as server:
        assert classes(server)[:3] == ["Derived", OURS, STOCKS]


async def test_the_users_own_class_and_its_settings_stay(run_server):
    settings = {
        "ServerApp.kernel_websocket_connection_class": "a_before.Before",
        "Before.passed": "what the user says",
    }
    with run_server(settings=settings) as server:
        assert classes(server)[:4] == ["TsushinBefore", OURS, "Before", STOCKS]


def test_a_class_that_speaks_no_zmq_is_left_alone(run_server):
    settings = {"ServerApp.kernel_websocket_connection_class": "other_way.OtherWay"}
    with run_server(settings=settings) as server:
        assert classes(server)[0] == "OtherWay"
        [line] = lines(server, "stay as they are")
        assert "OtherWay" in line


async def test_in_front_of_a_gateway_it_leaves_connections_alone(run_server):
    with run_server(extensions=STOCK) as behind:
        settings = {"GatewayClient.url": behind.url, "GatewayClient.auth_token": TOKEN}
        with run_server(settings=settings) as server:
            assert classes(server)[0] == "GatewayWebSocketConnection"
            [line] = lines(server, "stay as they are")
            assert "GatewayWebSocketConnection" in line
            async with (
                running(server) as kernel_id,
                page(server, kernel_id, subprotocol=None) as one,
            ):
                await one.run("print(1 + 1)")
            assert one.text() == "2\n"


def test_the_file_names_the_package():
    assert json.loads(ENABLES.read_text()) == {
        "ServerApp": {"jpserver_extensions": {"tsushin": True}}
    }


def test_importing_tsushin_needs_no_jupyter_server():
    code = "import sys, tsushin, tsushin.server; print('jupyter_server' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
