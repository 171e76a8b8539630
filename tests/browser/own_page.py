"""A page of one's own for tests: served by a real Jupyter Server, beside the library; no JupyterLab.

The server has its default limits. The page (``pages/own_page.html``) is at ``static/``, from the server's own
origin, as a page would be that somebody puts there.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from browser.hosts import ROOT, Host
from browser.kernel_side import KernelSide
from processes import TOKEN, environment, jupyter_server

PAGES = Path(__file__).parent / "pages"
CORE = ROOT / "js" / "packages" / "core" / "dist"
JOIN_MS = 20_000


@dataclass(frozen=True)
class Site:
    """A running server with the page."""

    host: Host

    @contextmanager
    def kernel(self):
        """Run a kernel until the block ends."""
        model = self.host.request("api/kernels", "POST")
        side = KernelSide(self.host.runtime / f"kernel-{model['id']}.json")
        try:
            yield OwnKernel(self.host, model["id"], side)
        finally:
            side.close()
            self.host.request(f"api/kernels/{model['id']}", "DELETE")


@dataclass(frozen=True)
class OwnKernel:
    """One kernel: ``side`` is a plain client's view of it, beside the pages."""

    host: Host
    id: str
    side: KernelSide

    @property
    def address(self):
        """Of a page that connects to it."""
        query = urlencode({"token": TOKEN, "kernel_id": self.id})
        return f"{self.host.url}static/own_page.html?{query}"

    def page(self, context):
        """Open a page in a browser context, and return it once it has joined the kernel."""
        page = context.new_page()
        page.goto(self.address)
        return joined(page)


def joined(page):
    """Return a page once it knows the kernel's end, and has taken up what that has open."""
    page.wait_for_function("globalThis.seen && fe.comm_manager.peers.length", timeout=JOIN_MS)
    return page


@contextmanager
def own_site(folder):
    """Serve the page until the block ends; ``folder`` is an empty one."""
    assert (CORE / "index.js").is_file(), "build the library first: python tools/node.py build"
    static, root, runtime = folder / "static", folder / "root", folder / "runtime"
    for path in (root, runtime):
        path.mkdir()
    shutil.copytree(PAGES, static)
    shutil.copytree(CORE, static / "tsushin")  # the server follows no links
    env = {**environment(), "JUPYTER_RUNTIME_DIR": str(runtime)}
    settings = {"ServerApp.extra_static_paths": [str(static)]}
    with jupyter_server(root, env=env, settings=settings) as server:
        yield Site(Host(server.url, root, runtime, server.log))
