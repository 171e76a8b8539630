/**
 * A page that comes late, or comes back: what it gets, and what becomes of what it had opened; the twin of
 * `tests/test_taking_up.py`.
 */
import { describe, expect, it } from "vitest";
import type { CommInfo, JsonObject } from "../src/protocol/messages.js";
import { CLAIM } from "../src/taking_up.js";
import type { StepEnd, StepOptions } from "./pair.js";
import { StepPair } from "./pair.js";

interface Heard {
  readonly opened: [unknown, unknown][];
  readonly got: [unknown, unknown][];
}

const ours = ({ tsushin }: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries((tsushin ?? {}) as JsonObject).filter(([key]) => key !== "bin"),
  );

/** What an end gets on a target. */
function heard({ manager }: StepEnd, target_name: string): Heard {
  const into: Heard = { opened: [], got: [] };
  manager.register_target(target_name, (comm, msg) => {
    into.opened.push([msg.content.data, ours(msg.metadata)]);
    comm.on_msg(({ content, metadata }) => into.got.push([content.data, ours(metadata)]));
  });
  return into;
}

/** Two frontends; the second is not there at first. */
function world(options: StepOptions = {}) {
  const pair = new StepPair({ frontends: 2, on_unknown: "ignore", ...options });
  const [here, there] = pair.frontends as [StepEnd, StepEnd];
  pair.join(here);
  return { pair, here, there, first: heard(here, "t"), second: heard(there, "t") };
}

type World = ReturnType<typeof world>;

/** Nothing that was sent so far reaches the second frontend. */
const forget = ({ pair, there }: World) => pair.drop(there, "iopub");
const listed = ({ pair }: World) => pair.kernel.manager.comm_info().comms as CommInfo;

/** The second frontend comes, and takes up what there is. */
async function late(all: World): Promise<string[]> {
  all.pair.join(all.there);
  const found = all.there.manager.take_up(listed(all));
  all.pair.run();
  return found;
}

describe("a page that comes late", () => {
  it("gets what the comm was opened with, and what is sent from then on", async () => {
    const all = world();
    const comm = all.pair.kernel.manager.new_comm("t", { a: 1, bytes: new Uint8Array([7]) });
    comm.send({ n: 1 });
    forget(all);
    expect(await late(all)).toEqual([comm.comm_id]);
    expect(all.second.opened).toEqual([[{ a: 1, bytes: new Uint8Array([7]) }, { restored: true }]]);
    comm.send({ n: 2 });
    all.pair.run();
    expect(all.second.got).toEqual([[{ n: 2 }, {}]]);
  });

  it("gets the history, then a snapshot, then what is new, each once", async () => {
    const all = world();
    const { manager } = all.pair.kernel;
    const comm = manager.new_comm("t", null, null, null, null, { history: 2 });
    comm.snapshot(() => ({ at: 42 }));
    for (let n = 0; n < 5; n += 1) comm.send({ n });
    forget(all);
    await late(all);
    comm.send({ n: 5 });
    all.pair.run();
    expect(all.second.got).toEqual([
      [{ n: 3 }, { restored: true }],
      [{ n: 4 }, { restored: true }],
      [{ at: 42 }, { snapshot: true }],
      [{ n: 5 }, {}],
    ]);
    expect(all.first.got.map(([data]) => data)).toEqual([0, 1, 2, 3, 4, 5].map((n) => ({ n })));
  });

  it("asks again where the answer was lost", async () => {
    const all = world();
    const comm = all.pair.kernel.manager.new_comm("t", { a: 1 });
    forget(all);
    all.pair.join(all.there);
    const found = all.there.manager.take_up(listed(all));
    for (const link of all.pair.kernel.links) link.step("shell");
    expect(forget(all)).toBeGreaterThan(0);
    all.pair.passTime(2);
    expect(await found).toEqual([comm.comm_id]);
    expect(all.second.opened).toEqual([[{ a: 1 }, { restored: true }]]);
  });

  it("does not wait for ever for a kernel end that does not answer", async () => {
    const all = world();
    const comm = all.pair.kernel.manager.new_comm("t", { a: 1 });
    forget(all);
    all.pair.join(all.there);
    const found = all.there.manager.take_up(listed(all));
    all.pair.drop(all.pair.kernel, "shell");
    for (let n = 0; n < 300; n += 1) {
      all.pair.clock.now += 1;
      for (const { runtime } of all.pair.frontends) runtime.ring();
      all.pair.drop(all.pair.kernel, "shell");
    }
    expect(await found).toEqual([comm.comm_id]);
    expect(all.second.opened).toEqual([[{}, { restored: true }]]);
  });

  it("learns of a comm that was closed meanwhile that it is not to be had", async () => {
    const all = world();
    const comm = all.pair.kernel.manager.new_comm("t");
    const before = listed(all);
    comm.close();
    forget(all);
    all.pair.join(all.there);
    const found = all.there.manager.take_up(before);
    all.pair.run();
    expect([await found, all.second.opened]).toEqual([[], []]);
  });

  it("gets only the id from a plain kernel end", async () => {
    const all = world();
    const comm = all.pair.kernel.manager.new_comm("t", { a: 1 });
    forget(all);
    expect(await all.there.manager.take_up(listed(all))).toEqual([comm.comm_id]);
    expect(all.second.opened).toEqual([[{}, { restored: true }]]);
  });
});

