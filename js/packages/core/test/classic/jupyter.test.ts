import { describe, expect, it } from "vitest";
import { make_jupyter } from "../../src/classic/jupyter.js";
import type { ClassicComm, PageMessage } from "../../src/classic/types.js";
import { connected } from "../frontend/kernel_end.js";
import { settled } from "../pair.js";

async function page() {
  const { frontend, kernel, errors } = await connected();
  const { kernel: pageKernel } = make_jupyter(frontend).notebook;
  return { frontend, kernel, errors, pageKernel, manager: pageKernel.comm_manager };
}

type Page = Awaited<ReturnType<typeof page>>;

/** Open a comm from the kernel, as `Comm(target_name=…)` does. */
function kernelOpens({ kernel }: Page, comm_id: string, data = {}): void {
  kernel.send("iopub", "comm_open", { comm_id, target_name: "t", data });
}

describe("a target", () => {
  it("gets the comm and the message, whose buffers are DataViews", async () => {
    const given = await page();
    const seen: unknown[] = [];
    given.manager.register_target("t", (comm, msg) => {
      seen.push(comm.comm_id, msg.content.data, msg.buffers);
    });
    kernelOpens(given, "c1", { foo: 1 });
    expect(seen).toEqual(["c1", { foo: 1 }, []]);
    expect(Object.keys(given.manager.targets)).toEqual(["t"]);
  });

  it("is forgotten only by its own function", async () => {
    const { manager, frontend } = await page();
    manager.register_target("t", () => undefined);
    manager.unregister_target("t", () => undefined);
    expect(frontend.comm_manager.targets.has("t")).toBe(true);
    manager.unregister_target("t");
    manager.unregister_target("t");
    expect(frontend.comm_manager.targets.has("t")).toBe(false);
  });

  it("keeps its comm in `comms`, as a promise", async () => {
    const given = await page();
    let opened: ClassicComm | undefined;
    given.manager.register_target("t", (comm) => (opened = comm));
    kernelOpens(given, "c1");
    expect(await given.manager.comms.c1).toBe(opened);
  });
});

describe("new_comm", () => {
  it("takes target, data, callbacks, metadata, comm_id, buffers", async () => {
    const { manager, kernel } = await page();
    const comm = manager.new_comm("t", { foo: 6 }, {}, { m: 1 }, "c1", [new ArrayBuffer(2)]);
    const { content, metadata, buffers } = kernel.request("comm_open");
    expect(comm.comm_id).toBe("c1");
    expect(content).toEqual({ comm_id: "c1", target_name: "t", data: { foo: 6 } });
    expect([metadata, buffers[0]?.byteLength]).toEqual([{ m: 1 }, 2]);
  });

  it("needs no more than a name", async () => {
    const { manager, kernel } = await page();
    manager.new_comm("t");
    expect(kernel.request("comm_open").content.data).toEqual({});
  });
});

describe("a comm", () => {
  it("returns the msg_id of what it sends", async () => {
    const { manager, kernel } = await page();
    const comm = manager.new_comm("t");
    const sent = comm.send({ foo: 7 }, null, { m: 1 }, [Uint8Array.of(1)]);
    const message = kernel.request("comm_msg");
    expect(message.header.msg_id).toBe(sent);
    expect(message).toMatchObject({ content: { data: { foo: 7 } }, metadata: { m: 1 } });
    expect(comm.close({ bye: 1 })).toBe(kernel.request("comm_close").header.msg_id);
    expect(comm.close()).toBe("");
  });

  it("sends what JSON.stringify would have sent", async () => {
    const { manager, kernel } = await page();
    const data = { at: new Date(0), gone: undefined, list: [undefined, Number.NaN], f: () => 1 };
    manager.new_comm("t").send(data);
    const plain: unknown = JSON.parse(JSON.stringify(data));
    expect(kernel.request("comm_msg").content.data).toEqual(plain);
  });

  it("hears messages and the close", async () => {
    const { manager, kernel } = await page();
    const comm = manager.new_comm("t");
    const seen: PageMessage[] = [];
    comm.on_msg((msg) => seen.push(msg));
    comm.on_close((msg) => seen.push(msg));
    await settled();
    const { comm_id } = comm;
    kernel.send("iopub", "comm_msg", { comm_id, data: { n: 1 } });
    kernel.send("iopub", "comm_close", { comm_id, data: {} });
    expect(seen.map((msg) => msg.msg_type)).toEqual(["comm_msg", "comm_close"]);
  });

  it("can be dropped and knows its own manager", async () => {
    const { manager, frontend } = await page();
    const comm = manager.new_comm("t");
    expect(manager.register_comm(comm)).toBe(comm.comm_id);
    manager.unregister_comm(comm);
    expect(frontend.comm_manager.comms.size).toBe(0);
    // @ts-expect-error -- what JavaScript callers may do
    expect(() => manager.register_comm({ comm_id: "c1" })).toThrow(TypeError);
  });
});

