import { describe, expect, it } from "vitest";
import { CommClosed, NoPeer } from "../src/errors.js";
import { StepPair, commPair, settled } from "./pair.js";

describe("ready", () => {
  it("is the peer that accepts, for who asks before and after", async () => {
    const { kernel, frontend } = commPair();
    frontend.manager.sessions.join();
    frontend.manager.register_target("t", () => undefined);
    const comm = kernel.manager.new_comm("t");
    const { session } = frontend.manager;
    expect((await comm.ready()).session).toBe(session);
    expect((await comm.ready()).session).toBe(session);
  });

  it("is what a peer had open before its hello", async () => {
    const { kernel, frontend } = commPair();
    frontend.manager.register_target("t", () => undefined);
    const comm = kernel.manager.new_comm("t");
    frontend.manager.sessions.join();
    expect((await comm.ready()).session).toBe(frontend.manager.session);
  });

  it("is what a peer opens before its hello is answered", async () => {
    const pair = new StepPair();
    const [frontend] = pair.frontends;
    frontend?.manager.register_target("t", () => undefined);
    frontend?.manager.sessions.join();
    const comm = pair.kernel.manager.new_comm("t");
    frontend?.links[0]?.step("iopub"); // the open, while the hello is on its way
    pair.passTime(1);
    expect((await comm.ready()).session).toBe("frontend 0");
  });

  it("ends with the comm", async () => {
    const { kernel } = commPair({ on_unknown: "ignore" });
    const comm = kernel.manager.new_comm("t");
    const ready = comm.ready();
    comm.close();
    await expect(ready).rejects.toBeInstanceOf(CommClosed);
  });

  it("has no peer where the kernel has no end of ours", async () => {
    const { frontend } = commPair();
    frontend.manager.sessions.hope();
    const ready = frontend.manager.new_comm("t").ready();
    frontend.manager.sessions.decline();
    await expect(ready).rejects.toBeInstanceOf(NoPeer);
    const late = frontend.manager.new_comm("t").ready({ timeout: Infinity });
    await expect(late).rejects.toBeInstanceOf(NoPeer);
  });

  it("is waited for at a kernel, where a page may come at any time", async () => {
    const { kernel, frontend } = commPair({ on_unknown: "ignore" });
    const comm = kernel.manager.new_comm("t");
    const ready = comm.ready({ timeout: Infinity });
    await settled();
    frontend.manager.register_target("t", () => undefined);
    frontend.manager.restore({ [comm.comm_id]: { target_name: "t" } });
    frontend.manager.sessions.join();
    expect((await ready).session).toBe(frontend.manager.session);
  });
});

describe("on_peer", () => {
  it("hears who comes and goes; what it throws is reported", async () => {
    const { kernel, frontend } = commPair();
    const seen: unknown[] = [];
    kernel.manager.on_peer((peer, is_live) => {
      seen.push([peer.session, is_live]);
      throw new Error("no");
    });
    frontend.manager.sessions.join();
    frontend.manager.sessions.leave();
    await settled();
    const { session } = frontend.manager;
    expect(seen).toEqual([
      [session, true],
      [session, false],
    ]);
    expect(kernel.errors.map(String)).toEqual([
      "Error: on_peer threw: no",
      "Error: on_peer threw: no",
    ]);
  });
});
