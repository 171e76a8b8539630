import { afterEach, describe, expect, it, vi } from "vitest";
import { RemoteProtocolError, TransportLost, UnknownTarget } from "../src/errors.js";
import { Comm } from "../src/comm.js";
import { DEFAULT_LIMITS } from "../src/protocol/limits.js";
import { newHeader, newMessage } from "../src/protocol/messages.js";
import { CommManager } from "../src/manager.js";
import type { LoadTarget, Target } from "../src/manager.js";
import { PageRuntime } from "../src/runtime.js";
import type { PairOptions } from "./pair.js";
import { commPair, openPair, settled } from "./pair.js";

const closeOf = (comm: Comm) =>
  new Promise<{ metadata: unknown; data: unknown }>((resolve) => {
    comm.on_close(({ metadata, content }) => resolve({ metadata, data: content.data }));
  });

describe("register_target", () => {
  it("returns its function and runs it with the comm and the message", () => {
    const { kernel, frontend } = commPair();
    const seen: unknown[] = [];
    const target = kernel.manager.register_target("t", (comm, msg) => {
      seen.push(comm.target_name, msg.content.data);
    });
    frontend.manager.new_comm("t", { foo: 1 });
    expect(seen).toEqual(["t", { foo: 1 }]);
    expect(kernel.manager.unregister_target("t")).toBe(target);
  });

  it("refuses what is no function, and the wrong function when unregistering", () => {
    const { manager } = commPair().kernel;
    // @ts-expect-error -- what JavaScript callers may do
    expect(() => manager.register_target("t", "text")).toThrow(TypeError);
    manager.register_target("t", () => undefined);
    expect(() => manager.unregister_target("t", () => undefined)).toThrow(RangeError);
    expect(() => manager.unregister_target("other")).toThrow(RangeError);
  });

  it.each([
    [
      "throws",
      () => {
        throw new RangeError("no");
      },
    ],
    ["rejects", () => Promise.reject(new RangeError("no"))],
  ])("of a target that %s closes the comm with the reason", async (_how, target) => {
    const { kernel, frontend } = commPair();
    kernel.manager.register_target("t", target);
    const closed = await closeOf(frontend.manager.new_comm("t"));
    const error = { code: "remote_error", name: "RangeError", message: "no" };
    expect(closed).toEqual({ metadata: { tsushin: { error } }, data: {} });
    expect(String(kernel.errors[0])).toContain("target of comm");
  });
});

describe("an unknown target", () => {
  it("is closed by a kernel, with the reason and without an echo", async () => {
    const { kernel, frontend } = commPair();
    const closed = await closeOf(frontend.manager.new_comm("nobody", { secret: 1 }));
    expect(closed.data).toEqual({});
    expect(closed.metadata).toMatchObject({ tsushin: { error: { code: "unknown_target" } } });
    expect(kernel.errors[0]).toBeInstanceOf(UnknownTarget);
  });

  it("is left to others by a frontend that attached", async () => {
    const { kernel, frontend } = commPair({ on_unknown: "ignore" });
    const comm = kernel.manager.new_comm("nobody");
    await settled();
    expect(comm.closed).toBe(false);
    expect([frontend.manager.unknown, frontend.errors]).toEqual([1, []]);
  });
});

it("reports malformed messages and works on", async () => {
  const { kernel, here, there, frontend } = await openPair();
  const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
  for (const content of [{}, { comm_id: 3 }, { comm_id: here.comm_id, data: [1] }]) {
    frontend.transport.send(newMessage("shell", header, { content }));
  }
  expect(kernel.errors).toHaveLength(3);
  const next = here.expect_msg();
  there.send({ n: 1 });
  expect((await next).content.data).toEqual({ n: 1 });
});

it("drops a message whose binary entries are malformed, and reports it", async () => {
  const { kernel, here, frontend } = await openPair();
  const header = newHeader("comm_msg", { msg_id: "m", session: "s", now_ms: 0 });
  const metadata = { tsushin: { bin: [{ path: ["a"], buffer: 7, kind: "bytes" }] } };
  const content = { comm_id: here.comm_id, data: { a: null } };
  frontend.transport.send(newMessage("shell", header, { content, metadata }));
  expect(kernel.errors[0]).toBeInstanceOf(RemoteProtocolError);
  await expect(here.expect_msg(0.001)).rejects.toMatchObject({ name: "TimeoutError" });
});

