from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import tsushin
from tsushin import errors
from tsushin.frontend import Frontend, SyncFrontend
from tsushin.testing import comm_pair

API = json.loads((Path(__file__).parents[1] / "spec/api.json").read_text())["names"]
IN_PYTHON = [entry for entry in API if "python" in entry["in"]]
NO_DEFAULT = inspect.Parameter.empty


def found(name: str) -> Any:
    first, *rest = name.split(".")
    made = {"Frontend": Frontend, "SyncFrontend": SyncFrontend}  # by connect, not by users
    value: Any = made.get(first) or getattr(tsushin, first)
    for part in rest:
        value = getattr(value, part)
    return value


def expected_default(parameter: dict[str, Any]) -> object:
    default = parameter.get("default", NO_DEFAULT)
    if default == "Limits()":
        return tsushin.Limits()
    return tuple(default) if isinstance(default, list) else default


def expected_parameters(entry: dict[str, Any]) -> list[tuple[str, object, bool]]:
    positional = [(p["name"], expected_default(p), False) for p in entry["parameters"]]
    keywords = entry.get("python_keywords", [])
    return positional + [(p["name"], expected_default(p), True) for p in keywords]


@pytest.mark.parametrize(
    "entry", [e for e in IN_PYTHON if "parameters" in e], ids=lambda e: e["name"]
)
def test_parameters_are_as_in_the_specification(entry):
    parameters = [
        (p.name, p.default, p.kind is p.KEYWORD_ONLY)
        for p in inspect.signature(found(entry["name"])).parameters.values()
        if p.name != "self"
    ]
    assert parameters == expected_parameters(entry)


@pytest.mark.parametrize("entry", IN_PYTHON, ids=lambda e: e["name"])
def test_public_name_exists_and_is_documented(entry, comm):
    owner, _, attribute = entry["name"].partition(".")
    instances = {"Comm": comm, "CommManager": comm._manager}
    if entry["kind"] == "attribute" and owner in instances:
        assert hasattr(instances[owner], attribute)
    elif entry["kind"] == "attribute":
        assert attribute in vars(found(owner)) or attribute in inspect.getsource(found(owner))
    else:
        assert inspect.getdoc(found(entry["name"]))


def test_every_public_method_is_in_the_specification():
    listed = {entry["name"] for entry in IN_PYTHON}
    for_hosts = {
        "receive",
        "lose",
        "close_all",
        "comm_info",
        "open_comm",
        "keep",
        "knows_target",
        "comm_class",
        "deliver",
        "may_answer",
        "may_have_heard",
        "cancel_request",
        "credit_request",
        "renew_locks",
        "check_live",
        "made_up",
        "opened_by_peers",
        "restorable",
        "runtime_for",
        "send_comm",
        "close_comm",
    }
    for cls in (tsushin.Comm, tsushin.CommManager, Frontend, SyncFrontend):
        public = {n for n in vars(cls) if not n.startswith("_")} - for_hosts
        assert {f"{cls.__name__}.{n}" for n in public} <= listed


def test_every_module_name_is_in_the_specification_or_an_error():
    listed = {entry["name"] for entry in IN_PYTHON}
    others = {"Expected", "Limits", "__version__"} | set(vars(errors))
    assert set(tsushin.__all__) <= listed | others


@pytest.fixture
def comm():
    pair = comm_pair()
    return tsushin.Comm("target", manager=pair.kernel)
