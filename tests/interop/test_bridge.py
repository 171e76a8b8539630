"""The bridge in a real ipykernel; a Python frontend plays the page's anywidget, without a browser."""

from __future__ import annotations

import ast

import pytest

import tsushin
from processes import running_kernel
from tsushin.protocol.messages import new_header

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]


class Page:
    """What runs the module in a host of widget models: it speaks the words of the bridge."""

    def __init__(self, fe):
        self.fe = fe
        self.number = 0

    async def open(self):
        opened = self.fe.expect_open("jupyter.widget")
        await self.fe.execute("import tsushin\nb = tsushin.bridge()\nshown = b._repr_mimebundle_()")
        self.comm = await opened
        return self

    def say(self, **content):
        packed = {"tsushin": 1, "page": "p", "n": self.number, **content}
        self.number += 1
        self.comm.send({"method": "custom", "content": packed})

    def say_message(self, msg_type, channel="shell", **content):
        header = new_header(msg_type, msg_id=f"m{self.number}", session="page", now=0)
        parts = {"parent_header": {}, "metadata": {}, "content": content}
        self.say(message={"channel": channel, "header": header, **parts})
        return header["msg_id"]

    async def hears(self):
        return (await self.comm.expect_msg(20))["content"]["data"]["content"]

    async def hears_message(self):
        return (await self.hears())["message"]


@pytest.fixture(scope="module")
def kernel():
    with running_kernel() as manager:
        yield manager


@pytest.fixture
async def page(kernel):
    async with await tsushin.connect(connection_file=kernel.connection_file) as fe:
        yield await Page(fe).open()
        await fe.execute("b.end('the test ends')\ntsushin.comm_manager()._bridge = None")


async def value(fe, expression):
    return ast.literal_eval((await fe.execute(expression)).result)


async def test_comms_made_before_the_hello_wait_for_it_and_stay_off_iopub(page):
    await page.fe.execute("c = tsushin.Comm('target', {'a': 1})\nc.send({'n': 0})")
    page.say(hello=True)
    assert (await page.hears())["welcome"] == "p"
    opened, sent = await page.hears_message(), await page.hears_message()
    assert (opened["content"]["target_name"], sent["content"]["data"]) == ("target", {"n": 0})
    assert page.fe.comm_manager.unknown == 0  # nothing of it came on iopub


async def test_the_page_opens_a_target_and_is_answered_with_its_message_as_parent(page):
    await page.fe.execute(
        "def echo(comm, msg): comm.send(msg['content']['data'])\n"
        "get_ipython().kernel.comm_manager.register_target('echo', echo)"
    )
    page.say(hello=True)
    await page.hears()
    sent = page.say_message("comm_open", comm_id="c1", target_name="echo", data={"x": 1})
    answer = await page.hears_message()
    assert answer["content"] == {"comm_id": "c1", "data": {"x": 1}}
    assert answer["parent_header"]["msg_id"] == sent


async def test_a_frontend_beside_it_is_answered_on_iopub(page):
    await page.fe.execute(
        "tsushin.comm_manager().register_target('echo', lambda c, m: c.send({'y': 2}))"
    )
    page.say(hello=True)
    await page.hears()
    comm = page.fe.comm_manager.new_comm("echo")
    assert (await comm.expect_msg(20))["content"]["data"] == {"y": 2}


async def test_code_is_refused_and_the_wait_for_it_ends(page):
    page.say(hello=True)
    await page.hears()
    page.say_message("execute_request", code="1", silent=True)
    told = [await page.hears_message() for _ in range(3)]
    states = [m["content"].get("execution_state") or m["content"]["ename"] for m in told]
    assert states == ["busy", "NotSupported", "idle"]


async def test_a_page_with_the_extension_brings_comms_back_to_iopub(page):
    page.say(**{"yield": True})
    assert (await page.hears())["gone"] == "the page has the extension"
    opened = page.fe.expect_open("stock")
    await page.fe.execute("c = tsushin.Comm('stock')")
    assert (await opened).target_name == "stock"


async def test_a_reloaded_page_gets_the_state_it_asks_for(page):
    page.comm.send({"method": "request_state"})
    data = (await page.comm.expect_msg(20))["content"]["data"]
    assert data["method"] == "update"
    assert "msg:custom" in data["state"]["_esm"]


async def test_the_view_names_the_model(page):
    shown = await value(page.fe, "shown")
    view = shown["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == page.comm.comm_id


async def test_a_comms_own_repr_stays_text_here(page):
    assert "<Comm 'x'" in (await page.fe.execute("tsushin.Comm('x')")).result
