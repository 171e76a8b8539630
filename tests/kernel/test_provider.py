"""The ``comm`` package's names, and the libraries that stand on them."""

from __future__ import annotations

import pytest

from kernel.peer import data_of, of_type, printed, started


def test_names_of_the_comm_package_lead_to_the_kernels_manager(kernel):
    kernel.run("import comm, ipykernel.comm")
    assert kernel.value("comm.get_comm_manager() is kernel.comm_manager") is True
    assert kernel.value("kernel.comm_manager.targets is manager.targets") is True
    assert kernel.value("comm.create_comm.__module__") == "ipykernel.ipkernel"


@pytest.mark.parametrize("make", ["comm.create_comm", "ipykernel.comm.Comm"])
def test_comms_made_by_stock_names_keep_their_lenient_encoding(kernel, make):
    messages = kernel.run(f"""
import warnings, comm, ipykernel.comm
warnings.simplefilter("ignore", DeprecationWarning)
{make}(target_name="x").send({{1: float("nan"), "b": b"raw"}})
""")
    assert data_of(messages) == [{"1": "nan", "b": "cmF3\n"}] or data_of(messages) == [
        {"1": "nan", "b": "cmF3"}
    ]


def test_a_target_registered_by_stock_names_gets_comms_of_ours(kernel):
    kernel.run("""
import comm
comm.get_comm_manager().register_target("t", lambda comm, msg: seen.append(type(comm).__module__))
""")
    kernel.open("stock-name", "t")
    assert kernel.value("seen") == ["tsushin.kernel.lenient_comm"]


def test_another_provider_is_left_alone_with_one_note(fresh_kernel):
    messages = fresh_kernel.run("""
import logging, comm
notes = []
class Note(logging.Handler):
    def emit(self, record):
        notes.append(record.getMessage())
logging.getLogger("tsushin").addHandler(Note())
class Other:
    pass
def other_manager():
    return Other()
comm.get_comm_manager = other_manager
stock = kernel.comm_manager
c = Comm("x")
Comm("y")
print(comm.get_comm_manager is other_manager, kernel.comm_manager is stock, len(notes))
print(notes[0])
""")
    first, note = printed(messages).splitlines()
    assert first == "True True 1"
    assert note.startswith("comm.get_comm_manager is __main__.other_manager: left alone")
    comm_id = of_type(messages, "comm_open")[0]["content"]["comm_id"]
    fresh_kernel.run("f = c.on_msg(lambda msg: seen.append(msg['content']['data']))")
    fresh_kernel.msg(comm_id, {"n": 1})
    assert fresh_kernel.value("seen") == [{"n": 1}]


def test_create_comm_that_would_do_nothing_is_replaced(fresh_kernel):
    messages = fresh_kernel.run("""
import comm
comm.get_comm_manager, comm.create_comm = comm._get_comm_manager, comm._create_comm
tsushin.kernel.attach()
comm.create_comm(target_name="x", data={"a": 1})
""")
    assert of_type(messages, "comm_open")[0]["content"]["data"] == {"a": 1}


# ---------------------------------------------------------------------- widgets, promise S10


@pytest.mark.parametrize("order", ["slider first", "attach first"])
def test_widget_state_is_synchronised(order):
    make = "import ipywidgets; slider = ipywidgets.IntSlider(value=3)"
    attach = "manager = tsushin.kernel.attach()"
    with started() as peer:
        code = [make, attach] if order == "slider first" else [attach, make]
        messages = peer.run("\n".join(code))
        opens = of_type(messages, "comm_open")
        assert [m["content"]["target_name"] for m in opens] == ["jupyter.widget"] * 3
        comm_id = peer.value("slider.comm.comm_id")
        update = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
        peer.msg(comm_id, update)
        assert peer.value("slider.value") == 7
        (sent,) = data_of(peer.run("slider.value = 8"))
        assert sent["method"] == "update"
        assert sent["state"] == {"value": 8}
        assert comm_id in peer.comm_info({"target_name": "jupyter.widget"})


def test_widgets_answer_a_page_that_asks_for_all_states():
    with started() as peer:
        peer.run("import ipywidgets; slider = ipywidgets.IntSlider(value=3); Comm('x')")
        peer.open("control", "jupyter.widget.control", metadata={"version": "1.0.0"})
        (answer,) = data_of(peer.msg("control", {"method": "request_states"}))
        assert answer["method"] == "update_states"
        assert answer["states"][peer.value("slider.comm.comm_id")]["state"]["value"] == 3


def test_marimos_own_create_comm_stays_in_place(fresh_kernel):
    fresh_kernel.run("""
import comm
def create_comm(**options): ...
create_comm.__module__ = "marimo._plugins.ui._impl.anywidget.comm_provider"
comm.create_comm = create_comm
""")
    fresh_kernel.run("import tsushin; tsushin.comm_manager()")
    assert fresh_kernel.value("comm.create_comm is create_comm") is True
    fresh_kernel.run("import tsushin.kernel; tsushin.kernel.detach()")
    assert fresh_kernel.value("comm.create_comm is create_comm") is True
