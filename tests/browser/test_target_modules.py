"""A Chromium page that finds targets by ``target_module``, as ES modules and through RequireJS."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tsushin import Comm
from tsushin.kernel.process import ProcessKernel
from tsushin.server import serve
from tsushin.server.static_files import STATIC

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

TIMEOUT_S = 15

TARGET = """function (comm, msg) {
  comm.on_msg(function (m) {
    var buffers = [new Uint8Array([1, 2]).buffer];
    comm.send({ by: "%s", opened: msg.content.data, got: m.content.data }, {}, { m: 3 }, buffers);
  });
}"""
ES_MODULE = "import { by } from './by.mjs'; export const t = " + TARGET.replace(
    '"%s"', "`${by} module`"
)
FILES = {
    "esm.mjs": ES_MODULE,
    "by.mjs": "export const by = 'es';",
    "amd.js": f"define(['./part'], function (part) {{ return {{ t: {TARGET % 'amd file'} }}; }});",
    "part.js": "define([], function () { return 1; });",
    "lib/named-1.2.js": f"define([], function () {{ return {TARGET % 'amd name'}; }});",
    "umd.js": f"""(function (root, factory) {{
      if (typeof define === 'function' && define.amd) define([], factory);
      else if (typeof exports === 'object') module.exports = factory();
      else root.umdGlobal = factory();
    }})(typeof self !== 'undefined' ? self : this, function () {{
      return {{ default: {TARGET % "umd file"} }};
    }});""",
    "broken.js": "export const t = 1; throw new Error('at its top');",
    "other.mjs": "export const other = 1;",
}

CONNECT = """async ([token, modules]) => {
  const tsushin = await import(new URL("tsushin.js", location.href).href);
  globalThis.before = Object.getOwnPropertyNames(globalThis);
  globalThis.errors = [];
  const on_error = (error) => errors.push(String(error));
  globalThis.fe = await tsushin.connect(new URL(".", location.href).href, { token, on_error });
  const load_requirejs = async () => (await fetch(new URL("require.js", location.href))).text();
  globalThis.amd = tsushin.make_amd({ load_requirejs, base_url: modules, on_error });
  const load_target = tsushin.page_target_loader({ amd, base_url: modules });
  globalThis.Jupyter = tsushin.make_jupyter(fe, { load_target });
  globalThis.run = (code) => tsushin.run_script(code, { ...amd, Jupyter });
}"""
# `Jupyter` is this test's own.
NEW_GLOBALS = """() => {
  const ours = ["before", "errors", "fe", "amd", "Jupyter", "run"];
  return Object.getOwnPropertyNames(globalThis)
    .filter((name) => !before.includes(name) && !ours.includes(name));
}"""


class Files(BaseHTTPRequestHandler):
    """Answers with ``FILES``, for pages of any origin."""

    def do_GET(self):
        text = FILES.get(self.path[1:])
        self.send_response(404 if text is None else 200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "text/javascript")
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_args):
        """Keep quiet."""


@pytest.fixture(scope="module")
def modules():
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def manager():
    return ProcessKernel().manager


@pytest.fixture
def page(browser, manager, modules):
    assert (STATIC / "require.js").is_file(), "build the page first: python tools/node.py build"
    thrown = []
    with serve(manager, block=False) as serving, browser.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: thrown.append(error))  # noqa: PLW0108 (playwright marks it)
        page.goto(f"{serving.url}icon.svg")
        page.evaluate(CONNECT, [serving.token, modules])
        yield page
    assert thrown == []


def answer(manager, target_module):
    """Open a comm to the module's target, send at once, and return what comes back."""
    comm = Comm("t", {"x": 1}, target_module=target_module, manager=manager)
    answered = comm.expect_msg(TIMEOUT_S)
    comm.send({"n": 2})
    msg = answered.result()
    assert (msg["metadata"], [bytes(b) for b in msg["buffers"]]) == ({"m": 3}, [b"\1\2"])
    assert msg["content"]["data"] == {
        "by": msg["content"]["data"]["by"],
        "opened": {"x": 1},
        "got": {"n": 2},
    }
    return msg["content"]["data"]["by"]


def refusal(manager, target_module):
    """Open a comm to a module that has no target, and return the reason of the close."""
    closed = threading.Event()
    reasons = []
    comm = Comm("t", target_module=target_module, manager=manager)

    @comm.on_close
    def on_close(msg):
        reasons.append(msg["metadata"]["tsushin"]["error"])
        closed.set()

    assert closed.wait(TIMEOUT_S)
    [reason] = reasons
    assert (reason["code"], reason["name"]) == ("unknown_target", "UnknownTarget")
    return reason["message"]


@pytest.mark.parametrize(
    ("target_module", "by"),
    [
        ("./esm.mjs", "es module"),
        ("./amd.js", "amd file"),
        ("./umd.js", "umd file"),
        ("{modules}esm.mjs", "es module"),
        ("{modules}amd.js", "amd file"),
    ],
)
def test_a_module_is_found_by_its_address(page, manager, modules, target_module, by):
    assert answer(manager, target_module.format(modules=modules)) == by
    assert page.evaluate("errors") == []
    assert page.evaluate(NEW_GLOBALS) == []


def test_an_amd_module_is_found_by_the_name_that_a_script_configured(page, manager):
    page.evaluate("run('require.config({ paths: { mylib: \"lib/named-1.2\" } })')")
    assert answer(manager, "mylib") == "amd name"
    assert page.evaluate(NEW_GLOBALS) == []


def test_an_amd_module_is_found_that_a_script_defined(page, manager):
    page.evaluate("code => run(code)", f"define('mine', [], () => {TARGET % 'a script'});")
    assert answer(manager, "mine") == "a script"


@pytest.mark.parametrize(
    ("target_module", "wanted"),
    [
        ("./gone.mjs", ["./gone.mjs", "HTTP status 404"]),
        ("gone", ['"gone"', "RequireJS: module", "HTTP status 404", "import(): Failed to resolve"]),
        ("./broken.js", ["import(): at its top"]),
        ("./other.mjs", ['expected a function exported as "t"', 'it exports "other"']),
    ],
)
def test_a_module_without_a_target_closes_the_comm_and_says_why(
    page, manager, target_module, wanted
):
    message = refusal(manager, target_module)
    assert [part for part in wanted if part not in message] == []
    [error] = page.evaluate("errors")
    assert message in error


def test_require_in_a_displayed_script_loads_modules_and_leaves_no_globals(page):
    loaded = page.evaluate(
        """() => run(`return new Promise((ok, no) => require(["umd", "part"], (u, p) =>
             ok([typeof u.default, p, typeof window.define, typeof window.require]), no));`)"""
    )
    assert loaded == ["function", 1, "undefined", "undefined"]
    assert page.evaluate(NEW_GLOBALS) == []
