"""The JavaScript frontend, in Node, with a lane to a real kernel of a real Jupyter Server."""

from __future__ import annotations

import pytest

from interop.test_javascript_link import heard_by_kernel, running_page
from tsushin import connect

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

HAS_LANE = "import tsushin; tsushin.comm_manager().sessions.has_lane()"
END_LANES = "tsushin.comm_manager().lanes.close()"
REGISTER = """
import tsushin
def late(c, m):
    c.handle('echo', lambda m: m['content']['data']['n'])
def register():
    tsushin.comm_manager().register_target('late', late)
"""


@pytest.fixture
async def page(node, server, kernel_id):
    """A page that has a lane."""
    async with running_page(node, server.url, server.token, kernel_id, "lane") as page:
        page.do("lane", "up")
        await page.hears("has_lane")
        yield page


@pytest.fixture
async def other(server, kernel_id):
    """Somebody else at the same kernel, by the standard route."""
    async with connect(server.url, token=server.token, kernel_id=kernel_id, lane=False) as other:
        yield other


async def all_got(page, numbers):
    while len(page.all("got")) < len(numbers):
        await page.hears("got", "gap")
    assert page.all("got") == numbers
    assert page.all("gap") == []


async def test_it_has_one_at_both_ends_and_messages_go_by_it(page, other):
    assert (await other.execute(HAS_LANE)).result == "True"
    numbers = list(range(1000))
    page.do("send", numbers)
    await other.execute("for n in range(1000): c.send({'n': n})")
    await all_got(page, numbers)
    await heard_by_kernel(other, numbers)


async def test_messages_before_during_and_after_a_lane_come_in_order(page, other):
    numbers = list(range(800))
    for first in range(0, 800, 200):
        page.do("send", numbers[first : first + 200])
        code = f"for n in range({first}, {first + 200}): c.send({{'n': n}})"
        await other.execute(f"import tsushin\n{code}\n{END_LANES}")
    await all_got(page, numbers)
    await heard_by_kernel(other, numbers)
    page.do("lane", "up")
    await page.hears("has_lane")
    assert (await other.execute(HAS_LANE)).result == "True"


async def test_code_runs_after_what_was_sent_and_before_what_is_opened(page, other):
    await other.execute(REGISTER)
    for n in range(20):
        page.do("order", n)
        heard = await page.hears("order")
        assert heard == {"order": f"({n}, None)", "late": n}


async def test_what_the_code_sends_has_come_when_it_has_ended(page):
    for _ in range(10):
        page.do("bursts", "for n in range(200): c.send({'n': n})")
        assert (await page.hears("during"))["during"] == 200


async def test_a_kernel_that_has_no_lanes_works_all_the_same(node, server, kernel_id, other):
    await other.execute("import os; os.environ['TSUSHIN_LANE'] = '0'")
    async with running_page(node, server.url, server.token, kernel_id, "lane") as page:
        page.do("send", [0])
        await heard_by_kernel(other, [0])
        assert (await other.execute(HAS_LANE)).result == "False"


async def test_a_restarted_kernel_gives_another_one(page, server, kernel_id, other):
    await other.restart()
    page.do("lane", "down")
    await page.hears("has_lane")
    page.do("execute", "from tsushin import Comm; heard = []; c = Comm('burst')")
    await page.hears("opened")
    page.do("lane", "up")
    await page.hears("has_lane")
    await other.execute("c.send({'n': 'new'})")
    assert (await page.hears("got"))["got"] == "new"
