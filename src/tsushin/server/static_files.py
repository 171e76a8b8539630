"""The built page: files of one folder, served as they are. They hold no secret and need no token."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tsushin.server.asgi import Request, Response, error_response

STATIC: Final = Path(__file__).parent / "static"
BUILD_HINT: Final = "the page is not built: run `make demo` in the repository, or install the wheel"

# The platform's own table differs from machine to machine, and browsers refuse scripts of a wrong type.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": "frame-ancestors 'self'",
    "referrer-policy": "no-referrer",  # the address of the page may hold the token
    "x-content-type-options": "nosniff",
}


def has_page(folder: Path = STATIC) -> bool:
    """Say whether the page was built."""
    return (folder / "index.html").is_file()


def static_response(request: Request, folder: Path = STATIC) -> Response:
    """Return the file that ``request`` names; "/" is the page."""
    if request.method not in {"GET", "HEAD"}:
        return error_response(405, "files can only be read")
    name = request.path.lstrip("/") or "index.html"
    file = (folder / name).resolve()
    # Resolved first, so that neither ".." nor a link leads out of the folder.
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        hint = BUILD_HINT if name == "index.html" else "there is no such file"
        return error_response(404, hint)
    content_type = _TYPES.get(file.suffix, "application/octet-stream")
    return Response(200, file.read_bytes(), content_type, _HEADERS)
