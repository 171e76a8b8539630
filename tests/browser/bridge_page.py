"""What a page does over the bridge, in any host: written with the classic object ``Jupyter``."""

from __future__ import annotations

TIMEOUT_MS = 20_000

# The page answers each message with the same data, metadata and buffers, and one key more.
REGISTER_ECHO = """() => {
  globalThis.log = [];
  Jupyter.notebook.kernel.comm_manager.register_target("page-echo", (comm, msg) => {
    globalThis.comm = comm;
    log.push(["open", msg.content.data]);
    comm.on_msg((m) => {
      comm.send({ ...m.content.data, seen: true }, {}, m.metadata, m.buffers);
    });
    comm.on_close((m) => log.push(["close", m.content.data]));
  });
}"""

# Each buffer is a view into larger memory, with other bytes around it.
OPEN_AND_SEND = """async ([sizes]) => {
  globalThis.log ??= [];
  const buffers = sizes.map((size) => {
    const whole = new Uint8Array(size + 16).fill(255);
    const view = whole.subarray(8, 8 + size);
    view.forEach((_, i) => (view[i] = (i * 7) & 127));
    return view;
  });
  const manager = Jupyter.notebook.kernel.comm_manager;
  globalThis.comm = manager.new_comm("kernel-echo", { x: 1 }, {}, { opened: true });
  comm.on_close((m) => log.push(["close", m.content.data]));
  const answer = new Promise((resolve) => comm.on_msg(resolve));
  comm.send({ n: 1 }, {}, { m: 2 }, buffers);
  const { content, metadata, buffers: back } = await answer;
  const same = back.every((view, i) => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return bytes.length === buffers[i].length && bytes.every((b, k) => b === buffers[i][k]);
  });
  return { data: content.data, metadata, sizes: back.map((view) => view.byteLength), same };
}"""

# A large message first, then small ones that could overtake it. Gives the numbers in the order of return.
SEND_MANY = """async ([count]) => {
  const comm = Jupyter.notebook.kernel.comm_manager.new_comm("kernel-echo");
  const seen = [];
  const done = new Promise((resolve) => {
    comm.on_msg((m) => seen.push(m.content.data.n) === count && resolve());
  });
  for (let n = 0; n < count; n++) comm.send({ n }, {}, {}, [new Uint8Array(n % 50 ? 8 : 200_000)]);
  await done;
  return seen;
}"""


def wait_for_log(page, length):
    page.wait_for_function("n => log.length >= n", arg=length, timeout=TIMEOUT_MS)
    return page.evaluate("log")