it("tells every comm and every wait when the link is lost", async () => {
  const { frontend, there } = await openPair();
  const opened = frontend.manager.expect_open("later");
  const message = there.expect_msg();
  const closed = closeOf(there);
  frontend.transport.cut();
  expect(await closed).toMatchObject({ metadata: { tsushin: { lost: "the link was cut" } } });
  await expect(opened).rejects.toThrow(TransportLost);
  await expect(message).rejects.toThrow(TransportLost);
  expect(there.closed_by).toBe("lost");
});

it("keeps nothing open where the open could not leave", () => {
  const { frontend } = commPair();
  frontend.transport.close();
  expect(() => frontend.manager.new_comm("t")).toThrow();
  expect(frontend.manager.comms.size).toBe(0);
});

it("adopts, lists and drops comms", () => {
  const { kernel } = commPair();
  const { manager } = kernel;
  const comm = new Comm("t", null, null, null, "c1", false, null, { manager });
  expect(manager.register_comm(comm)).toBe("c1");
  expect(manager.comm_info()).toEqual({ status: "ok", comms: { c1: { target_name: "t" } } });
  expect(manager.unregister_comm(comm)).toBe(comm);
  expect(() => manager.unregister_comm(comm)).toThrow(RangeError);
});

it("drops only the comm that is registered, and ends what waits for it", async () => {
  const { kernel, here } = await openPair();
  const { manager } = kernel;
  const options = { manager };
  const other = new Comm("t", null, null, null, here.comm_id, false, null, options);
  expect(() => manager.unregister_comm(other)).toThrow(RangeError);
  const waiting = here.expect_msg();
  manager.unregister_comm(here);
  await expect(waiting).rejects.toMatchObject({ code: "comm_closed", closed_by: "here" });
});

it("reports a fault whose answer cannot leave", () => {
  const { kernel } = commPair();
  kernel.transport.close();
  const header = newHeader("comm_open", { msg_id: "m", session: "s", now_ms: 0 });
  const content = { comm_id: "c1", target_name: "nobody", data: {} };
  kernel.manager.receive(newMessage("shell", header, { content }));
  expect(kernel.errors).toEqual([expect.any(UnknownTarget)]);
});

it("drops the oldest unread messages above the limit, and counts them", async () => {
  const limits = { ...DEFAULT_LIMITS, max_kept_messages: 2 };
  const { here, there } = await openPair(commPair({ limits }));
  for (const n of [1, 2, 3]) there.send({ n });
  expect(here._delivery.dropped).toBe(1);
  expect((await here.expect_msg()).content.data).toEqual({ n: 2 });
});