describe("callbacks", () => {
  it("hear what has their message as its parent, until idle", async () => {
    const { manager, kernel } = await page();
    const seen: string[] = [];
    const hear = (name: string) => (msg: PageMessage) => seen.push(`${name} ${msg.msg_type}`);
    const iopub = { output: hear("output"), status: hear("status"), clear_output: hear("clear") };
    manager.new_comm("t").send({}, { iopub });
    const sent = kernel.request("comm_msg");
    kernel.status("busy", sent);
    kernel.send("iopub", "stream", { name: "stdout", text: "a" }, sent);
    kernel.send("iopub", "clear_output", {}, sent);
    kernel.status("idle", sent);
    kernel.send("iopub", "stream", { name: "stdout", text: "late" }, sent);
    expect(seen).toEqual(["status status", "output stream", "clear clear_output", "status status"]);
  });

  it("of execute hear reply, payload and outputs", async () => {
    const { pageKernel, kernel } = await page();
    const seen: unknown[] = [];
    const reply = (msg: PageMessage) => seen.push(msg.content.status);
    const page_ = (payload: object) => seen.push(payload);
    const msg_id = pageKernel.execute("x", { shell: { reply, payload: { page: page_ } } });
    const request = kernel.request("execute_request");
    expect(request.header.msg_id).toBe(msg_id);
    expect(request.content).toMatchObject({ silent: true, store_history: false });
    kernel.answer({ status: "ok", payload: [{ source: "page" }, { source: "constructor" }] });
    expect(seen).toEqual(["ok", { source: "page" }]);
  });

  it("that throw are reported, and harm nothing", async () => {
    const { manager, kernel, errors } = await page();
    const status = () => {
      throw new Error("no");
    };
    manager.new_comm("t").send({}, { iopub: { status } });
    kernel.status("busy", kernel.request("comm_msg"));
    expect(errors).toEqual([new Error("no")]);
  });

  it("of kernels that never say idle do not pile up", async () => {
    const { manager, kernel } = await page();
    const comm = manager.new_comm("t");
    let heard = 0;
    const callbacks = { iopub: { output: () => (heard += 1) } };
    comm.send({ n: "first" }, callbacks);
    const first = kernel.request("comm_msg");
    for (let n = 0; n < 1000; n++) comm.send({ n }, callbacks);
    kernel.send("iopub", "stream", { text: "a" }, first);
    expect(heard).toBe(0);
  });
});

it("knows its kernel, and whether it is there", async () => {
  const { pageKernel, frontend } = await page();
  expect([pageKernel.id, pageKernel.is_connected()]).toEqual(["k1", true]);
  await frontend.close();
  expect(pageKernel.is_connected()).toBe(false);
});

describe("send_shell_message", () => {
  it("sends any type with metadata and buffers, and its callbacks get the answer", async () => {
    const { pageKernel, kernel } = await page();
    const replies: unknown[] = [];
    const callbacks = { shell: { reply: (msg: PageMessage) => replies.push(msg.content) } };
    const bytes = new Uint8Array([1, 2, 3]).subarray(1);
    const id = pageKernel.send_shell_message("x_request", { a: 1 }, callbacks, { m: 1 }, [bytes]);
    const request = kernel.request("x_request");
    expect([request.header.msg_id, request.content, request.metadata]).toEqual([
      id,
      { a: 1 },
      { m: 1 },
    ]);
    expect(request.buffers.map((view) => [...view])).toEqual([[2, 3]]);
    kernel.send("shell", "x_reply", { status: "ok" }, request);
    expect(replies).toEqual([{ status: "ok" }]);
  });
});
