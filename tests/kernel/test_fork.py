"""A forked child has no comms, and the parent keeps its own."""

from __future__ import annotations

from kernel.peer import data_of, printed

FORK = """
import os
def in_child(work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        return pipe.read()
def caught(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__} {error}"
"""


def test_the_childs_comms_are_lost_and_say_so(kernel):
    messages = kernel.run(f"""{FORK}
c = Comm("x", run="thread")
waiting = c.expect_msg()
print(in_child(lambda: (c.closed_by, caught(lambda: c.send({{}})), caught(waiting.result))))
""")
    closed_by, send, wait = eval(printed(messages))
    assert closed_by == "lost"
    assert send.startswith("CommClosed")
    assert wait == "KernelGone this process was forked: its comms are its parent's"


def test_on_close_runs_in_the_child_with_the_reason(kernel):
    messages = kernel.run(f"""{FORK}
c, told = Comm("x"), []
c.on_close(lambda msg: told.append(msg["metadata"]["tsushin"]["lost"]))
print(in_child(lambda: told), told)
""")
    assert (
        printed(messages).strip() == '["this process was forked: its comms are its parent\'s"] []'
    )


def test_the_parent_goes_on(kernel):
    kernel.run(f"{FORK}\nc = Comm('x'); in_child(lambda: tsushin.poll())")
    assert kernel.value("c.closed") is False
    assert data_of(kernel.run("c.send({'n': 1})")) == [{"n": 1}]


def test_the_child_is_not_asked_for_a_lock_that_a_thread_of_the_parent_holds(kernel):
    messages = kernel.run(f"""{FORK}
import threading
c = Comm("x")
held, let_go = threading.Event(), threading.Event()
def hold():
    with manager._lock, c._delivery._lock:
        held.set()
        let_go.wait(10)
thread = threading.Thread(target=hold)
thread.start()
held.wait(10)
print(in_child(lambda: c.closed))
let_go.set()
thread.join()
""")
    assert printed(messages).strip() == "True"