describe("a target given by its module", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A pair whose frontend loads modules when the test says so. */
  function loading(options: PairOptions = {}) {
    let loaded!: (target: Target) => void;
    let failed!: (error: unknown) => void;
    const asked: string[][] = [];
    const load_target = (target_module: string, target_name: string) => {
      asked.push([target_module, target_name]);
      return new Promise<Target>((resolve, reject) => ([loaded, failed] = [resolve, reject]));
    };
    const pair = commPair({ load_target, ...options });
    const opens = (target_name = "t", module: string | null = "./m.js") =>
      new Comm(target_name, { x: 1 }, null, null, null, true, module, {
        manager: pair.kernel.manager,
      });
    const finish = (target: Target) => loaded(target);
    return { ...pair, asked, opens, finish, fail: (error: unknown) => failed(error) };
  }

  it("runs when it is loaded, and then gets what came meanwhile", async () => {
    const { opens, finish, asked, frontend } = loading({ on_unknown: "ignore" });
    const comm = opens();
    comm.send({ n: 1 });
    comm.send({ n: 2 });
    expect([asked, frontend.manager.comms.size]).toEqual([[["./m.js", "t"]], 1]);
    const seen: unknown[] = [];
    finish((there, msg) => {
      seen.push(msg.content.data, there.target_module);
      there.on_msg(({ content }) => seen.push(content.data));
    });
    await settled();
    comm.send({ n: 3 });
    expect(seen).toEqual([{ x: 1 }, "./m.js", { n: 1 }, { n: 2 }, { n: 3 }]);
    expect([comm.closed, frontend.errors]).toEqual([false, []]);
  });

  it("goes before a registered one, which serves opens without a module", async () => {
    const { opens, finish, frontend } = loading();
    const seen: string[] = [];
    frontend.manager.register_target("t", () => seen.push("registered"));
    opens("t");
    finish(() => seen.push("module"));
    await settled();
    opens("t", null);
    expect(seen).toEqual(["module", "registered"]);
  });

  it("means nothing to an end without modules", () => {
    const { kernel, frontend } = commPair();
    const seen: (string | null)[] = [];
    frontend.manager.register_target("t", (comm) => seen.push(comm.target_module));
    const { manager } = kernel;
    new Comm("t", null, null, null, null, true, "m", { manager });
    const unknown = new Comm("nobody", null, null, null, null, true, "m", { manager });
    expect([seen, unknown.closed]).toEqual([["m"], true]);
  });

  it("yields to a wait for the open", async () => {
    const { opens, frontend, asked } = loading();
    const opened = frontend.manager.expect_open("t");
    opens("t");
    expect((await opened).target_name).toBe("t");
    expect(asked).toEqual([]);
  });

  it("does not hold up other comms while it loads", async () => {
    const { opens, finish, frontend } = loading();
    const seen: unknown[] = [];
    frontend.manager.register_target("other", (there) =>
      there.on_msg(({ content }) => seen.push(content.data)),
    );
    opens("t");
    opens("other", null).send({ n: 1 });
    await settled();
    expect(seen).toEqual([{ n: 1 }]);
    finish(() => seen.push("t"));
    await settled();
    expect(seen).toEqual([{ n: 1 }, "t"]);
  });

  it("that cannot be loaded closes the comm with the reason, and is reported", async () => {
    const { opens, fail, frontend } = loading({ on_unknown: "ignore" });
    const closed = closeOf(opens());
    fail(new RangeError("no such module"));
    const error = { code: "unknown_target", name: "RangeError", message: "no such module" };
    expect(await closed).toEqual({ metadata: { tsushin: { error } }, data: {} });
    expect(String(frontend.errors[0])).toContain('module "./m.js" for comm');
    expect(frontend.manager.comms.size).toBe(0);
  });

  it.each([
    [
      "throws at once",
      () => {
        throw new Error("at once");
      },
      "at once",
    ],
    ["gives no function", () => Promise.resolve(7), "load_target: expected a function, got 7"],
  ])("by something that %s closes the comm too", async (_what, load_target, message) => {
    const { opens } = loading({ load_target: load_target as unknown as LoadTarget });
    const { metadata } = await closeOf(opens());
    expect(metadata).toMatchObject({ tsushin: { error: { code: "unknown_target", message } } });
  });

  it("that throws closes the comm as any target does", async () => {
    const { opens, finish } = loading();
    const closed = closeOf(opens());
    finish(() => {
      throw new RangeError("no");
    });
    const error = { code: "remote_error", name: "RangeError", message: "no" };
    expect((await closed).metadata).toEqual({ tsushin: { error } });
  });

  it("that never comes is given up after 30 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { opens, finish, frontend } = loading();
    const comm = opens();
    const closed = closeOf(comm);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(comm.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect((await closed).metadata).toMatchObject({
      tsushin: { error: { code: "unknown_target", name: "TimeoutError" } },
    });
    finish(() => frontend.errors.push("ran"));
    await settled();
    expect(frontend.errors).toHaveLength(1);
  });

  it.each([
    ["by the kernel", ({ opened }: { opened: Comm }) => opened.close()],
    [
      "here",
      ({ pair }: { pair: Loading }) => [...pair.frontend.manager.comms.values()][0]?.close(),
    ],
    ["by the end of the link", ({ pair }: { pair: Loading }) => pair.frontend.transport.cut()],
  ])("does not run for a comm that was closed meanwhile %s", async (_by, close) => {
    const pair = loading();
    const ran: unknown[] = [];
    close({ pair, opened: pair.opens() });
    pair.finish(() => ran.push("ran"));
    await settled();
    expect([ran, pair.frontend.errors]).toEqual([[], []]);
  });

  type Loading = ReturnType<typeof loading>;

  it("that fails for a comm that was closed meanwhile is nobody's concern", async () => {
    const { opens, fail, frontend, kernel } = loading();
    opens().close();
    fail(new Error("late"));
    await settled();
    expect([frontend.errors, kernel.errors]).toEqual([[], []]);
  });
});

