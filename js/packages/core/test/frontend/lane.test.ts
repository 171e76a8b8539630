/** A frontend's lane: asked for, used, and made anew. The links are memory; the time is a fake. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RemoteProtocolError } from "../../src/errors.js";
import { ConnectFailed, WireError } from "../../src/errors.js";
import { FrontendLane } from "../../src/frontend/lane.js";
import type { LaneWay } from "../../src/frontend/lane_ways.js";
import type { Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import type { LaneSend } from "../../src/sessions.js";
import { MemoryTransport } from "../../src/transports/memory.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const message = (msg_type: string) =>
  newMessage("iopub", newHeader(msg_type, { msg_id: "m", session: "kernel", now_ms: 0 }), {
    content: { comm_id: "c" },
  });

/** A frontend's lane, whose kernel end offers what it is told to. */
class World {
  readonly did: string[] = [];
  readonly got: Message[] = [];
  readonly faults: unknown[] = [];
  port = 40_001;
  peer: string | null = "kernel";
  send: LaneSend | null = null;
  there: MemoryTransport | null = null;
  fault: ((error: RemoteProtocolError) => void) | null = null;
  readonly lane: FrontendLane;

  constructor(...ways: ("works" | "fails")[]) {
    this.lane = new FrontendLane({
      sessions: {
        askLane: () => {
          this.did.push("ask");
          queueMicrotask(() => this.lane.offered(this.port, "t"));
        },
        laneUp: (_session, send) => {
          this.did.push("up");
          this.send = send;
          return true;
        },
        laneDown: () => void this.did.push("down"),
      },
      session: "s",
      ways: ways.map((how, i) => this.#way(how, i)),
      peer: () => this.peer,
      sent: () => undefined,
      receive: (one) => this.got.push(one),
      fault: (error) => this.faults.push(error),
    });
  }

  #way(how: "works" | "fails", i: number): LaneWay {
    return () => {
      this.did.push(`way ${i}`);
      if (how === "fails") return Promise.reject(new ConnectFailed("no"));
      const [here, there] = MemoryTransport.pair();
      this.there = there;
      const start = here.start.bind(here);
      here.start = (receiver) => {
        this.fault = (error) => receiver.fault(error);
        start(receiver);
      };
      return Promise.resolve(here);
    };
  }

  /** Let so many seconds pass; return what was done meanwhile. */
  async pass(seconds: number): Promise<string[]> {
    this.did.length = 0;
    await vi.advanceTimersByTimeAsync(seconds * 1e3);
    return [...this.did];
  }
}

async function up(...ways: ("works" | "fails")[]): Promise<World> {
  const world = new World(...ways);
  world.lane.wanted();
  await vi.advanceTimersByTimeAsync(0);
  return world;
}

describe("a lane", () => {
  it("is asked for once, and taken by the first way that works", async () => {
    const world = await up("fails", "works", "works");
    world.lane.wanted(); // another hello
    expect(world.did).toEqual(["ask", "way 0", "way 1", "up"]);
    expect(await world.pass(600)).toEqual([]);
  });

  it("brings comm messages, and passes over others", async () => {
    const world = await up("works");
    for (const type of ["comm_msg", "status", "comm_close"]) world.there?.send(message(type));
    expect(world.got.map(({ header }) => header.msg_type)).toEqual(["comm_msg", "comm_close"]);
  });

  it("that ended is made anew after 0.1 s, and what comes too late for it is no error", async () => {
    const world = await up("works");
    world.there?.cut();
    world.send?.(message("comm_msg"));
    expect(await world.pass(0.09)).toEqual([]);
    expect(await world.pass(0.02)).toEqual(["ask", "way 0", "up"]);
  });

  it("ends by a frame that is no message", async () => {
    const world = await up("works");
    const error = new WireError("no message", { part: "message" });
    world.fault?.(error);
    expect([world.faults, world.did.at(-1)]).toEqual([[error], "down"]);
    expect(await world.pass(0.2)).toEqual(["ask", "way 0", "up"]);
  });

  it("that is silent is followed by another one", async () => {
    const world = await up("works");
    world.lane.end();
    expect(world.did.at(-1)).toBe("down");
    expect(await world.pass(0.2)).toEqual(["ask", "way 0", "up"]);
  });

  it("ends with the kernel end, for good", async () => {
    const world = await up("works");
    world.peer = null;
    world.lane.end();
    expect(world.did.at(-1)).toBe("down");
    expect(await world.pass(600)).toEqual([]);
    world.peer = "another";
    world.lane.wanted();
    expect(await world.pass(0)).toEqual(["way 0", "up"]);
  });

  it("is asked for at once of another kernel end, whatever the one before owes", async () => {
    const world = new World("works");
    const offered = vi.spyOn(world.lane, "offered").mockImplementation(() => undefined); // it is ending
    world.lane.wanted();
    expect(await world.pass(1)).toEqual([]);
    world.lane.wanted(); // it says hello again: it was asked
    expect(await world.pass(1)).toEqual([]);
    offered.mockRestore();
    world.peer = "another";
    world.lane.wanted();
    expect(await world.pass(0)).toEqual(["way 0", "up"]);
    expect(await world.pass(600)).toEqual([]);
  });

  it("is closed where the kernel end went while it was connected to", async () => {
    const world = new World("works");
    world.lane.wanted();
    world.peer = null;
    world.lane.end();
    expect(await world.pass(600)).not.toContain("up");
  });
});

describe("a lane that is not to be had", () => {
  it("is asked for five times, and again after the next hello", async () => {
    const world = await up("fails");
    const tries = [...world.did, ...(await world.pass(600))];
    expect(tries.filter((what) => what === "ask")).toHaveLength(5);
    world.did.length = 0;
    world.lane.wanted();
    await vi.advanceTimersByTimeAsync(0);
    expect(world.did).toEqual(["ask", "way 0"]);
  });

  it("is tried by no way where the kernel end says so", async () => {
    const world = new World("works");
    world.port = 0;
    world.lane.wanted();
    expect(new Set(await world.pass(600))).toEqual(new Set(["ask"]));
  });

  it("is asked for twelve times where it has worked, and again after the next hello", async () => {
    const world = await up("works");
    world.port = 0;
    world.there?.cut();
    const said = await world.pass(3600);
    expect(said.filter((one) => one === "ask").length).toBe(12);
    world.port = 1;
    world.lane.wanted();
    expect(await world.pass(1)).toEqual(["way 0", "up"]); // it has asked at once
  });
});
