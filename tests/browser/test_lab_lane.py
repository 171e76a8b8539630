"""A notebook in JupyterLab and in Notebook 7: its page gets a lane by itself, and is answered by it.

``-s`` shows what a round trip takes by the lane and without one.
"""

from __future__ import annotations

import pytest

from browser.hosts import WITH, running_host
from browser.kernel_side import kernel_side
from browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(120)]

NAME = "lane.ipynb"
ECHO = """
import os
os.environ["TSUSHIN_LANE"] = {lane!r}
import tsushin
def echo(comm, msg):
    comm.on_msg(lambda msg: comm.send(msg["content"]["data"]))
tsushin.comm_manager().register_target("echo", echo, run="thread")
"""
OPEN = """%%javascript
const comm = Jupyter.notebook.kernel.comm_manager.new_comm('echo');
const waiting = [];
comm.on_msg(({ content }) => waiting.shift()(content.data.n));
globalThis.trip = (n) => new Promise((resolve) => { waiting.push(resolve); comm.send({ n }); });
element.append(document.createTextNode('opened'));
"""
# Microseconds of one trip, of so many in a row: a page's clock ticks every 0.1 ms.
TRIPS = """async (count) => {
  const begun = performance.now();
  const got = [];
  for (let n = 0; n < count; n++) got.push(await trip(n));
  return [got, ((performance.now() - begun) * 1000) / count];
}"""
LANES = "list(tsushin.comm_manager().sessions._ways)"


@pytest.fixture(scope="module", params=["1", "0"], ids=["lane", "no lane"])
def host(request, tmp_path_factory):
    with running_host(tmp_path_factory.mktemp("host"), [WITH]) as host:
        host.write_notebook(NAME, [ECHO.format(lane=request.param), OPEN], WITH)
        host.has_lane = request.param == "1"
        yield host


@pytest.mark.parametrize("app", ["lab", pytest.param("notebook", marks=pytest.mark.matrix)])
def test_a_notebooks_page_is_answered_by_its_lane(browser, host, app):
    with browser.new_context() as context:
        notebook = NotebookPage(context.new_page(), host, app, NAME).open()
        notebook.run(0)
        with kernel_side(host, NAME) as kernel:
            assert kernel.wait_for(f"len({LANES}) == {int(host.has_lane)}")
            notebook.run(1)
            notebook.page.wait_for_function("globalThis.trip")
            got, _ = notebook.page.evaluate(TRIPS, 20)
            assert got == list(range(20))
            _, took = notebook.page.evaluate(TRIPS, 100)
            assert kernel.value(f"len({LANES})") == int(host.has_lane)
        print(f"\n{app}, {'by the lane' if host.has_lane else 'without one'}: {took:,.0f} us")  # noqa: T201