describe("targets that come later", () => {
  const keeping = () => commPair({ on_unknown: "keep" });
  /** Return a target that notes the open and what comes after it. */
  const noted =
    (seen: unknown[]): Target =>
    (comm, msg) => {
      seen.push([msg.content.data, msg.metadata]);
      comm.on_msg((m) => seen.push(m.content.data));
    };

  it("get the comm with its messages, after the registering call", async () => {
    const { kernel, frontend } = keeping();
    const comm = kernel.manager.new_comm("later", { hello: 1 });
    for (const n of [0, 1, 2]) comm.send({ n });
    const seen: unknown[] = [];
    frontend.manager.register_target("later", noted(seen));
    expect(seen).toEqual([]);
    await settled();
    expect(seen).toEqual([[{ hello: 1 }, {}], { n: 0 }, { n: 1 }, { n: 2 }]);
    expect(comm.closed).toBe(false);
  });

  it("never see a comm that was closed while it waited", async () => {
    const { kernel, frontend } = keeping();
    kernel.manager.new_comm("later").close();
    const seen: unknown[] = [];
    frontend.manager.register_target("later", noted(seen));
    await settled();
    expect([seen, frontend.manager.comms.size]).toEqual([[], 0]);
  });

  it("that were unregistered at once leave the comm waiting", async () => {
    const { kernel, frontend } = keeping();
    kernel.manager.new_comm("later");
    const seen: unknown[] = [];
    frontend.manager.register_target("later", noted(seen));
    frontend.manager.unregister_target("later");
    await settled();
    expect(seen).toEqual([]);
    frontend.manager.register_target("later", noted(seen));
    await settled();
    expect(seen.length).toBe(1);
  });

  it("as expect_open take the comm that waited longest", async () => {
    const { kernel, frontend } = keeping();
    const [first, second] = [kernel.manager.new_comm("later"), kernel.manager.new_comm("later")];
    const comm = await frontend.manager.expect_open("later");
    expect(comm.comm_id).toBe(first.comm_id);
    expect(frontend.manager.comms.has(second.comm_id)).toBe(false);
  });

  it("do not see what waited when the kernel was lost", async () => {
    const { kernel, frontend } = keeping();
    kernel.manager.new_comm("later");
    frontend.manager.lose("gone");
    const seen: unknown[] = [];
    frontend.manager.register_target("later", noted(seen));
    await settled();
    expect(seen).toEqual([]);
  });

  it("do not get a comm that register_comm has taken over", async () => {
    const { kernel, frontend } = keeping();
    const comm = kernel.manager.new_comm("later");
    const options = { manager: frontend.manager };
    const mine = new Comm("later", null, null, null, comm.comm_id, false, null, options);
    frontend.manager.register_comm(mine);
    const seen: unknown[] = [];
    mine.on_msg((msg) => seen.push(msg.content.data));
    frontend.manager.register_target("later", noted(seen));
    comm.send({ n: 1 });
    await settled();
    expect(seen).toEqual([{ n: 1 }]);
  });

  it.each(["close", "ignore", "keep"] as const)(
    "and restore: comms of before are offered where opens are met by %s, and nothing is sent",
    async (on_unknown) => {
      const late = commPair({ on_unknown });
      const sent = vi.spyOn(late.frontend.transport, "send");
      const info = { a: { target_name: "t" }, b: { target_name: "not-registered" } };
      const seen: unknown[] = [];
      late.frontend.manager.register_target("t", noted(seen));
      expect(late.frontend.manager.restore(info)).toEqual(["a"]);
      expect(late.frontend.manager.restore(info)).toEqual([]); // it is open now
      await settled();
      expect(seen).toEqual([[{}, { tsushin: { restored: true } }]]);
      expect(sent).not.toHaveBeenCalled();
      late.frontend.manager.register_target("not-registered", noted(seen));
      await settled();
      expect(late.frontend.manager.comms.has("b")).toBe(on_unknown === "keep");
    },
  );

  it("and restore: a closed comm stays closed", () => {
    const { kernel, frontend } = keeping();
    const comm = kernel.manager.new_comm("t");
    comm.close();
    frontend.manager.register_target("t", () => undefined);
    expect(frontend.manager.restore({ [comm.comm_id]: { target_name: "t" } })).toEqual([]);
  });
});

it("looks at nothing of comms that are somebody else's, where it is told so", () => {
  const errors: unknown[] = [];
  const manager = new CommManager({
    send: () => undefined,
    runtime: new PageRuntime((error) => errors.push(error)),
    channel: "shell",
    on_unknown: "ignore",
    skips_unknown: true,
  });
  const header = newHeader("comm_msg", { msg_id: "m", session: "k", now_ms: 0 });
  manager.receive(newMessage("iopub", header, { content: { comm_id: "bokeh's", data: "text" } }));
  expect([errors, manager.unknown]).toEqual([[], 0]);
});
