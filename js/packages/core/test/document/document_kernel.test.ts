import { describe, expect, it } from "vitest";
import type { PageStorage } from "../../src/classic/page_memory.js";
import type { PageMessage } from "../../src/classic/types.js";
import { DocumentKernel } from "../../src/document/document_kernel.js";
import { TARGET } from "../../src/profile/control.js";
import type { JsonObject } from "../../src/protocol/messages.js";
import { Connection } from "../lab_connection.js";
import { settled } from "../pair.js";
import { tabs } from "../storage.js";

/** A document of a page that was just loaded. */
function load(storage: PageStorage = tabs(1)[0]) {
  const errors: unknown[] = [];
  const document = new DocumentKernel({
    document: "a.ipynb",
    storage,
    on_error: (error) => errors.push(error),
  });
  const script = (code: string) => document.jupyterFor(code).notebook.kernel.comm_manager;
  return { document, errors, script, manager: document.jupyter.notebook.kernel.comm_manager };
}

type Loaded = ReturnType<typeof load>;

/** Connect the document; the kernel says that it has these comms open. */
async function connect(
  { document }: Loaded,
  comms: JsonObject = {},
  connection = new Connection(),
) {
  document.connect(connection);
  const { header } = connection.last("comm_info_request");
  connection.arrive("shell", "comm_info_reply", { status: "ok", comms }, header);
  await settled();
  return connection;
}

/** Register a target that notes what it is given. */
function noting({ manager }: Loaded, target_name = "t"): unknown[] {
  const seen: unknown[] = [];
  manager.register_target(target_name, (comm, open) => {
    seen.push([comm.comm_id, open.metadata]);
    comm.on_msg((msg: PageMessage) => seen.push(msg.content.data));
    comm.on_close((msg: PageMessage) => seen.push(msg.metadata));
  });
  return seen;
}

describe("before there is a kernel", () => {
  it("keeps targets, and sends what was opened and said, in order", async () => {
    const loaded = load();
    const seen = noting(loaded);
    const { kernel } = loaded.document.jupyter.notebook;
    expect([kernel.is_connected(), kernel.id]).toEqual([false, ""]);
    loaded.manager.new_comm("in-kernel").send({ n: 1 });
    const connection = await connect(loaded);
    expect(connection.types()).toEqual(["comm_open", "comm_msg", "comm_info_request"]);
    expect([kernel.is_connected(), kernel.id]).toEqual([true, "k1"]);
    await connection.opens("c1", "t");
    expect(seen).toEqual([["c1", {}]]);
  });
});

describe("a target that is registered after the kernel opened its comm", () => {
  it("gets the comm with its messages; nothing is sent meanwhile", async () => {
    const loaded = load();
    const connection = await connect(loaded);
    await connection.opens("c1", "t");
    connection.arrive("iopub", "comm_msg", { comm_id: "c1", data: { n: 1 } });
    const seen = noting(loaded);
    expect(seen).toEqual([]);
    await settled();
    expect(seen).toEqual([["c1", {}], { n: 1 }]);
    expect([connection.types(), connection.handled]).toEqual([["comm_info_request"], []]);
  });
});

describe("a kernel that ends", () => {
  it.each([
    ["restarting", "the kernel was restarted"],
    ["autorestarting", "the kernel was restarted"],
    ["dead", "the kernel died"],
  ])("by %s: on_close says why, targets stay, the next open works", async (status, lost) => {
    const loaded = load();
    const seen = noting(loaded);
    const connection = await connect(loaded);
    await connection.opens("c1", "t");
    connection.statusChanged.emit(status);
    await connection.opens("c2", "t");
    expect(seen).toEqual([["c1", {}], { tsushin: { lost } }, ["c2", {}]]);
    expect(loaded.errors).toEqual([]);
  });

  it("because another one was chosen: its comms are lost, the other is heard", async () => {
    const loaded = load();
    const seen = noting(loaded);
    const connection = await connect(loaded);
    await connection.opens("c1", "t");
    const other = await connect(loaded, {}, new Connection("k2"));
    await connection.opens("c2", "t");
    await other.opens("c3", "t");
    expect(seen).toEqual([
      ["c1", {}],
      { tsushin: { lost: "the kernel was shut down" } },
      ["c3", {}],
    ]);
    loaded.document.connect(null);
    expect(loaded.document.jupyter.notebook.kernel.is_connected()).toBe(false);
  });
});

