/** Which way messages go, with lanes; the twin of `tests/profile/test_routes.py`. */
import { describe, expect, it } from "vitest";
import type { Comm } from "../../src/comm.js";
import { LANE, isControl } from "../../src/profile/control.js";
import { LANE_WINDOW } from "../../src/profile/flow.js";
import { CUT_ABOVE_BYTES } from "../../src/profile/pieces.js";
import type { Message } from "../../src/protocol/messages.js";
import { msgType } from "../../src/protocol/messages.js";
import type { Lanes } from "../../src/sessions.js";
import type { MemoryTransport } from "../../src/transports/memory.js";
import type { StepEnd, StepOptions } from "../pair.js";
import { StepPair, settled } from "../pair.js";

const MANY = 3 * LANE_WINDOW;
const upTo = (n: number) => Array.from({ length: n }, (_none, i) => i);

/** A kernel end and frontends, each with what it got on target "t", the kernel end on "k". */
class World {
  readonly pair: StepPair;
  readonly kernel: StepEnd;
  readonly first: StepEnd;
  readonly got: unknown[][];
  readonly back: unknown[] = [];

  constructor(options: StepOptions = {}) {
    this.pair = new StepPair({ on_unknown: "ignore", ...options });
    this.kernel = this.pair.kernel;
    [this.first] = this.pair.frontends as [StepEnd];
    this.got = this.pair.frontends.map((end) => listen(end, "t"));
    this.back = listen(this.kernel, "k");
    this.pair.join();
  }

  /** Give frontends (the first unless given) a lane, and let everything arrive. */
  lanes(...fronts: number[]): MemoryTransport[] {
    const which = fronts.length > 0 ? fronts : [0];
    const made = which.map((i) => this.pair.lane(this.pair.frontends[i] ?? this.first));
    this.pair.run();
    return made;
  }

  /** Open a comm from the kernel that the frontends have accepted. */
  comm(): Comm {
    const comm = this.kernel.manager.new_comm("t");
    this.pair.passTime(1);
    return comm;
  }

  /** Take what is under way to an end, by its lane and by the standard route. */
  under(end = this.first): { lane: Message[]; standard: Message[] } {
    const take = (links: readonly MemoryTransport[]) =>
      links.flatMap((link) =>
        link.held().flatMap((channel) => {
          const taken: Message[] = [];
          for (let one = link.drop(channel); one !== null; one = link.drop(channel))
            taken.push(one);
          return taken;
        }),
      );
    return { lane: take(end.lanes), standard: take(end.links) };
  }
}

function listen({ manager }: StepEnd, target: string): unknown[] {
  const got: unknown[] = [];
  manager.register_target(target, (comm) => {
    comm.on_msg(({ content, buffers }) =>
      got.push(buffers.length === 0 ? content.data.n : buffers[0]?.byteLength),
    );
    comm.on_gap((missed) => got.push(`gap ${missed}`));
  });
  return got;
}

const dataOf = (messages: readonly Message[]) =>
  messages.filter(({ content }) => !isControl(content.comm_id)).map(({ content }) => content.data);
const typesOf = (messages: readonly Message[]) =>
  messages.filter(({ content }) => !isControl(content.comm_id)).map(msgType);

describe("from a frontend with a lane", () => {
  it("all goes by the lane but what opens a comm", () => {
    const world = new World();
    world.lanes();
    const comm = world.first.manager.new_comm("k");
    comm.send({ n: 1 });
    comm.close();
    const { lane, standard } = world.under(world.kernel);
    expect([typesOf(lane), typesOf(standard)]).toEqual([["comm_msg", "comm_close"], ["comm_open"]]);
  });

  it("hellos go by the standard route: one end may believe in a lane that is gone", () => {
    const world = new World();
    world.lanes();
    world.first.manager.sessions.join();
    const [link] = world.kernel.links;
    expect(world.kernel.lanes.flatMap((lane) => lane.held())).toEqual([]);
    expect(link?.step("shell")?.content.data).toMatchObject({ profile: 1 });
    const { lane, standard } = world.under();
    expect([lane.length, standard.length]).toEqual([0, 1]);
  });

  it("what came by the lane before the comm was open waits for that", () => {
    const world = new World();
    world.lanes();
    const comm = world.first.manager.new_comm("k");
    comm.send({ n: 1 });
    world.kernel.lanes[0]?.stepAll();
    expect(world.back).toEqual([]);
    world.pair.run();
    expect(world.back).toEqual([1]);
  });

  it("asks for what is missing after a second, not at once", () => {
    const world = new World();
    world.lanes();
    world.first.manager.new_comm("k").send({ n: 1 });
    world.kernel.links[0]?.drop("shell"); // the comm_open
    world.kernel.lanes[0]?.stepAll();
    expect(world.under().lane).toEqual([]);
    world.pair.passTime(0.9);
    expect(world.back).toEqual([]);
    world.pair.passTime(0.2);
    expect(world.back).toEqual([1]);
  });

  it("a goodbye goes by the lane, and ends it", () => {
    const world = new World();
    world.lanes();
    world.first.manager.sessions.leave();
    expect(world.first.manager.sessions.hasLane()).toBe(false);
    const { lane, standard } = world.under(world.kernel);
    expect([lane.map(msgType), standard]).toEqual([["comm_close"], []]);
  });
});

