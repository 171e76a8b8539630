from __future__ import annotations

import pytest

from tsushin.kernel.route import Route, Way
from tsushin.protocol.messages import Message, new_header


class Pages:
    is_up = True

    def __init__(self, went):
        self.went = went

    def publish(self, message):
        self.went.append(("bridge", message.msg_type))


@pytest.fixture
def went():
    return []


@pytest.fixture
def route(went):
    route = Route(lambda message: went.append(("iopub", message.msg_type)))
    route.pages = Pages(went)
    return route


def message(kind, comm_id="c1"):
    header = new_header(kind, msg_id="m", session="s", now=0)
    return Message("iopub", header, content={"comm_id": comm_id})


def test_without_a_bridge_everything_goes_on_iopub(route, went):
    route.pages = None
    route.send(message("comm_open"))
    assert went == [("iopub", "comm_open")]


def test_with_a_bridge_a_new_comm_goes_over_it_and_not_on_iopub(route, went):
    for kind in ("comm_open", "comm_msg", "comm_close"):
        route.send(message(kind))
    assert went == [("bridge", "comm_open"), ("bridge", "comm_msg"), ("bridge", "comm_close")]


def test_a_comm_opened_on_iopub_stays_there(route, went):
    route.pages.is_up = False
    route.send(message("comm_open"))
    route.pages.is_up = True
    route.send(message("comm_msg"))
    assert went == [("iopub", "comm_open"), ("iopub", "comm_msg")]


def test_a_frontend_beside_the_bridge_is_answered_on_iopub(route, went):
    route.heard(message("comm_open", "theirs"), Way.IOPUB)
    route.send(message("comm_msg", "theirs"))
    route.heard(message("comm_open", "pages"), Way.BRIDGE)
    route.send(message("comm_msg", "pages"))
    assert went == [("iopub", "comm_msg"), ("bridge", "comm_msg")]


def test_who_joins_by_the_other_way_is_reached_too(route, went):
    route.send(message("comm_open"))
    route.heard(message("comm_msg"), Way.IOPUB)
    route.send(message("comm_msg"))
    assert went[1:] == [("bridge", "comm_msg"), ("iopub", "comm_msg")]


def test_when_the_last_page_has_gone_iopub_is_left(route, went):
    route.send(message("comm_open"))
    route.pages.is_up = False
    route.send(message("comm_msg"))
    route.pages.is_up = True
    route.send(message("comm_msg"))
    assert went[1:] == [("iopub", "comm_msg"), ("bridge", "comm_msg")]


def test_made_up_ids_of_a_peer_are_not_kept(route):
    route.heard(message("comm_msg", "made up"), Way.IOPUB)
    route.heard(message("comm_open", "open"), Way.IOPUB)
    route.heard(message("comm_close", "open"), Way.IOPUB)
    assert route._ways == {}
