from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest


def test_there_is_exactly_one_kernel(client):
    status, _, kernels = client.ask("api/kernels")
    assert status == 200
    [model] = kernels
    assert model["id"] == client.kernel_id
    assert (model["name"], model["execution_state"], model["connections"]) == ("tsushin", "idle", 0)
    assert datetime.fromisoformat(model["last_activity"]).tzinfo == UTC


def test_a_kernel_is_found_by_its_id(client):
    assert client.ask(f"api/kernels/{client.kernel_id}")[2] == client.ask("api/kernels")[2][0]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"name": "tsushin"}', b'{"name": null}'])
def test_starting_a_kernel_gives_the_one_there_is(client, body):
    status, headers, model = client.ask("api/kernels", method="POST", body=body)
    assert (status, model["id"]) == (201, client.kernel_id)
    assert headers["Location"].endswith(client.kernel_id)


def test_starting_another_kernel_is_refused(client):
    status, _, error = client.ask("api/kernels", method="POST", body=b'{"name": "ir"}')
    assert status == 404
    assert "'ir'" in error["message"]


def test_connections_are_counted(client):
    with client.socket() as socket:
        socket.ask("kernel_info_request")
        assert client.ask("api/kernels")[2][0]["connections"] == 1
        assert client.ask("api/status")[2]["connections"] == 1


def test_the_status_is_as_jupyter_server_gives_it(client):
    status, _, value = client.ask("api/status")
    assert status == 200
    assert set(value) == {"started", "last_activity", "connections", "kernels", "tsushin"}


def test_kernelspecs_name_the_one_there_is(client):
    _, _, specs = client.ask("api/kernelspecs")
    assert specs["default"] == "tsushin"
    assert client.ask("api/kernelspecs/tsushin")[2] == specs["kernelspecs"]["tsushin"]
    assert specs["kernelspecs"]["tsushin"]["spec"]["language"] == "python"


def test_a_plain_process_can_neither_restart_nor_interrupt(client):
    for action in ("restart", "interrupt"):
        status, _, error = client.ask(f"api/kernels/{client.kernel_id}/{action}", method="POST")
        assert status == 501
        assert "plain Python process" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "api/nothing", 404),
        ("GET", "api/kernels/other", 404),
        ("GET", "api/kernelspecs/other", 404),
        ("POST", "api/status", 404),
        ("POST", "api/kernels/other/restart", 404),
        ("DELETE", "api/kernels/{id}", 405),
        ("GET", "api/kernels/{id}/channels", 404),
    ],
)
def test_what_is_not_there_says_so_in_json(client, method, path, expected):
    status, _, error = client.ask(path.format(id=client.kernel_id), method=method)
    assert status == expected
    assert error["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"x" * 100_000])
def test_a_bad_body_is_a_bad_request(client, body):
    assert client.ask("api/kernels", method="POST", body=body)[0] == 400


def test_answers_are_json_that_json_reads(client):
    _, headers, value = client.ask("api")
    assert headers.get_content_type() == "application/json"
    assert json.loads(json.dumps(value)) == value