describe("after a reload of the page", () => {
  /** A script opened a comm, then the page was reloaded and the saved script ran again. */
  async function reloaded() {
    const [tab] = tabs(1);
    const before = load(tab);
    await connect(before);
    const { comm_id } = before.script("code").new_comm("in-kernel");
    const after = load(tab);
    const comm = after.script("code").new_comm("in-kernel");
    comm.send({ n: 1 });
    return { comm_id, comm, after };
  }

  it("goes on with the script's comm where the kernel has it", async () => {
    const { comm_id, comm, after } = await reloaded();
    const connection = await connect(after, { [comm_id]: { target_name: "in-kernel" } });
    expect(comm.comm_id).toBe(comm_id);
    expect(connection.types()).toEqual(["comm_info_request", "comm_msg"]);
  });

  it("opens it where the kernel does not have it, and where it does not say", async () => {
    const { after } = await reloaded();
    expect((await connect(after)).types()).toEqual(["comm_info_request", "comm_open", "comm_msg"]);
    const other = (await reloaded()).after;
    const connection = new Connection();
    other.document.connect(connection);
    connection.statusChanged.emit("restarting");
    await settled();
    expect(connection.types()).toEqual(["comm_info_request", "comm_open", "comm_msg"]);
  });

  it("opens anew where the kernel has closed it before", async () => {
    const [tab] = tabs(1);
    const before = load(tab);
    const connection = await connect(before);
    const { comm_id } = before.script("code").new_comm("in-kernel");
    await connection.closes(comm_id);
    expect(load(tab).script("code").new_comm("in-kernel").comm_id).not.toBe(comm_id);
  });

  it("offers the kernel's comms to targets: not those of pages, nor of widget libraries", async () => {
    const [tab, other] = tabs(2);
    const elsewhere = load(other);
    await connect(elsewhere);
    const { comm_id } = elsewhere.script("code").new_comm("t");
    const after = load(tab);
    const seen = noting(after);
    noting(after, "jupyter.widget");
    const connection = new Connection();
    connection._targetRegistry["jupyter.widget"] = () => undefined;
    const open = { [comm_id]: "t", c1: "t", w1: "jupyter.widget", c2: "later" };
    const comms = Object.entries(open).map(([id, target_name]) => [id, { target_name }]);
    await connect(after, Object.fromEntries(comms) as JsonObject, connection);
    const { header } = connection.last("comm_info_request"); // a plain kernel
    connection.arrive("shell", "comm_info_reply", { status: "ok", comms: {} }, header);
    await settled();
    expect(seen).toEqual([["c1", { tsushin: { restored: true } }]]);
    connection.arrive("iopub", "comm_msg", { comm_id: "c2", data: { n: 2 } });
    const later = noting(after, "later");
    await settled();
    expect(later).toEqual([["c2", { tsushin: { restored: true } }], { n: 2 }]);
    expect(connection.types()).toEqual(["comm_info_request"]);
  });
});

it("offers nothing of a kernel that was changed while it was asked", async () => {
  const loaded = load();
  const seen = noting(loaded);
  await connect(loaded, { c1: { target_name: "t" } }); // and is asked for the profile
  const next = await connect(loaded);
  const { header } = next.last("comm_info_request");
  next.arrive("shell", "comm_info_reply", { status: "ok", comms: {} }, header); // a plain kernel
  await settled();
  expect(seen).toEqual([]);
});

describe("a document that is closed", () => {
  it("closes what its page opened, and nothing else", async () => {
    const loaded = load();
    noting(loaded);
    const connection = await connect(loaded);
    await connection.opens("c1", "t");
    const { comm_id } = loaded.manager.new_comm("in-kernel");
    loaded.document.dispose();
    await settled();
    const closes = connection.sent.filter((_, i) => connection.types()[i] === "comm_close");
    expect(closes.map(({ content }) => (content as JsonObject).comm_id)).toEqual([comm_id]);
  });
});

it("looks for a kernel end that knows the profile once the kernel's comms are known", async () => {
  const loaded = load();
  const connection = await connect(loaded);
  const look = connection.last("comm_info_request");
  expect(look.content).toEqual({ target_name: TARGET });
  const comms = { [TARGET]: { target_name: TARGET } };
  connection.arrive("shell", "comm_info_reply", { status: "ok", comms }, look.header);
  await settled();
  const { target_name, data } = connection.last("comm_open").content as JsonObject;
  expect([target_name, data]).toEqual([TARGET, expect.objectContaining({ profile: 1 })]);
});