describe("from a kernel end", () => {
  it("a message goes by the lane only, where the session with a lane has the comm open", () => {
    const world = new World();
    world.lanes();
    const comm = world.comm();
    comm.send({ n: 1 });
    const { lane, standard } = world.under();
    expect([dataOf(lane), dataOf(standard)]).toEqual([[{ n: 1 }], []]);
  });

  it("what opens and closes a comm goes by the standard route, the close by both", () => {
    const world = new World();
    world.lanes();
    world.kernel.manager.new_comm("t").close();
    const { lane, standard } = world.under();
    expect([typesOf(lane), typesOf(standard)]).toEqual([
      ["comm_close"],
      ["comm_open", "comm_close"],
    ]);
  });

  it("a message of a comm that no session with a lane has accepted goes by both", () => {
    const world = new World();
    world.lanes();
    const comm = world.kernel.manager.new_comm("nobody's");
    world.pair.passTime(1);
    comm.send({ n: 1 });
    const { lane, standard } = world.under();
    expect([dataOf(lane), dataOf(standard)]).toEqual([[{ n: 1 }], [{ n: 1 }]]);
  });

  it("a message goes by both where a session has no lane, and each gets it once", () => {
    const world = new World({ frontends: 2 });
    world.lanes(1);
    world.comm().send({ n: 1 });
    world.pair.run();
    expect(world.got).toEqual([[1], [1]]);
  });

  it("a message goes by both where a plain session is known, as long as it says no hello", () => {
    const world = new World();
    world.lanes();
    const comm = world.comm();
    const { sessions } = world.kernel.manager;
    sessions.heardPlain("frontend 0"); // it said hello
    comm.send({ n: 1 });
    expect(world.under().standard).toEqual([]);
    sessions.heardPlain("somebody");
    comm.send({ n: 2 });
    expect(dataOf(world.under().standard)).toEqual([{ n: 2 }]);
    world.pair.passTime(5);
    expect(world.got).toEqual([[1, 2]]);
  });

  it("a page's other sessions are no plain ones", () => {
    const world = new World();
    const lanes = { wanted: none, asked: none, offered: none, end: none };
    world.first.manager.sessions.useLanes(lanes, () => ["the page's own"]);
    world.kernel.manager.sessions.heardPlain("the page's own");
    world.pair.join();
    world.kernel.manager.sessions.heardPlain("the page's own");
    world.lanes();
    world.comm().send({ n: 1 });
    expect(world.under().standard).toEqual([]);
  });

  it("a message for one session goes whole by its lane, and the others count it", () => {
    const world = new World({ frontends: 3 });
    world.lanes(0, 1);
    const comm = world.comm();
    comm.send({ n: 1 }, null, null, { to: "frontend 0" });
    const [first, second, third] = world.pair.frontends.map((end) => world.under(end));
    expect([dataOf(first?.lane ?? []), dataOf(second?.lane ?? [])]).toEqual([[{ n: 1 }], [{}]]);
    expect(JSON.stringify(third?.standard.map(({ content }) => content))).not.toContain('"n":1}');
    comm.send({ n: 2 });
    comm.send({ n: 3 }, null, null, { to: "frontend 0" }); // hears what others without a lane do
    world.pair.passTime(5);
    expect(world.got).toEqual([[1, 2, 3], [2], [2]]);
  });

  it("a large message for one session comes in pieces", () => {
    const world = new World({ frontends: 2 });
    world.lanes();
    const large = new Uint8Array(CUT_ABOVE_BYTES + 1);
    world.comm().send({}, null, [large], { to: "frontend 0" });
    world.pair.passTime(5);
    expect(world.got).toEqual([[large.byteLength], []]);
  });
});

