"""Write the generated pages of ``docs/reference``: api, errors, limits.

Run it after changing what they are made of. They come from ``spec/api.json``,
``spec/errors.json`` and the docstrings, so that nothing is said twice.
``tests/docs/test_reference.py`` holds the committed pages to what this makes.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import tsushin
from docstrings import markdown, parse, render
from tsushin import frontend, server
from tsushin.protocol.limits import Limits

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
_NOTE = "<!-- Written by tools/make_reference.py; do not edit. -->"
_API_INTRO = """\
What exists in which language. TypeScript has the same names and the same order of parameters; options that
are keyword-only in Python are an object there, and every wait is a promise. The object called `Jupyter` has
the classic order instead ([how to use it](../howto/use-from-a-web-page.md))."""
_ERRORS_INTRO = """\
One tree under `TsushinError`, the same in Python and TypeScript. A dot marks one step down the tree. The
`code` is stable: it never changes and is never used again. Bad arguments are the builtin `TypeError` and
`ValueError`; time that is up is `TimeoutError` (in TypeScript a `DOMException` of that name)."""
_LIMITS_INTRO = """\
What a peer may make this end hold. Each is checked before anything is allocated. What is above one is
refused with `LimitExceeded`, which names it; the link goes on. Kept messages are the exception: there the
oldest are dropped.

Give `connect`, `serve` or `asgi_app` your own: `limits=tsushin.Limits(max_open_comms=10)`."""
_LANGUAGES = {"python": "Python", "typescript": "TypeScript"}

# Python's own: what is called, and what that returns.
PYTHON: dict[str, Any] = {
    "comm_manager": tsushin.comm_manager,
    "bridge": tsushin.bridge,
    "connect": tsushin.connect,
    "connect_sync": tsushin.connect_sync,
    "Frontend": frontend.Frontend,
    "SyncFrontend": frontend.SyncFrontend,
    "Result": frontend.Result,
    "Expected": tsushin.Expected,
    "serve": tsushin.serve,
    "asgi_app": tsushin.asgi_app,
    "Serving": server.Serving,
}
_INTERNAL = {  # public to the modules around it, not to users
    "Expected": {"settle", "fail", "on_settled", "is_waiting"},
    "Serving": {"run", "start", "say_goodbye", "listening", "endpoint"},
}

ADVICE = {
    "tsushin_error": "Catch it to catch every error below.",
    "protocol_error": "Catch one of its two kinds.",
    "local_protocol_error": "Change the calling code; the state of the comm is as before.",
    "comm_closed": "Make a new comm. `closed_by` and `data` say who closed and what they said.",
    "comm_not_open": "Call `open()` first; the constructor does it unless `primary=False`.",
    "duplicate_comm": "Leave `comm_id` out, so that a new one is made; an id is used once.",
    "remote_protocol_error": "Nothing on this side: it is reported, and the next message is handled.",
    "wire_error": "Look at what the peer sends: `part` and `offset` say where it goes wrong.",
    "signature_error": "Check that both ends have the same connection file. Else somebody forges or repeats.",
    "unknown_target": "Register the target before the peer opens, or correct the name.",
    "limit_exceeded": "Send less at once, or give `limits=` a higher bound where you trust the peer.",
    "transport_error": "Connect again; comms that were open are lost.",
    "connect_failed": "The message names what was tried: kernelspec, file, address, token.",
    "transport_closed": "Nothing: the link was ended on purpose.",
    "transport_lost": "Connect again. `__cause__` says what broke.",
    "peer_error": "Read the message: it is the peer's answer.",
    "remote_error": "Look at the peer's function: `name` and `remote_traceback` say what it raised.",
    "no_peer": "Let the other end call `handle` with that name, before it is asked.",
    "unsupported": "Do without `feature`, or use another kind of kernel.",
    "queue_full": "`await comm.drain()`; send with `coalesce=` what a newer value replaces.",
    "no_host": "Call `serve()` or `asgi_app()` first, run in a kernel, or give `manager=`.",
    "execution_error": "Look at the executed code: `name`, `value` and `traceback` are its exception.",
    "kernel_gone": "`why` says how. Restart the kernel or connect again; its comms are lost.",
}


# ---------------------------------------------------------------------- api.md


def api_page() -> str:
    """Return the page about every public name."""
    names = json.loads((ROOT / "spec" / "api.json").read_text("utf-8"))["names"]
    blocks = ["# The public API", _API_INTRO]
    for entry in names:
        if entry["in"] == ["python", "typescript"]:
            blocks += _spec_entry(entry)
    for name, value in PYTHON.items():
        blocks += _python_entry(name, value)
    for entry in names:
        if entry["in"] == ["typescript"]:
            blocks += _typescript_entry(entry)
    return _page(blocks)


def _spec_entry(entry: dict[str, Any]) -> Iterator[str]:
    name, languages = entry["name"], [_LANGUAGES[one] for one in entry["in"]]
    owner, _, member = name.rpartition(".")
    value = _find(name)
    is_called = entry["kind"] == "method" or (entry["kind"] == "class" and "parameters" in entry)
    title = f"{name}{_signature(value)}" if is_called else name
    yield f"{'###' if owner else '##'} `{title}`"
    yield f"*{', '.join(languages)}*" + (f" — {entry['note']}" if "note" in entry else "")
    if entry["kind"] == "attribute":
        yield _attribute(_find(owner), member, value)
    elif value is not None:
        doc = parse(inspect.getdoc(value) or "")
        if entry["kind"] == "class" and not is_called:
            doc.sections.pop("Args", None)
        yield from render(doc)


def _typescript_entry(entry: dict[str, Any]) -> Iterator[str]:
    title = entry["name"]
    if "parameters" in entry:
        title += f"({', '.join(parameter['name'] for parameter in entry['parameters'])})"
    yield f"{'###' if '.' in entry['name'] else '##'} `{title}`"
    yield "*TypeScript*"
    yield _sentence(entry["note"])


def _python_entry(name: str, value: Any) -> Iterator[str]:
    is_class = inspect.isclass(value)
    yield f"## `{name}`" if is_class else f"## `{name}{_signature(value)}`"
    yield "*Python*"
    doc = parse(inspect.getdoc(value) or "")
    if is_class:
        doc.sections.pop("Args", None)
        doc.sections.pop("Raises", None)
    yield from render(doc)
    if not is_class:
        return
    for attribute, text in doc.sections.get("Attributes", []):
        if attribute not in _INTERNAL.get(name, ()):
            yield f"### `{name}.{attribute}`"
            yield _sentence(text)
    for member, held in vars(value).items():
        yield from _member(name, member, held)


def _member(owner: str, name: str, held: Any) -> Iterator[str]:
    if name.startswith("_") or name in _INTERNAL.get(owner, ()):
        return
    if isinstance(held, property):
        yield f"### `{owner}.{name}`"
        yield from render(parse(inspect.getdoc(held) or ""))
    elif inspect.isfunction(held):
        waited = "await " if inspect.iscoroutinefunction(held) else ""
        yield f"### `{waited}{owner}.{name}{_signature(held)}`"
        yield from render(parse(inspect.getdoc(held) or ""))


def _find(name: str) -> Any:
    """Return what a name of the spec is in Python; None for a plain attribute, or TypeScript's own."""
    value: Any = tsushin
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _signature(value: Any) -> str:
    """Return the parameters and their defaults, without types: those are in the text."""
    shown = []
    is_keyword_only = False
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            shown.append("*")
        default = parameter.default
        has_default = default is not parameter.empty
        shown.append(f"{parameter.name}={_default(default)}" if has_default else parameter.name)
    return f"({', '.join(shown)})"


