from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from kernel.host_comm import install
from tsushin.kernel.widget_model import VIEW, WidgetModel


@pytest.fixture
def made(monkeypatch):
    return install(monkeypatch)


@pytest.fixture
def heard():
    return []


@pytest.fixture
def model(made, heard):
    return WidgetModel("source", {"kernel_id": "k"}, lambda *custom: heard.append(custom))


def test_the_comm_is_what_anywidget_would_open(model, made):
    target_name, data, metadata = made[0].opened
    assert (target_name, metadata) == ("jupyter.widget", {"version": "2.1.0"})
    state = data["state"]
    assert (state["_model_module"], state["_model_name"]) == ("anywidget", "AnyModel")
    assert (state["_esm"], state["kernel_id"]) == ("source", "k")
    assert made[0].comm_id == model.model_id


def test_create_comm_is_looked_up_late(model, monkeypatch):
    later = install(monkeypatch)
    WidgetModel("source", {}, lambda *_: None)
    assert len(later) == 1


def test_custom_messages_go_both_ways_with_buffers(model, made, heard):
    model.send({"a": 1}, [b"x"])
    assert made[0].sent == [({"method": "custom", "content": {"a": 1}}, [b"x"])]
    made[0].custom({"b": 2}, [b"y"])
    assert heard == [({"b": 2}, [b"y"])]


def test_a_reloaded_page_that_asks_gets_the_state(model, made):
    made[0].arrive({"method": "request_state"})
    ((data, _),) = made[0].sent
    assert data["method"] == "update"
    assert data["state"]["_esm"] == "source"


def test_what_else_a_page_says_is_passed_over(model, made, heard):
    made[0].arrive({"method": "update", "state": {"_esm": "other"}})
    assert (made[0].sent, heard) == ([], [])


def test_it_is_closed_when_the_host_has_closed_it(model, made):
    assert not model.is_closed
    made[0].close()
    assert model.is_closed


def test_the_view_names_the_model(model):
    assert model.mimebundle()[VIEW]["model_id"] == model.model_id


def test_ipywidgets_lists_it_once_it_is_loaded(model, monkeypatch):
    widgets = SimpleNamespace(_instances={})
    monkeypatch.setitem(sys.modules, "ipywidgets.widgets.widget", widgets)
    model.join_ipywidgets()
    listed = widgets._instances[model.model_id]
    assert listed.get_state(drop_defaults=False)["_esm"] == "source"
    assert listed._get_embed_state()["model_module"] == "anywidget"
    listed.close()
    assert not model.is_closed