describe("when a lane begins or ends", () => {
  it("what is not confirmed is sent again, but not what opens a comm", () => {
    const world = new World();
    const comm = world.first.manager.new_comm("k");
    comm.send({ n: 1 });
    comm.send({ n: 2 });
    world.under(world.kernel);
    world.pair.lane(world.first);
    while (world.first.runtime.isDue) world.first.runtime.step();
    const again = world.kernel.lanes[0]?.step("shell")?.content.data;
    expect(again).toMatchObject({ again: [{ content: { data: { n: 1 } } }, {}] });
    expect(JSON.stringify(again)).not.toContain("comm_open");
    world.pair.passTime(10);
    expect(world.back).toEqual([1, 2]);
  });

  it("in the middle of much, nothing is lost and all is in order", () => {
    const world = new World();
    const [comm, back] = [world.comm(), world.first.manager.new_comm("k")];
    world.pair.run();
    upTo(MANY).forEach((n) => {
      if (n === 300) world.lanes();
      if (n === 1500) world.first.lanes.at(-1)?.cut();
      if (n === 2500) world.lanes();
      comm.send({ n });
      back.send({ n });
    });
    world.pair.passTime(60);
    expect([world.got[0], world.back]).toEqual([upTo(MANY), upTo(MANY)]);
  });

  it("more is under way by it than by the standard route", () => {
    const world = new World();
    world.lanes();
    const comm = world.comm();
    for (const n of upTo(MANY)) comm.send({ n });
    expect(dataOf(world.under().lane)).toHaveLength(LANE_WINDOW);
  });

  it("a second one replaces the first", () => {
    const world = new World();
    const [former] = world.lanes();
    world.lanes();
    former?.cut();
    world.pair.run();
    expect(world.kernel.manager.sessions.hasLane("frontend 0")).toBe(true);
    world.comm().send({ n: 1 });
    world.pair.run();
    expect(world.got).toEqual([[1]]);
  });

  it("there is none for who is not there", () => {
    const world = new World();
    expect(world.kernel.manager.sessions.laneUp("nobody", none)).toBe(false);
  });

  it("goes on where the standard route is away", () => {
    const world = new World();
    world.lanes();
    const comm = world.comm();
    world.first.manager.sessions.pause();
    const [lane] = world.first.lanes;
    comm.send({ n: 1 });
    lane?.drop("iopub");
    comm.send({ n: 2 });
    world.pair.passTime(3);
    expect(world.got).toEqual([[1, 2]]);
  });
});

const none = () => undefined;

/** A host's lanes that note what they hear. */
function noted(end: StepEnd): unknown[][] {
  const heard: unknown[][] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      void heard.push([name, ...args]);
  const lanes: Lanes = {
    wanted: note("wanted"),
    asked: note("asked"),
    offered: note("offered"),
    end: note("end"),
  };
  end.manager.sessions.useLanes(lanes);
  return heard;
}

describe("a lane", () => {
  function hosts() {
    const pair = new StepPair({ on_unknown: "ignore" });
    const [first] = pair.frontends as [StepEnd];
    return { pair, first, there: noted(pair.kernel), here: noted(first) };
  }

  it("is wanted, asked for and offered where both ends can have one", () => {
    const { pair, first, there, here } = hosts();
    pair.join();
    expect(here).toEqual([["wanted"]]);
    expect(first.manager.peers[0]?.features).toContain(LANE);
    first.manager.sessions.askLane("http://localhost:8888");
    pair.run();
    expect(there).toEqual([["asked", "frontend 0", "http://localhost:8888"]]);
    pair.kernel.manager.sessions.offerLane("frontend 0", 40_001, "token");
    pair.run();
    expect(here).toEqual([["wanted"], ["offered", 40_001, "token"]]);
  });

  it("is not wanted of a kernel end that can have none", () => {
    const pair = new StepPair({ on_unknown: "ignore" });
    const [first] = pair.frontends as [StepEnd];
    const here = noted(first);
    pair.join();
    expect(here).toEqual([]);
  });

  it("ends with its session, and where nothing by it is confirmed for 7 s", () => {
    const { pair, first, there } = hosts();
    pair.join();
    pair.lane(first);
    pair.run();
    const comm = pair.kernel.manager.new_comm("t");
    const choices = pair.choices.bind(pair);
    pair.choices = () => choices().filter(({ link }) => link === null);
    comm.send({ n: 1 });
    pair.passTime(6.9);
    expect(there).toEqual([]);
    pair.passTime(0.2);
    expect(there).toEqual([["end", "frontend 0"]]);
    pair.choices = choices;
    first.manager.sessions.leave();
    pair.run();
    expect(there).toEqual([
      ["end", "frontend 0"],
      ["end", "frontend 0"],
    ]);
  });

  it("says when all that was sent by it, both ways, has arrived", async () => {
    const world = new World();
    world.lanes();
    const comm = world.comm();
    comm.send({ n: 1 });
    let hasArrived = false;
    void world.first.manager.sessions.arrivedByLane(60).then(() => (hasArrived = true));
    await settled();
    expect([hasArrived, world.got]).toEqual([false, [[]]]);
    world.pair.run();
    await settled();
    expect([hasArrived, world.got]).toEqual([true, [[1]]]);
  });

  it("that ends says no more, and is not waited for", async () => {
    const world = new World();
    const [lane] = world.lanes();
    const arrived = world.first.manager.sessions.arrivedByLane(60);
    lane?.cut();
    world.pair.run();
    await arrived;
    await world.first.manager.sessions.arrivedByLane(60); // there is none
  });

  it("is ahead of what is confirmed until it is", () => {
    const world = new World();
    world.lanes();
    const comm = world.first.manager.new_comm("k");
    const { sessions } = world.first.manager;
    expect(sessions.isAheadByLane).toBe(false); // it was opened by the standard route
    comm.send({ n: 1 });
    expect(sessions.isAheadByLane).toBe(true);
    world.pair.passTime(1);
    expect(sessions.isAheadByLane).toBe(false);
    const theirs = world.comm();
    world.first.manager.get_comm(theirs.comm_id)?.send({ n: 2 }); // the first one from here
    expect(sessions.isAheadByLane).toBe(true);
  });
});