def _default(value: Any) -> str:
    return "Limits()" if isinstance(value, Limits) else repr(value)


def _attribute(owner: Any, name: str, value: Any) -> str:
    if isinstance(value, property):
        return "\n\n".join(render(parse(inspect.getdoc(value) or "")))
    described = dict(parse(inspect.getdoc(owner) or "").sections.get("Attributes", []))
    parameters = dict(parse(inspect.getdoc(owner) or "").sections.get("Args", []))
    return _sentence(described.get(name) or parameters.get(name) or "")


def _sentence(text: str) -> str:
    return markdown(text[:1].upper() + text[1:])


# ---------------------------------------------------------------------- errors.md, limits.md


def errors_page() -> str:
    """Return the page about every error."""
    errors = json.loads((ROOT / "spec" / "errors.json").read_text("utf-8"))["errors"]
    depth = {None: -1}
    rows = ["| error | code | means | what to do |", "|---|---|---|---|"]
    for error in errors:
        depth[error["class"]] = level = depth[error["parent"]] + 1
        name = f"{'· ' * level}`{error['class']}`"
        has = ", ".join(f"`.{one}`" for one in error["attributes"])
        means = error["about"] + (f" ({has})" if has else "")
        rows.append(f"| {name} | `{error['code']}` | {means} | {ADVICE[error['code']]} |")
    return _page(
        [
            "# Errors",
            _ERRORS_INTRO,
            "\n".join(rows),
        ]
    )


def limits_page() -> str:
    """Return the page about every limit."""
    described = dict(parse(inspect.getdoc(Limits) or "").sections["Attributes"])
    rows = ["| limit | default | bounds |", "|---|--:|---|"]
    for one in fields(Limits):
        unit = next((u for u in ("bytes", "chars") if one.name.endswith(f"_{u}")), "count")
        default = f"{one.default:,} {unit}" if unit != "count" else f"{one.default:,}"
        rows.append(f"| `{one.name}` | {default} | {markdown(described[one.name])} |")
    return _page(
        [
            "# Limits",
            _LIMITS_INTRO,
            "\n".join(rows),
        ]
    )


# ---------------------------------------------------------------------- all


PAGES = {"api.md": api_page, "errors.md": errors_page, "limits.md": limits_page}


def _page(blocks: list[str]) -> str:
    return "\n\n".join([_NOTE, *blocks]) + "\n"


def main() -> int:
    """Write the pages; return the exit status."""
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
