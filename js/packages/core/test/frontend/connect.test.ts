/** `connect`, and what becomes of a link that breaks, at a server in this process. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import type { Comm } from "../../src/comm.js";
import { KernelGone, TransportClosed, TransportLost } from "../../src/errors.js";
import { connect } from "../../src/frontend/connect.js";
import type { Frontend } from "../../src/frontend/frontend.js";
import { KernelServer } from "./kernel_server.js";

let server: KernelServer;
const frontends: Frontend[] = [];
beforeEach(async () => {
  server = await new KernelServer().start();
});
afterEach(async () => {
  for (const frontend of frontends.splice(0)) await frontend.close();
  server.stop();
  expect(server.errors).toEqual([]);
});

const upTo = (n: number) => Array.from({ length: n }, (_none, i) => i);
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 10_000, interval: 10 });

async function open() {
  const statuses: string[] = [];
  const on_status = (status: string) => statuses.push(status);
  const frontend = await connect(server.url, { WebSocket, kernel_id: "k1", on_status });
  frontends.push(frontend);
  if (server.isOurs) await until(() => expect(frontend.comm_manager.peers).toHaveLength(1));
  return { frontend, statuses };
}

/** Both ends of a comm, and what each heard. */
async function openComm(frontend: Frontend) {
  const [got, heard, gaps]: unknown[][] = [[], [], []];
  const opened = server.kernel.expect_open("t");
  const comm = frontend.comm_manager.new_comm("t");
  const there = await opened;
  comm.on_msg(({ content }) => got?.push(content.data.n));
  there.on_msg(({ content }) => heard?.push(content.data.n));
  for (const end of [comm, there]) end.on_gap((missed) => gaps?.push(missed));
  return { comm, there, got, heard, gaps };
}

/** Break the link, and wait until the frontend has noticed. */
async function cut(frontend: Frontend): Promise<void> {
  const waiting = frontend.execute("for ever");
  server.cut();
  await expect(waiting).rejects.toThrow(TransportLost);
}

const closeOf = (comm: Comm) =>
  new Promise<unknown>((resolve) => comm.on_close(({ metadata }) => resolve(metadata.tsushin)));

describe("a link that breaks, at a kernel end that knows the profile", () => {
  it("is made anew: what was sent meanwhile arrives at both ends, in order and once", async () => {
    const { frontend, statuses } = await open();
    const { comm, there, got, heard, gaps } = await openComm(frontend);
    comm.send({ n: 0 });
    there.send({ n: 0 });
    await until(() => expect([got, heard]).toEqual([[0], [0]]));
    server.isDown = true;
    await cut(frontend);
    for (const n of upTo(50).slice(1)) {
      comm.send({ n });
      there.send({ n });
    }
    const opened = server.kernel.expect_open("later");
    frontend.comm_manager.new_comm("later", { while: "away" });
    await expect(frontend.execute("pass")).rejects.toThrow(TransportLost);
    expect([frontend.closed, comm.closed]).toEqual([false, false]);
    server.isDown = false;
    await until(() => expect([got, heard]).toEqual([upTo(50), upTo(50)]));
    expect((await opened).open_msg?.content.data).toEqual({ while: "away" });
    expect((await frontend.execute("pass")).status).toBe("ok");
    await comm.drain();
    expect([got, heard, gaps]).toEqual([upTo(50), upTo(50), []]);
    expect(statuses).not.toContain("disconnected");
  });

  it("may break again and again", async () => {
    const { frontend } = await open();
    const { comm, there, got, heard, gaps } = await openComm(frontend);
    for (const n of upTo(5)) {
      await cut(frontend);
      comm.send({ n });
      there.send({ n });
      await until(() => expect(frontend.comms()).resolves.toEqual({}));
    }
    await until(() => expect([got, heard, gaps]).toEqual([upTo(5), upTo(5), []]));
  });

  it("lets a request wait for its answer", async () => {
    const { frontend } = await open();
    const { comm, there } = await openComm(frontend);
    there.handle("double", ({ content }) => 2 * Number(content.data.n));
    server.isDown = true;
    await cut(frontend);
    const answer = comm.request("double", { n: 4 });
    server.isDown = false;
    expect(await answer).toBe(8);
  });

  it.each([true, false])(
    "loses its comms where the kernel was restarted meanwhile, with such an end: %s",
    async (isOurs) => {
      const { frontend } = await open();
      const { comm } = await openComm(frontend);
      const closed = closeOf(comm);
      const answer = comm.request("x");
      server.isDown = true;
      await cut(frontend);
      server.restartKernel();
      server.isOurs = isOurs;
      server.isDown = false;
      expect(await closed).toEqual({ lost: "the kernel was restarted" });
      await expect(answer).rejects.toMatchObject({ why: "restarted" });
      expect(frontend.closed).toBe(false);
      if (isOurs) await until(() => expect(frontend.comm_manager.peers).toHaveLength(1));
      const { comm: next, heard } = await openComm(frontend);
      next.send({ n: 1 });
      await until(() => expect(heard).toEqual([1]));
    },
  );

  it("ends where the server has the kernel no more", async () => {
    const { frontend, statuses } = await open();
    const { comm } = await openComm(frontend);
    const closed = closeOf(comm);
    const expected = frontend.expect_open("never");
    server.isDown = true;
    await cut(frontend);
    server.hasKernel = false;
    server.isDown = false;
    await expect(expected).rejects.toMatchObject({ why: "shut down" });
    expect(await closed).toEqual({ lost: "the kernel was shut down" });
    expect([frontend.closed, statuses.at(-1)]).toEqual([true, "dead"]);
    await expect(frontend.execute("pass")).rejects.toThrow(KernelGone);
  });

  it("is given up at once when the frontend is closed", async () => {
    const { frontend, statuses } = await open();
    const { comm } = await openComm(frontend);
    const waits = [frontend.expect_open("never"), comm.expect_msg(), comm.request("x")];
    server.isDown = true;
    await cut(frontend);
    const ended = waits.map((wait) => expect(wait).rejects.toThrow());
    await frontend.close();
    await Promise.all(ended);
    expect([frontend.closed, comm.closed_by, statuses.at(-1)]).toEqual([
      true,
      "here",
      "disconnected",
    ]);
    await expect(frontend.execute("pass")).rejects.toThrow(TransportClosed);
  });

  it("is waited for by a restart", async () => {
    const { frontend } = await open();
    const { comm } = await openComm(frontend);
    server.cut();
    await frontend.restart();
    expect(comm.closed_by).toBe("lost");
    expect((await frontend.execute("pass")).status).toBe("ok");
    expect(frontend.closed).toBe(false);
  });
});

describe("is told at once", () => {
  it("that a link broke, where the kernel has no such end", async () => {
    server.isOurs = false;
    const { frontend, statuses } = await open();
    const { comm } = await openComm(frontend);
    const closed = closeOf(comm);
    const expected = frontend.expect_open("never");
    server.cut();
    await expect(expected).rejects.toThrow(TransportLost);
    expect(await closed).toEqual({ lost: "the link was lost" });
    expect([frontend.closed, statuses.at(-1)]).toEqual([true, "disconnected"]);
  });

  it("that the server has ended the link in order", async () => {
    const { frontend } = await open();
    const { comm } = await openComm(frontend);
    const closed = closeOf(comm);
    server.goAway();
    expect(await closed).toEqual({ lost: "the link was closed" });
    expect(frontend.closed).toBe(true);
  });
});
