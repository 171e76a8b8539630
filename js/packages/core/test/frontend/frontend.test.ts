import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ExecutionError,
  KernelGone,
  NoPeer,
  TransportClosed,
  TransportLost,
  Unsupported,
} from "../../src/errors.js";
import { TARGET, controlId } from "../../src/profile/control.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import type { KernelHost } from "../../src/frontend/options.js";
import type { LiveOutput } from "../../src/frontend/types.js";
import type { Transport } from "../../src/transports/base.js";
import { MemoryTransport } from "../../src/transports/memory.js";
import { settled } from "../pair.js";
import { KernelEnd, connected } from "./kernel_end.js";

describe("execute", () => {
  it.each([
    ["reply before idle", ["reply", "idle"]],
    ["idle before reply", ["idle", "reply"]],
  ])("ends with both reply and idle, %s", async (_what, order) => {
    const { frontend, kernel } = await connected();
    const result = frontend.execute("1 + 1");
    const request = kernel.request("execute_request");
    let isOver = false;
    void result.then(() => (isOver = true));
    for (const step of order) {
      await settled();
      expect(isOver).toBe(false);
      if (step === "idle") kernel.status("idle", request);
      else kernel.send("shell", "execute_reply", { status: "ok", execution_count: 3 }, request);
    }
    expect(await result).toMatchObject({ status: "ok", execution_count: 3, result: null });
  });

  it("collects output, live and in the end", async () => {
    const { frontend, kernel } = await connected();
    const live: LiveOutput[] = [];
    const result = frontend.execute("code", { on_output: (output) => live.push(output) });
    const request = kernel.request("execute_request");
    kernel.send("iopub", "stream", { name: "stdout", text: "a" }, request);
    kernel.send("iopub", "stream", { name: "stdout", text: "b" }, request);
    kernel.send("iopub", "stream", { name: "stderr", text: "e" }, request);
    const data = { "text/plain": "2" };
    kernel.send("iopub", "execute_result", { data, metadata: {}, execution_count: 1 }, request);
    kernel.answer();
    const { stdout, stderr, result: value, outputs } = await result;
    expect([stdout, stderr, value]).toEqual(["ab", "e", "2"]);
    expect(outputs.map((one) => one.output_type)).toEqual(["stream", "stream", "execute_result"]);
    expect(live.map((one) => one.output_type)).toHaveLength(4);
  });

  it("asks for what the options say", async () => {
    const { frontend, kernel } = await connected();
    frontend.execute("x", { silent: true }).catch(() => undefined);
    expect(kernel.request("execute_request").content).toEqual({
      code: "x",
      silent: true,
      store_history: false,
      stop_on_error: false,
      user_expressions: {},
      allow_stdin: false,
    });
  });

  it("rejects with what the code raised", async () => {
    const { frontend, kernel } = await connected();
    const result = frontend.execute("1/0");
    kernel.answer({ status: "error", ename: "ZeroDivisionError", evalue: "no", traceback: ["t"] });
    await expect(result).rejects.toThrow(ExecutionError);
    const facts = { name: "ZeroDivisionError", value: "no", traceback: ["t"] };
    await expect(result).rejects.toMatchObject(facts);
  });

  it("rejects as aborted where an earlier request raised", async () => {
    const { frontend, kernel } = await connected();
    const result = frontend.execute("x");
    kernel.answer({ status: "aborted" });
    await expect(result).rejects.toMatchObject({ code: "execution_error", name: "Aborted" });
  });

  it("takes output of its own request only", async () => {
    const { frontend, kernel } = await connected();
    const result = frontend.execute("x");
    kernel.send("iopub", "stream", { name: "stdout", text: "other" });
    kernel.answer();
    expect((await result).stdout).toBe("");
  });

  it("that times out or is aborted stops waiting", async () => {
    const { frontend } = await connected();
    const late = frontend.execute("x", { timeout: 0.001 });
    await expect(late).rejects.toMatchObject({ name: "TimeoutError" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(frontend.execute("x", { signal })).rejects.toThrow("enough");
  });

  it("that times out says what was still missing", async () => {
    const { frontend, kernel } = await connected();
    const late = frontend.execute("x", { timeout: 0.05 });
    kernel.status("idle", kernel.request("execute_request"));
    await expect(late).rejects.toThrow("execute (no reply, idle): not within 0.05 s");
  });

  it("keeps going when on_output throws, and reports it", async () => {
    const { frontend, kernel, errors } = await connected();
    const on_output = () => {
      throw new Error("no");
    };
    const result = frontend.execute("x", { on_output });
    const request = kernel.request("execute_request");
    kernel.send("iopub", "stream", { name: "stdout", text: "a" }, request);
    kernel.answer();
    expect((await result).stdout).toBe("a");
    expect(errors).toEqual([new Error("no")]);
  });
});

describe("the end of the kernel", () => {
  it.each([
    ["a restart the server tells of", "restarted", false],
    ["a kernel that says goodbye before a restart", "restarted", false],
    ["a new process behind the same link", "restarted", false],
    ["a death", "died", true],
    ["a shutdown", "shut down", true],
  ])("by %s ends every wait with KernelGone", async (how, why, isOver) => {
    const { frontend, kernel } = await connected();
    const closes: unknown[] = [];
    frontend.comm_manager.new_comm("t").on_close(({ metadata }) => closes.push(metadata));
    await settled();
    const waits = [frontend.execute("x"), frontend.comms(), frontend.expect_open("t")];
    const refused = waits.map((wait) => expect(wait).rejects.toMatchObject({ why }));
    if (how.startsWith("a restart")) kernel.status("restarting");
    if (how.startsWith("a kernel")) kernel.send("iopub", "shutdown_reply", { restart: true });
    if (how.startsWith("a new process")) kernel.session = "kernel-2";
    if (how.startsWith("a new process")) kernel.status("starting");
    if (how === "a death") kernel.status("dead");
    if (how === "a shutdown") kernel.send("iopub", "shutdown_reply", { restart: false });
    await Promise.all(refused);
    expect(closes).toHaveLength(1);
    expect(frontend.closed).toBe(isOver);
    if (isOver) await expect(frontend.execute("x")).rejects.toThrow(KernelGone);
  });

  it("by a restart is told once, and the next process serves", async () => {
    const { frontend, kernel } = await connected();
    kernel.send("iopub", "shutdown_reply", { restart: true });
    const result = frontend.execute("x");
    kernel.status("idle"); // still the old process
    kernel.session = "kernel-2";
    kernel.status("starting");
    kernel.answer();
    expect((await result).status).toBe("ok");
  });

  it("is not seen in the same kernel's first words that arrive late", async () => {
    const { frontend, kernel } = await connected();
    const comm = frontend.comm_manager.new_comm("t");
    kernel.status("starting");
    expect(comm.closed).toBe(false);
  });
});

describe("the end of the link", () => {
  it("by closing rejects what waits; comms opened here are closed at the kernel", async () => {
    const { frontend, kernel } = await connected();
    const comm = frontend.comm_manager.new_comm("t");
    const waiting = frontend.execute("x");
    const refused = expect(waiting).rejects.toThrow(TransportClosed);
    await frontend.close();
    await frontend.close();
    await refused;
    expect(kernel.request("comm_close").content.comm_id).toBe(comm.comm_id);
    expect([frontend.closed, frontend.status, comm.closed_by]).toEqual([
      true,
      "disconnected",
      "here",
    ]);
    await expect(frontend.execute("x")).rejects.toThrow(TransportClosed);
    await expect(frontend.expect_open("t")).rejects.toThrow(TransportClosed);
    expect(() => frontend.comm_manager.new_comm("t")).toThrow(TransportClosed);
  });

  it("by a break loses comms and ends waits", async () => {
    const { frontend, kernel } = await connected();
    const comm = frontend.comm_manager.new_comm("t");
    const waiting = frontend.comms();
    const refused = expect(waiting).rejects.toThrow(TransportLost);
    kernel.transport.cut();
    await refused;
    expect(comm.closed_by).toBe("lost");
  });

  it("tells the kernel why it closes the comms opened here, and leaves the others", async () => {
    const { frontend, kernel } = await connected();
    const { comm_id } = frontend.comm_manager.new_comm("t");
    await frontend.close();
    const { content, metadata } = kernel.request("comm_close");
    expect(content.comm_id).toBe(comm_id);
    expect(metadata).toEqual({ reason: "the frontend was closed" });
  });

  it("ends the kernel that was started with it", async () => {
    const ended: string[] = [];
    const host = {
      isThere: () => Promise.resolve(true),
      interrupt: () => Promise.resolve(),
      restart: () => Promise.resolve(),
      shutdown: () => Promise.resolve(void ended.push("kernel")),
    };
    const { frontend } = await connected({ host });
    await frontend[Symbol.asyncDispose]();
    frontend.dispose();
    expect(ended).toEqual(["kernel"]);
  });
});

it("tells a trace of every message, sent and received, in order", async () => {
  const seen: [string, string][] = [];
  let last = 0;
  const trace = (direction: string, message: Message, at_ms: number) => {
    expect(at_ms).toBeGreaterThanOrEqual(last);
    last = at_ms;
    seen.push([direction, message.header.msg_type]);
  };
  const { frontend, kernel } = await connected({ trace });
  frontend.comm_manager.new_comm("t");
  kernel.status("busy");
  expect(seen).toEqual([
    ["sent", "kernel_info_request"],
    ["sent", "kernel_info_request"],
    ["received", "kernel_info_reply"],
    ["sent", "comm_open"],
    ["received", "status"],
  ]);
});

it("tells the kernel's status when it changes", async () => {
  const seen: string[] = [];
  const { kernel } = await connected({ on_status: (status) => seen.push(status) });
  for (const status of ["busy", "busy", "idle", "nonsense"]) kernel.status(status);
  expect(seen).toEqual(["busy", "idle"]);
});

it("works on when trace and on_status throw, and reports it", async () => {
  const fail = () => {
    throw new Error("no");
  };
  const { frontend, kernel, errors } = await connected({ trace: fail, on_status: fail });
  kernel.status("busy");
  const result = frontend.execute("x");
  kernel.answer();
  expect((await result).status).toBe("ok");
  expect(errors.length).toBeGreaterThan(3);
});

it("interrupts by a message where no server can", async () => {
  const { frontend, kernel } = await connected();
  const interrupted = frontend.interrupt();
  const request = kernel.request("interrupt_request");
  kernel.send("control", "interrupt_reply", { status: "ok" }, request);
  await interrupted;
  expect(request.channel).toBe("control");
  await expect(frontend.restart()).rejects.toThrow(Unsupported);
});

it("remembers nothing of a request that is answered", async () => {
  const { frontend, kernel } = await connected();
  const result = frontend.execute("x");
  const request = kernel.request("execute_request");
  kernel.answer();
  await result;
  const seen: unknown[] = [];
  frontend.watch("other", { message: (one) => seen.push(one), end: () => undefined });
  kernel.send("iopub", "stream", { name: "stdout", text: "late" }, request);
  expect(seen).toEqual([]);
});

it("finds targets by their module where it was told how", async () => {
  const asked: string[][] = [];
  const ran = new Promise((resolve) => {
    const load_target = (...names: string[]) => {
      asked.push(names);
      return Promise.resolve(resolve);
    };
    void connected({ load_target }).then(({ kernel }) => {
      const target = { target_name: "t", target_module: "./m.js" };
      kernel.send("iopub", "comm_open", { comm_id: "c1", ...target, data: {} });
    });
  });
  expect(await ran).toMatchObject({ comm_id: "c1" });
  expect(asked).toEqual([["./m.js", "t"]]);
});

it("restore offers the kernel's open comms to the targets registered here", async () => {
  const { frontend, kernel } = await connected();
  const opened: unknown[] = [];
  frontend.comm_manager.register_target("t", (comm, msg) => {
    opened.push([comm.comm_id, msg.content.data, msg.metadata]);
  });
  const restored = frontend.restore();
  const request = kernel.request("comm_info_request");
  const comms = { c1: { target_name: "t" }, c2: { target_name: "other" } };
  kernel.send("shell", "comm_info_reply", { status: "ok", comms }, request);
  await settled();
  const look = kernel.request("comm_info_request"); // a plain kernel
  kernel.send("shell", "comm_info_reply", { status: "ok", comms: {} }, look);
  expect(await restored).toEqual(["c1"]);
  expect(opened).toEqual([["c1", {}, { tsushin: { restored: true } }]]);
});

describe("look", () => {
  const ours = { [TARGET]: { target_name: TARGET } };

  /** Look, and be told that the kernel has these comms to the profile's target. */
  async function looked({ frontend, kernel }: Connected, comms: JsonObject) {
    const looking = frontend.look();
    const request = kernel.request("comm_info_request");
    expect(request.content).toEqual({ target_name: TARGET });
    kernel.send("shell", "comm_info_reply", { status: "ok", comms }, request);
    await looking;
  }

  /** The kernel end answers the hello. */
  function answers({ frontend, kernel }: Connected, epoch = "e1") {
    const comm_id = controlId(frontend.session);
    const data = { profile: 1, session: kernel.session, epoch };
    kernel.send("iopub", "comm_msg", { comm_id, data });
  }

  type Connected = Awaited<ReturnType<typeof connected>>;

  it("says hello where the kernel has an end that knows the profile", async () => {
    const both = await connected();
    await looked(both, ours);
    const { content } = both.kernel.request("comm_open");
    expect(content).toMatchObject({ target_name: TARGET, data: { profile: 1 } });
    answers(both);
    expect(both.frontend.comm_manager.peers.map(({ session }) => session)).toEqual(["kernel-1"]);
  });

  it("says no second hello where a message of the kernel end was here first", async () => {
    const both = await connected();
    const { frontend, kernel } = both;
    const hellos = () =>
      kernel.received.filter(({ content }) => content.comm_id === controlId(frontend.session));
    kernel.send("iopub", "comm_msg", { comm_id: TARGET, data: { profile: 1 } });
    const looking = frontend.look();
    expect(hellos()).toHaveLength(1);
    const request = kernel.request("comm_info_request");
    kernel.send("shell", "comm_info_reply", { status: "ok", comms: ours }, request);
    await looking;
    expect(hellos()).toHaveLength(1);
    frontend.comm_manager.sessions.leave();
    await looked(both, ours);
    expect(hellos().map(({ header }) => header.msg_type)).toEqual([
      "comm_open",
      "comm_close",
      "comm_open",
    ]);
  });

  it("lets nobody wait for a peer where it has none", async () => {
    const both = await connected();
    const asked = both.frontend.comm_manager.new_comm("t").request("x");
    await looked(both, {});
    await expect(asked).rejects.toBeInstanceOf(NoPeer);
    expect(
      both.kernel.received.filter(({ content }) => content.target_name === TARGET),
    ).toHaveLength(1);
  });

  it("lets nobody wait where the kernel's answer is none", async () => {
    const both = await connected();
    const asked = both.frontend.comm_manager.new_comm("t").request("x");
    const looking = both.frontend.look();
    const reply = { status: "error", ename: "E", evalue: "no comms here" };
    both.kernel.send("shell", "comm_info_reply", reply, both.kernel.request("comm_info_request"));
    await looking;
    await expect(asked).rejects.toBeInstanceOf(NoPeer);
  });

  it("does not run in the next kernel what still waits when the kernel is restarted", async () => {
    const both = await connected();
    const { frontend, kernel } = both;
    await looked(both, ours);
    answers(both);
    const comm = frontend.comm_manager.new_comm("t");
    for (let n = 0; n < 1000; n += 1) comm.send({ n }); // more than may be under way
    const waiting = frontend.execute("1");
    const refused = expect(waiting).rejects.toMatchObject({ why: "restarted" });
    await settled();
    kernel.status("restarting");
    await refused;
    await settled();
    expect(() => kernel.request("execute_request")).toThrow("no execute_request");
    const next = frontend.execute("2");
    await settled();
    kernel.answer();
    await expect(next).resolves.toMatchObject({ status: "ok" });
  });

  it("finds that the kernel is another one, where it had such an end before", async () => {
    const both = await connected();
    await looked(both, ours);
    answers(both);
    const comm = both.frontend.comm_manager.new_comm("t");
    const waiting = comm.expect_msg();
    await looked(both, {});
    await expect(waiting).rejects.toMatchObject({ why: "restarted" });
    expect([comm.closed_by, both.frontend.comm_manager.peers]).toEqual(["lost", []]);
  });

  it("goes by who is there when the answer comes", async () => {
    const both = await connected();
    const { frontend, kernel } = both;
    await looked(both, ours);
    answers(both);
    const looking = frontend.look();
    const comm = frontend.comm_manager.new_comm("t");
    kernel.send("iopub", "comm_close", { comm_id: controlId(frontend.session), data: {} });
    const comms = {};
    const request = kernel.request("comm_info_request");
    kernel.send("shell", "comm_info_reply", { status: "ok", comms }, request);
    await looking;
    expect(comm.closed).toBe(false);
  });

  it("is no error where nobody answers any more", async () => {
    const { frontend, kernel } = await connected();
    const looking = frontend.look();
    kernel.transport.cut();
    await looking;
  });
});

it("says goodbye when it is closed", async () => {
  const { frontend, kernel } = await connected();
  frontend.comm_manager.sessions.join();
  await frontend.close();
  expect(kernel.request("comm_close").content.comm_id).toBe(controlId(frontend.session));
});

describe("a link that broke while there was a session", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A frontend with a session, and how it gets a new link: `links` are what the next tries give. */
  async function joined() {
    const links: Transport[] = [];
    const host: KernelHost = {
      isThere: () => Promise.resolve(true),
      reconnect: () => {
        const link = links.shift();
        return link === undefined ? Promise.reject(new Error("down")) : Promise.resolve(link);
      },
      interrupt: () => Promise.resolve(),
      restart: () => Promise.resolve(),
    };
    const statuses: string[] = [];
    const on_status = (status: string) => void statuses.push(status);
    const { frontend, kernel } = await connected({ host, on_status });
    frontend.comm_manager.sessions.join();
    const data = { profile: 1, session: kernel.session, epoch: "e1" };
    kernel.send("iopub", "comm_msg", { comm_id: controlId(frontend.session), data });
    return { frontend, kernel, host, links, statuses };
  }

  it("is given up after 60 s: every comm is lost, and every wait ends", async () => {
    const { frontend, kernel, statuses } = await joined();
    const comm = frontend.comm_manager.new_comm("t");
    const closes: JsonObject[] = [];
    comm.on_close(({ metadata }) => closes.push(metadata));
    const waits = [
      comm.request("x"),
      comm.drain({ timeout: Infinity }),
      frontend.expect_open("t", Infinity),
    ];
    const ended = Promise.allSettled(waits);
    kernel.transport.cut();
    await vi.advanceTimersByTimeAsync(59_000);
    expect([frontend.closed, comm.closed, statuses]).toEqual([false, false, []]);
    await vi.advanceTimersByTimeAsync(1000);
    expect([frontend.closed, statuses]).toEqual([true, ["disconnected"]]);
    expect(closes).toEqual([{ tsushin: { lost: "the link was lost" } }]);
    expect((await ended).map(({ status }) => status)).toEqual([
      "rejected",
      "fulfilled", // nothing is under way any more
      "rejected",
    ]);
    await expect(frontend.execute("x")).rejects.toThrow(TransportLost);
  });

  it("runs code after the comm messages that were sent before, also those that wait", async () => {
    const { frontend, kernel } = await joined();
    const comm = frontend.comm_manager.new_comm("t");
    for (let n = 0; n < 2; n += 1) comm.send({ n }, null, [new Uint8Array(5 * 2 ** 20)]);
    frontend.execute("1").catch(() => undefined);
    frontend.execute("2").catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    const types = () => kernel.received.slice(-4).map(({ header }) => header.msg_type);
    expect(types()).not.toContain("execute_request");
    const seen = { [comm.comm_id]: 2 };
    const comm_id = controlId(frontend.session);
    kernel.send("iopub", "comm_msg", { comm_id, data: { seen } });
    frontend.execute("3").catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    const runs = kernel.received.filter(({ header }) => header.msg_type === "execute_request");
    expect(runs.map(({ content }) => content.code)).toEqual(["1", "2", "3"]);
    expect(types().slice(0, 1)).toEqual(["comm_msg"]);
    await frontend.close();
  });

  it("is told at once where there is no way back", async () => {
    const { frontend, kernel, host } = await joined();
    host.reconnect = undefined;
    kernel.transport.cut();
    expect(frontend.closed).toBe(true);
  });

  it("leaves the kernel end's time to answer as it was", async () => {
    const { frontend, kernel, links } = await joined();
    const comm = frontend.comm_manager.new_comm("t");
    await vi.advanceTimersByTimeAsync(80_000); // the kernel end says nothing
    kernel.transport.cut();
    await vi.advanceTimersByTimeAsync(50_000); // in all it would be gone by now
    expect(frontend.comm_manager.peers).toHaveLength(1);
    comm.send({ n: 1 });
    const [link, there] = MemoryTransport.pair();
    const next = new KernelEnd(there);
    links.push(link);
    await vi.advanceTimersByTimeAsync(2000);
    expect([comm.closed, frontend.closed]).toEqual([false, false]);
    const look = next.request("comm_info_request");
    expect(look.content).toEqual({ target_name: TARGET });
    next.send("shell", "comm_info_reply", { comms: { [TARGET]: { target_name: TARGET } } }, look);
    await vi.advanceTimersByTimeAsync(126_000);
    expect(frontend.comm_manager.peers).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(frontend.comm_manager.peers).toEqual([]);
    await frontend.close();
  });

  it("ends with the frontend that is closed", async () => {
    const { frontend, kernel } = await joined();
    const comm = frontend.comm_manager.new_comm("t");
    kernel.transport.cut();
    comm.send({ n: 1 });
    await frontend.close();
    expect([comm.closed_by, frontend.closed]).toEqual(["here", true]);
    await expect(frontend.execute("x")).rejects.toThrow(TransportClosed);
  });
});
