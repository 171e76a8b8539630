// A document's kernel over JupyterLab's own client: `node document.mjs <hosts.js> <url> <token> <kernel> <scenario>`.
// Prints what it saw as one JSON object; the Python test judges.
import services from "@jupyterlab/services";
import { kernelManager } from "./kernel_manager.mjs";

const { CommsOverSubshells } = services;
// The client logs to the console; what is said here must stay alone.
globalThis.console = new console.Console(process.stderr);

const [hosts, url, token, kernelId, scenario] = process.argv.slice(2);
const { DocumentKernel } = await import(hosts);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const storage = () => {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
};
const pages = { tab: storage(), shared: storage() };

const manager = await kernelManager(url, token);

/** Connect as JupyterLab does for a document that was opened just now. */
async function page() {
  const connection = manager.connectTo({
    model: { id: kernelId, name: "python3" },
  });
  connection.commsOverSubshells = CommsOverSubshells.PerCommTarget; // JupyterLab's own setting
  const errors = [];
  const document = new DocumentKernel({
    document: "a.ipynb",
    storage: pages,
    on_error: (error) => errors.push(String(error)),
  });
  document.connect(connection);
  await connection.info;
  return {
    connection,
    document,
    manager: document.frontend.comm_manager,
    errors,
  };
}

/** Run code in the kernel; return the value of its last expression, which is JSON. */
async function run({ connection }, code, expression = "None") {
  const user_expressions = { value: `__import__("json").dumps(${expression})` };
  const { content } = await connection.requestExecute({
    code,
    user_expressions,
  }).done;
  if (content.status !== "ok") throw new Error(content.traceback?.join("\n"));
  return JSON.parse(eval(content.user_expressions.value.data["text/plain"]));
}

const RECORD = `
from tsushin import Comm
closed, heard = [], []
def record(comm):
    comm.on_msg(lambda m: heard.append([m["content"]["data"], [bytes(b).hex() for b in m["buffers"]]]))
    comm.on_close(lambda m: closed.append(m["metadata"]))
`;

/** Another library's target gets its comms, and its messages, as if nobody else were there. */
async function foreign() {
  const here = await page();
  const got = [];
  here.connection.registerCommTarget("foreign", (comm, open) => {
    got.push(open.content.data);
    comm.onMsg = (msg) => {
      got.push(msg.content.data);
      comm.send({ back: msg.content.data.n });
    };
  });
  const code = `${RECORD}\nc = Comm("foreign", {"hello": 1}); record(c); c.send({"n": 1}); c.send({"n": 2})`;
  await run(here, code);
  await run(here, "");
  return {
    got,
    kernel: await run(here, "", "[heard, closed, c.closed]"),
    ours: here.manager.comms.size,
  };
}

/** A comm whose target comes later is delivered then, with what came before; the kernel never saw a close. */
async function early() {
  const here = await page();
  await run(
    here,
    `${RECORD}\nc = Comm("late", {"hello": 1}); record(c); c.send({"n": 1}); c.send({"n": 2})`,
  );
  const before = await run(here, "", "[closed, c.closed]");
  const got = [];
  const done = new Promise((resolve) =>
    here.manager.register_target("late", (comm, open) => {
      got.push(open.content.data);
      comm.on_msg((msg) => got.push(msg.content.data) === 3 && resolve());
      comm.send({ from: "page" });
    }),
  );
  await done;
  await run(here, "");
  return {
    before,
    got,
    after: await run(here, "", "[heard, closed, c.closed]"),
  };
}

/** A part of a larger array is sent as that part, whether our end copies it or gives it away as it is. */
async function subview() {
  const here = await page();
  const code = `${RECORD}\nget_ipython().kernel.comm_manager.register_target("sink", lambda comm, msg: record(comm))`;
  await run(here, code);
  const floats = new Float32Array([1, 2, 3, 4, 5, 6, 7]);
  const part = new Float32Array(floats.buffer, 8, 3);
  const comm = here.manager.new_comm("sink");
  comm.send({ copy: true }, {}, [part]);
  comm.send({ copy: false }, {}, [part], { copy: false });
  await run(here, "");
  const sent = Buffer.from(
    part.buffer,
    part.byteOffset,
    part.byteLength,
  ).toString("hex");
  return { sent, heard: await run(here, "", "heard") };
}

/** After a reload the kernel's comm is offered to the target that is registered again. */
async function reload() {
  const first = await page();
  const opened = new Promise((resolve) =>
    first.manager.register_target("kept", resolve),
  );
  await run(first, `${RECORD}\nc = Comm("kept", {"hello": 1}); record(c)`);
  const before = await opened;
  first.connection.dispose(); // the page is gone, and nobody says goodbye

  const second = await page();
  const again = await new Promise((resolve) =>
    second.manager.register_target("kept", (comm, open) =>
      resolve({ comm, open }),
    ),
  );
  const answer = new Promise((resolve) =>
    again.comm.on_msg((msg) => resolve(msg.content.data)),
  );
  again.comm.send({ after: "reload" });
  await run(second, `c.send({"to": "the new page"})`);
  return {
    same: before.comm_id === again.comm.comm_id,
    open: [again.open.content.data, again.open.metadata.tsushin],
    answer: await answer,
    kernel: await run(second, "", "[heard, closed]"),
  };
}

const SPEAK = `${RECORD}
comms = [Comm(name) for name in ["known", "a", "b", "c", "d"]]
for c in comms: record(c)
for c in comms * 3: c.send({})
`;

/** Comms cost the kernel no subshells, known to the page or not. */
async function subshells() {
  const here = await page();
  here.manager.register_target("known", (comm) => {
    comm.on_msg(() => comm.send({ heard: true }));
  });
  const list = async () =>
    (await here.connection.requestListSubshell({}).done).content.subshell_id;
  const before = await list();
  await run(here, SPEAK);
  await run(here, ""); // what the page had to say is in the kernel
  return {
    before,
    heard: await run(here, "", "len(heard)"),
    after: await list(),
  };
}

say(await { foreign, early, subview, reload, subshells }[scenario]());
manager.dispose();
process.exit(0);
