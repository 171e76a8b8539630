import { describe, expect, it } from "vitest";
import { Comm } from "../src/comm.js";
import { CommClosed, DuplicateComm, NoHost } from "../src/errors.js";
import { hex } from "./hex.js";
import { commPair, openPair, settled } from "./pair.js";

it("opens to the peer's target with data, metadata and buffers", async () => {
  const { kernel, frontend } = commPair();
  const opened = kernel.manager.expect_open("t");
  const there = frontend.manager.new_comm("t", { foo: 6 }, { m: 1 }, [Uint8Array.of(1, 2)]);
  const here = await opened;
  expect(here.comm_id).toBe(there.comm_id);
  expect([there.primary, here.primary]).toEqual([true, false]);
  expect(here.open_msg).toMatchObject({ content: { data: { foo: 6 } }, metadata: { m: 1 } });
  expect(here.open_msg?.buffers.map(hex)).toEqual(["0102"]);
});

it("brings binary inside the data back as what it was", async () => {
  const { here, there } = await openPair();
  const received = here.expect_msg();
  there.send({ image: { pixels: Float32Array.of(1, 2) } });
  expect((await received).content.data).toEqual({ image: { pixels: Float32Array.of(1, 2) } });
});

describe("on_msg", () => {
  it("returns its function, and gets the messages in order", async () => {
    const { here, there } = await openPair();
    const seen: unknown[] = [];
    const handler = here.on_msg((msg) => seen.push(msg.content.data.n));
    for (const n of [1, 2, 3]) there.send({ n });
    expect(handler).toBeTypeOf("function");
    await settled();
    expect(seen).toEqual([1, 2, 3]);
  });

  it("gets what came before it was set, after the line that sets it", async () => {
    const { here, there } = await openPair();
    there.send({ n: 1 });
    const seen: unknown[] = [];
    here.on_msg((msg) => seen.push(msg.content.data.n));
    expect(seen).toEqual([]);
    await settled();
    expect(seen).toEqual([1]);
  });

  it("is awaited before the next message", async () => {
    const { here, there } = await openPair();
    const seen: string[] = [];
    here.on_msg(async ({ content }) => {
      seen.push(`begin ${String(content.data.n)}`);
      await settled();
      seen.push(`end ${String(content.data.n)}`);
    });
    there.send({ n: 1 });
    there.send({ n: 2 });
    await settled();
    await settled();
    await settled();
    expect(seen).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("that %s is reported, and the comm goes on", async (_how, handler) => {
    const { here, there, kernel } = await openPair();
    here.on_msg(handler);
    there.send({});
    await settled();
    expect(String(kernel.errors[0])).toMatch(/on_msg of comm \w{8} on target "t" threw: no/);
    const next = here.expect_msg();
    there.send({ n: 2 });
    expect((await next).content.data).toEqual({ n: 2 });
  });

  it("of null keeps messages until somebody asks", async () => {
    const { here, there } = await openPair();
    here.on_msg(() => expect.unreachable());
    here.on_msg(null);
    there.send({ n: 1 });
    await settled();
    expect((await here.expect_msg()).content.data).toEqual({ n: 1 });
  });
});

describe("close", () => {
  it("reaches the peer once, with its data, and tells only the peer", async () => {
    const { here, there } = await openPair();
    const seen: unknown[] = [];
    here.on_close((msg) => seen.push(msg.content.data));
    there.on_close(() => expect.unreachable());
    await settled();
    there.close({ bye: 1 });
    there.close({ bye: 2 });
    await settled();
    expect(seen).toEqual([{ bye: 1 }]);
    expect([here.closed_by, there.closed_by]).toEqual(["there", "here"]);
  });

  it("comes after the messages before it", async () => {
    const { here, there } = await openPair();
    const seen: unknown[] = [];
    there.send({ n: 1 });
    there.close();
    here.on_close(() => seen.push("close"));
    here.on_msg((msg) => seen.push(msg.content.data.n));
    await settled();
    expect(seen).toEqual([1, "close"]);
  });

  it("makes sending a CommClosed that has the data of the close", async () => {
    const { here, there } = await openPair();
    there.close({ why: "done" });
    const attempt = () => here.send({});
    expect(attempt).toThrow(CommClosed);
    expect(attempt).toThrow(expect.objectContaining({ closed_by: "there", data: { why: "done" } }));
  });

  it("crossing a message is late, not an error", async () => {
    const { here, there, kernel, frontend } = await openPair();
    kernel.transport.hold();
    there.send({});
    here.close();
    kernel.transport.stepAll();
    expect(kernel.manager.late).toBe(1);
    expect([...kernel.errors, ...frontend.errors]).toEqual([]);
  });

  it("here ends delivery: what was kept is not handed over any more", async () => {
    const { here, there } = await openPair();
    there.send({ n: 1 });
    here.close();
    here.on_msg(() => expect.unreachable());
    await settled();
    await expect(here.expect_msg()).rejects.toThrow(CommClosed);
  });

  it("ends what waits for a message", async () => {
    const { here, there } = await openPair();
    const waiting = here.expect_msg();
    there.close();
    await expect(waiting).rejects.toThrow(CommClosed);
  });
});

describe("expect_msg", () => {
  it("ends with a TimeoutError that says what was waited for", async () => {
    const { here } = await openPair();
    const text = /comm_msg on comm \w{8} on target "t": not within 0.001 s/;
    await expect(here.expect_msg(0.001)).rejects.toThrow(text);
    await expect(here.expect_msg(0.001)).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("that has ended takes no message", async () => {
    const { here, there } = await openPair();
    const controller = new AbortController();
    const aborted = here.expect_msg(5, { signal: controller.signal });
    controller.abort(new Error("enough"));
    const next = here.expect_msg();
    there.send({ n: 1 });
    await expect(aborted).rejects.toThrow("enough");
    expect((await next).content.data).toEqual({ n: 1 });
  });
});

it("refuses an id that is in use, and leaves the good comm alone", async () => {
  const { frontend, there, here } = await openPair();
  const attempt = () => frontend.manager.new_comm("t", {}, {}, [], there.comm_id);
  expect(attempt).toThrow(DuplicateComm);
  expect([there.closed, here.closed]).toEqual([false, false]);
});

it("without a manager has no host", () => {
  expect(() => new Comm("t")).toThrow(NoHost);
});

it("is closed by `using` at the end of its block", async () => {
  const { here, there } = await openPair();
  there[Symbol.dispose]();
  expect(here.closed_by).toBe("there");
});

it("is primary when it opens, whatever was planned when it was made", () => {
  const { kernel } = commPair();
  const options = { manager: kernel.manager };
  const comm = new Comm("t", null, null, null, null, false, null, options);
  expect(comm.primary).toBe(false);
  comm.open();
  expect(comm.primary).toBe(true);
});
