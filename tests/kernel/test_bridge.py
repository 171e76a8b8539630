from __future__ import annotations

import asyncio
import threading

import pytest

from kernel.host_comm import install
from tsushin.errors import Unsupported
from tsushin.kernel import bridge as module
from tsushin.kernel.bridge import Bridge, run_on
from tsushin.kernel.end import Frames
from tsushin.protocol.limits import Limits
from tsushin.protocol.messages import Message, new_header
from tsushin.wire import afm


def message(n, buffers=()):
    header = new_header("comm_msg", msg_id=f"m{n}", session="s", now=0)
    views = tuple(memoryview(b) for b in buffers)
    return Message("iopub", header, content={"comm_id": "c", "data": {"n": n}}, buffers=views)


class End:
    """A kernel end with a bridge, and the host of its model."""

    def __init__(self, made, **options):
        self.made = made
        self.got, self.faults = [], []
        self.fault_heard = threading.Event()
        self.bridge = Bridge(
            "k",
            receive=lambda message, page: self.got.append((message.header["msg_id"], page)),
            hand_over=lambda callback: callback(),
            fault=self.fault,
            **options,
        )
        self.bridge.show()

    def fault(self, error):
        self.faults.append(str(error))
        self.fault_heard.set()

    @property
    def comm(self):
        return self.made[-1]

    def say(self, n, page="p", **content):
        buffers = content.pop("buffers", ())
        self.comm.custom({"tsushin": 1, "page": page, "n": n, **content}, buffers)

    def say_message(self, n, page="p"):
        self.say(n, page, message=afm.encode(message(n)))

    @property
    def ids(self):
        return [msg_id for msg_id, _ in self.got]

    def numbers(self):
        return [c["n"] for c in self.comm.customs if "message" in c]


@pytest.fixture
def make(monkeypatch, tmp_path):
    made = install(monkeypatch)
    source = tmp_path / "bridge.js"
    source.write_text("the module")
    monkeypatch.setattr(module, "MODULE", source)
    return lambda **options: End(made, **options)


@pytest.fixture
def end(make):
    return make()


def test_what_is_sent_before_the_hello_waits_for_it_in_order(end):
    for n in range(3):
        end.bridge.publish(message(n))
    assert end.comm.customs == []
    end.say(0, hello=True)
    assert end.comm.customs[0] == {"tsushin": 1, "welcome": "p", "n": 0}
    assert end.numbers() == [0, 1, 2]
    end.bridge.publish(message(3))
    assert end.numbers() == [0, 1, 2, 3]


def test_what_waits_is_bounded_and_the_newest_is_kept(make, caplog):
    end = make(limits=Limits(max_kept_messages=2, max_kept_bytes=10))
    for n in range(4):
        end.bridge.publish(message(n))
    end.bridge.publish(message(4, [bytes(100)]))
    end.say(0, hello=True)
    assert end.comm.customs[0]["n"] == 4
    assert end.numbers() == [4]
    assert caplog.text.count("the oldest messages to it are dropped") == 1


@pytest.mark.parametrize("arrival", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_messages_that_overtook_others_are_handled_in_order(end, arrival):
    for n in arrival:
        if n == 0:
            end.say(0, hello=True)
        else:
            end.say_message(n)
    assert end.ids == ["m1", "m2", "m3"]
    assert end.faults == []


def test_pages_are_told_apart(end):
    for page in ("p", "q"):
        end.say(0, page, hello=True)
        end.say_message(1, page)
    assert end.ids == ["m1", "m1"]
    assert end.bridge.pages == 2
    _, page = end.got[1]
    page.send(Frames(message(9)))
    assert end.comm.customs[-1]["to"] == "q"


def test_buffers_go_both_ways(end):
    end.say(0, hello=True)
    end.bridge.publish(message(1, [b"abc"]))
    assert end.comm.sent[-1][1] == [b"abc"]


def test_a_gap_that_never_closes_lets_go_of_the_page_with_a_fault(end, monkeypatch):
    monkeypatch.setattr(module, "GAP_TIMEOUT_S", 0.01)
    end.say(0, hello=True)
    end.say_message(2)
    assert end.fault_heard.wait(10)
    assert "message 1 of the page never came" in end.faults[0]
    assert end.comm.customs[-1]["to"] == "p"
    assert not end.bridge.is_up


def test_a_gap_that_closes_in_time_is_none(end):
    end.say(0, hello=True)
    end.say_message(2)
    end.say_message(1)
    assert (end.ids, end.faults) == (["m1", "m2"], [])


def test_goodbye_of_the_last_page_brings_the_bridge_down(end):
    end.say(0, hello=True)
    assert end.bridge.is_up
    end.say(1, bye=True)
    assert not end.bridge.is_up
    end.bridge.publish(message(1))
    assert end.numbers() == []


def test_a_page_that_was_reloaded_is_a_new_one(end):
    end.say(0, hello=True)
    end.say(0, "q", hello=True)
    end.say_message(1, "q")
    assert end.ids == ["m1"]


def test_the_extension_takes_over_and_other_pages_are_told(end):
    end.say(0, hello=True)
    end.say(0, "extension", **{"yield": True})
    assert not end.bridge.is_up
    assert end.comm.customs[-1]["gone"] == "the page has the extension"


def test_a_model_closed_by_its_host_is_made_anew_and_the_page_goes_on(end):
    end.say(0, hello=True)
    end.say_message(1)
    end.comm.close()
    end.bridge.publish(message(7))  # waits for the new model
    end.bridge.show()
    end.say(2, hello=True)
    end.say_message(3)
    assert end.comm.customs[0] == {"tsushin": 1, "welcome": "p", "n": 0}
    assert end.numbers() == [0]
    assert (end.ids, end.faults) == (["m1", "m3"], [])


def test_what_was_lost_between_two_models_is_a_fault(end):
    end.say(0, hello=True)
    end.comm.close()
    end.bridge.show()
    end.say(3, hello=True)
    assert "2 messages of the page were lost" in end.faults[0]


def test_one_model_is_shown_however_often(end):
    bundles = [end.bridge._repr_mimebundle_() for _ in range(2)]
    assert bundles[0] == bundles[1]
    assert len(end.made) == 1


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"tsushin": 2}, {"tsushin": 1, "page": 1, "n": 0}, {"tsushin": 1, "page": "p"}],
)
def test_what_is_no_message_of_a_page_is_a_fault(end, content):
    end.comm.custom(content)
    assert len(end.faults) == 1


def test_a_malformed_message_is_a_fault_and_the_next_is_handled(end):
    end.say(0, hello=True)
    end.say(1, message={"channel": "shell"})
    end.say_message(2)
    assert (len(end.faults), end.ids) == (1, ["m2"])


def test_pages_that_left_without_a_word_are_forgotten(end):
    for n in range(module.MAX_PAGES + 5):
        end.say(0, f"p{n}", hello=True)
    assert end.bridge.pages == module.MAX_PAGES


def test_without_the_built_module_the_error_says_what_to_do(end, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "MODULE", tmp_path / "nothing.js")
    end.comm.close()
    with pytest.raises(Unsupported, match="make demo"):
        end.bridge.show()


async def test_run_on_calls_on_its_loop_only():
    called = []
    loop = asyncio.get_running_loop()
    assert run_on(loop, lambda: called.append("here"))
    assert not await asyncio.to_thread(run_on, loop, lambda: called.append("there"))
    assert called == ["here"]
