/** Which way messages go, with lanes; the twin of `tests/profile/test_routes.py`. */
import { describe, expect, it } from "vitest";
import { isControl } from "../../src/profile/control.js";
import { LANE_WINDOW } from "../../src/profile/flow.js";
import { CUT_ABOVE_BYTES } from "../../src/profile/pieces.js";
import type { Message } from "../../src/protocol/messages.js";
import { msgType } from "../../src/protocol/messages.js";
import { LanedWorld } from "./laned.js";

const MANY = 3 * LANE_WINDOW;
const upTo = (n: number) => Array.from({ length: n }, (_none, i) => i);

const dataOf = (messages: readonly Message[]) =>
  messages.filter(({ content }) => !isControl(content.comm_id)).map(({ content }) => content.data);
const typesOf = (messages: readonly Message[]) =>
  messages.filter(({ content }) => !isControl(content.comm_id)).map(msgType);

const none = () => undefined;

describe("from a frontend with a lane", () => {
  it("all goes by the lane but what opens a comm", () => {
    const world = new LanedWorld();
    world.lanes();
    const comm = world.first.manager.new_comm("k");
    comm.send({ n: 1 });
    comm.close();
    const { lane, standard } = world.under(world.kernel);
    expect([typesOf(lane), typesOf(standard)]).toEqual([["comm_msg", "comm_close"], ["comm_open"]]);
  });

  it("hellos go by the standard route: one end may believe in a lane that is gone", () => {
    const world = new LanedWorld();
    world.lanes();
    world.first.manager.sessions.join();
    const [link] = world.kernel.links;
    expect(world.kernel.lanes.flatMap((lane) => lane.held())).toEqual([]);
    expect(link?.step("shell")?.content.data).toMatchObject({ profile: 1 });
    const { lane, standard } = world.under();
    expect([lane.length, standard.length]).toEqual([0, 1]);
  });

  it("what came by the lane before the comm was open waits for that", () => {
    const world = new LanedWorld();
    world.lanes();
    const comm = world.first.manager.new_comm("k");
    comm.send({ n: 1 });
    world.kernel.lanes[0]?.stepAll();
    expect(world.back).toEqual([]);
    world.pair.run();
    expect(world.back).toEqual([1]);
  });

  it("asks for what is missing after a second, not at once", () => {
    const world = new LanedWorld();
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
    const world = new LanedWorld();
    world.lanes();
    world.first.manager.sessions.leave();
    expect(world.first.manager.sessions.hasLane()).toBe(false);
    const { lane, standard } = world.under(world.kernel);
    expect([lane.map(msgType), standard]).toEqual([["comm_close"], []]);
  });
});

describe("from a kernel end", () => {
  it("a message goes by the lane only, where the session with a lane has the comm open", () => {
    const world = new LanedWorld();
    world.lanes();
    const comm = world.comm();
    comm.send({ n: 1 });
    const { lane, standard } = world.under();
    expect([dataOf(lane), dataOf(standard)]).toEqual([[{ n: 1 }], []]);
  });

  it("what opens and closes a comm goes by the standard route, the close by both", () => {
    const world = new LanedWorld();
    world.lanes();
    world.kernel.manager.new_comm("t").close();
    const { lane, standard } = world.under();
    expect([typesOf(lane), typesOf(standard)]).toEqual([
      ["comm_close"],
      ["comm_open", "comm_close"],
    ]);
  });

  it("a message of a comm that no session with a lane has accepted goes by both", () => {
    const world = new LanedWorld();
    world.lanes();
    const comm = world.kernel.manager.new_comm("nobody's");
    world.pair.passTime(1);
    comm.send({ n: 1 });
    const { lane, standard } = world.under();
    expect([dataOf(lane), dataOf(standard)]).toEqual([[{ n: 1 }], [{ n: 1 }]]);
  });

  it("a message goes by both where a session has no lane, and each gets it once", () => {
    const world = new LanedWorld({ frontends: 2 });
    world.lanes(1);
    world.comm().send({ n: 1 });
    world.pair.run();
    expect(world.got).toEqual([[1], [1]]);
  });

  it("a message goes by both where a plain session is known, as long as it says no hello", () => {
    const world = new LanedWorld();
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
    const world = new LanedWorld();
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
    const world = new LanedWorld({ frontends: 3 });
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
    const world = new LanedWorld({ frontends: 2 });
    world.lanes();
    const large = new Uint8Array(CUT_ABOVE_BYTES + 1);
    world.comm().send({}, null, [large], { to: "frontend 0" });
    world.pair.passTime(5);
    expect(world.got).toEqual([[large.byteLength], []]);
  });
});

describe("when a lane begins or ends", () => {
  it("what is not confirmed is sent again, but not what opens a comm", () => {
    const world = new LanedWorld();
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
    const world = new LanedWorld();
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
    const world = new LanedWorld();
    world.lanes();
    const comm = world.comm();
    for (const n of upTo(MANY)) comm.send({ n });
    expect(dataOf(world.under().lane)).toHaveLength(LANE_WINDOW);
  });

  it("a second one replaces the first", () => {
    const world = new LanedWorld();
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
    const world = new LanedWorld();
    expect(world.kernel.manager.sessions.laneUp("nobody", none)).toBe(false);
  });

  it("goes on where the standard route is away", () => {
    const world = new LanedWorld();
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
