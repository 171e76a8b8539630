from __future__ import annotations

import pytest

from tsushin.server.asgi import Request
from tsushin.server.static_files import BUILD_HINT, has_page, static_response


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "a.js").write_text("1")
    (folder / "odd.xyz").write_text("?")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


def get(path, folder, method="GET"):
    return static_response(Request(method, path, {}, {}), folder)


def test_the_root_is_the_page(folder):
    response = get("/", folder)
    assert (response.status, response.body) == (200, b"<!doctype html>")


@pytest.mark.parametrize(
    ("path", "kind"), [("/a.js", "text/javascript"), ("/odd.xyz", "application/octet-stream")]
)
def test_types_do_not_depend_on_the_machine(folder, path, kind):
    assert get(path, folder).content_type.startswith(kind)


def test_the_address_with_the_token_does_not_travel_on(folder):
    assert get("/", folder).headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/../secret", "/link", "//etc/passwd", "/nothing", "/./../static/../secret", "/a.js/"]
)
def test_nothing_outside_the_folder_is_served(folder, path):
    assert get(path, folder).status in {200, 404}
    assert b"secret" not in get(path, folder).body
    assert b"root:" not in get(path, folder).body


def test_files_can_only_be_read(folder):
    assert get("/", folder, "POST").status == 405


def test_a_page_that_is_not_built_says_what_to_do(tmp_path):
    assert not has_page(tmp_path)
    response = get("/", tmp_path)
    assert response.status == 404
    assert BUILD_HINT.encode() in response.body