it("reports what a snapshot throws, and what is no history", () => {
  const all = world();
  const { manager } = all.pair.kernel;
  manager.new_comm("t").snapshot(() => {
    throw new Error("no state");
  });
  forget(all);
  void late(all);
  expect(all.pair.kernel.errors.map(String)).toEqual([expect.stringContaining("no state")]);
  const negative = () => manager.new_comm("t", null, null, null, null, { history: -1 });
  expect(negative).toThrow(RangeError);
});

describe("comms that a page opened", () => {
  const opened = (all: World) => {
    heard(all.pair.kernel, "k");
    const comm = all.here.manager.new_comm("k", { mine: 1 });
    all.pair.run();
    forget(all);
    return comm;
  };
  const isOpen = ({ pair }: World, comm_id: string) => pair.kernel.manager.comms.has(comm_id);

  it("are closed a minute after it went", () => {
    const all = world();
    const comm = opened(all);
    const reasons: unknown[] = [];
    all.pair.kernel.manager.comms.get(comm.comm_id)?.on_close(({ metadata }) => {
      reasons.push(ours(metadata));
    });
    all.here.manager.sessions.leave();
    all.pair.passTime(CLAIM - 1);
    expect(isOpen(all, comm.comm_id)).toBe(true);
    all.pair.passTime(2);
    expect(isOpen(all, comm.comm_id)).toBe(false);
    expect(reasons).toEqual([{ lost: "the page that opened it is gone for 60 s" }]);
  });

  it("are kept where it is here again", () => {
    const all = world();
    const comm = opened(all);
    all.here.manager.sessions.leave();
    all.pair.passTime(30);
    all.pair.join(all.here);
    all.pair.passTime(100);
    expect(isOpen(all, comm.comm_id)).toBe(true);
  });

  it("are taken up by the same tab, and by nobody else", async () => {
    for (const tab of ["tab", undefined]) {
      const all = world(tab === undefined ? {} : { tab });
      const comm = opened(all);
      all.here.manager.sessions.leave();
      all.pair.run();
      const again = heard(all.there, "k");
      expect(await late(all)).toEqual(tab === undefined ? [] : [comm.comm_id]);
      expect(again.opened).toEqual(tab === undefined ? [] : [[{ mine: 1 }, { restored: true }]]);
      all.pair.passTime(100);
      expect(isOpen(all, comm.comm_id)).toBe(tab !== undefined);
    }
  });
});
