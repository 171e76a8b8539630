/** Lanes, as far as peers speak of them; the twin of `tests/profile/test_laning.py`. */
import { describe, expect, it } from "vitest";
import { LANE } from "../../src/profile/control.js";
import type { Lanes } from "../../src/sessions.js";
import type { StepEnd } from "../pair.js";
import { StepPair, settled } from "../pair.js";
import { LanedWorld } from "./laned.js";

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
    const world = new LanedWorld();
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
    const world = new LanedWorld();
    const [lane] = world.lanes();
    const arrived = world.first.manager.sessions.arrivedByLane(60);
    lane?.cut();
    world.pair.run();
    await arrived;
    await world.first.manager.sessions.arrivedByLane(60); // there is none
  });

  it("is ahead of what is confirmed until it is", () => {
    const world = new LanedWorld();
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
