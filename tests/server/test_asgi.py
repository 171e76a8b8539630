from __future__ import annotations

import pytest

from tsushin.server.asgi import (
    MAX_BODY_BYTES,
    BadRequest,
    Response,
    error_response,
    json_response,
    read_json,
    read_request,
    write_response,
)


def scope(**given):
    return {"type": "http", "method": "GET", "path": "/", "headers": [], **given}


def body_of(*parts):
    events = [{"body": part, "more_body": i + 1 < len(parts)} for i, part in enumerate(parts)]

    async def receive():
        return events.pop(0)

    return receive


async def written(response, **options):
    events = []

    async def send(event):
        events.append(event)

    await write_response(send, response, **options)
    return events


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [("/api", "", "/api"), ("/comms/api", "/comms", "/api"), ("/comms", "/comms/", "/")],
)
def test_the_path_is_the_one_below_the_mount_point(path, root, below):
    assert read_request(scope(path=path, root_path=root)).path == below


def test_headers_are_in_lower_case_and_the_query_is_parsed():
    request = read_request(scope(headers=[(b"Host", b"x")], query_string=b"token=a%2Fb&token=c"))
    assert request.headers == {"host": "x"}
    assert request.query == {"token": ["a/b", "c"]}


def test_a_query_of_thousands_of_fields_is_not_parsed():
    assert read_request(scope(query_string=b"&".join([b"token=x"] * 5000))).query == {}


async def test_a_body_in_pieces_is_read_whole():
    assert await read_json(body_of(b'{"a":', b"1}")) == {"a": 1}


async def test_an_empty_body_is_an_empty_object():
    assert await read_json(body_of(b" ")) == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 5000, b"x" * (MAX_BODY_BYTES + 1)])
async def test_a_bad_body_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        await read_json(body_of(body))


async def test_a_response_has_its_length_and_type():
    start, body = await written(json_response([1], 201, x_y="z"))
    assert start["status"] == 201
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"content-length": b"3",
        b"x-y": b"z",
    }
    assert body["body"] == b"[1]"


async def test_no_content_says_nothing_about_content():
    start, _ = await written(Response(204))
    assert start["headers"] == []


async def test_a_refused_handshake_is_written_as_such():
    start, body = await written(error_response(403, "no"), prefix="websocket.http")
    assert start["type"] == "websocket.http.response.start"
    assert body["body"] == b'{"message":"no","reason":null}'
