"""A Python program as the frontend of a real kernel: both ways to open a comm, then a close.

    python examples/python_frontend.py

Needs nothing but Tsushin. The kernel is started and ended by the program.
"""

from __future__ import annotations

import tsushin

IN_THE_KERNEL = """
import tsushin

@tsushin.comm_manager().register_target("word-count")
def word_count(comm, msg):
    @comm.on_msg
    def count(msg):
        comm.send({"words": len(msg["content"]["data"]["text"].split())})

progress = tsushin.Comm("progress", {"steps": 3})
for step in range(3):
    progress.send({"step": step})
progress.close({"result": "done"})
"""


def main() -> None:
    with tsushin.connect_sync("python3") as fe:
        # The kernel opens: say what is expected, then run what causes it.
        opened = fe.expect_open("progress")
        fe.execute(IN_THE_KERNEL)
        progress = opened.result()
        print("opened with", progress.open_msg["content"]["data"])
        try:
            while True:
                print("progress", progress.expect_msg().result()["content"]["data"])
        except tsushin.CommClosed as closed:
            print("closed with", closed.data)

        # The frontend opens.
        words = fe.comm_manager.new_comm("word-count")
        words.send({"text": "a comm is a pair of objects"})
        print("answer", words.expect_msg().result()["content"]["data"])
        words.close()


if __name__ == "__main__":
    main()
