/**
 * What leaves one end, by which way, for whom; the twin of `tests/profile/test_outbox.py`. Real managers over
 * memory links.
 */
import { describe, expect, it } from "vitest";
import type { Comm } from "../../src/comm.js";
import { LimitExceeded, NoPeer } from "../../src/errors.js";
import { isControl } from "../../src/profile/control.js";
import { CUT_ABOVE_BYTES, PIECE_BYTES } from "../../src/profile/pieces.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { StepEnd, StepOptions } from "../pair.js";
import { StepPair } from "../pair.js";

const LARGE = new Uint8Array(10 * PIECE_BYTES + 3).map((_, i) => i % 251);

interface Heard {
  readonly got: [unknown, number][];
  readonly gaps: number[];
  comm: Comm | null;
}

/** What an end gets on a target: data, and how many bytes with it. */
function heard({ manager }: StepEnd, target_name: string): Heard {
  const into: Heard = { got: [], gaps: [], comm: null };
  manager.register_target(target_name, (comm) => {
    into.comm = comm;
    comm.on_msg(({ content, buffers }) => {
      const nbytes = buffers.reduce((sum, view) => sum + view.byteLength, 0);
      into.got.push([content.data.n, nbytes]);
    });
    comm.on_gap((missed) => into.gaps.push(missed));
  });
  return into;
}

function world(options: StepOptions = {}) {
  const pair = new StepPair({ frontends: 2, on_unknown: "ignore", ...options });
  const [first, second] = pair.frontends as [StepEnd, StepEnd];
  const there = heard(pair.kernel, "k");
  return { pair, first, second, there, got: [heard(first, "t"), heard(second, "t")] as const };
}

const numbers = ({ got }: Heard) => got.map(([n]) => n);

describe("a message for one session", () => {
  it("reaches no other, in the order it was sent", () => {
    const { pair, got } = world();
    pair.join();
    const comm = pair.kernel.manager.new_comm("t");
    comm.send({ n: 1 });
    comm.send({ n: 2 }, null, null, { to: "frontend 1" });
    comm.send({ n: 3 }, null, null, { to: pair.kernel.manager.peers[0] ?? null });
    comm.send({ n: 4 });
    pair.run();
    expect(got.map(numbers)).toEqual([
      [1, 3, 4],
      [1, 2, 4],
    ]);
  });

  it("is not seen by a plain frontend", () => {
    const { pair, first, got } = world();
    pair.join(first);
    pair.kernel.manager.new_comm("t").send({ n: 1 }, null, null, { to: "frontend 0" });
    pair.run();
    expect(got.map(numbers)).toEqual([[1], []]);
  });

  it("is repaired for it, and no hole for the other", () => {
    const { pair, first, second, got } = world();
    pair.join();
    const comm = pair.kernel.manager.new_comm("t");
    pair.run();
    comm.send({ n: 1 }, null, null, { to: "frontend 0" });
    expect(pair.drop(first, "iopub") + pair.drop(second, "iopub")).toBe(2);
    comm.send({ n: 2 });
    pair.passTime(5);
    expect(got.map(numbers)).toEqual([[1, 2], [2]]);
  });

  it("is an error where that session is not there", async () => {
    const { pair } = world();
    pair.join();
    const comm = pair.kernel.manager.new_comm("t");
    expect(() => comm.send({}, null, null, { to: "nobody" })).toThrow(NoPeer);
    expect(() => comm.request("x", null, { to: "nobody" })).toThrow("is not there");
    await Promise.resolve();
  });

  it("can be a request", async () => {
    const { pair, got } = world();
    pair.join();
    const comm = pair.kernel.manager.new_comm("t");
    pair.run();
    got.forEach((one, i) => one.comm?.handle("who", () => `frontend ${i}`));
    const answer = comm.request("who", null, { to: "frontend 1" });
    pair.run();
    expect(await answer).toBe("frontend 1");
    const nothing = comm.request("nothing", null, { to: "frontend 1" });
    pair.run();
    await expect(nothing).rejects.toThrow("no handler");
  });
});

describe("a large message", () => {
  it("goes in pieces and comes out whole, in its place", () => {
    const { pair, first, there } = world();
    pair.join();
    const comm = first.manager.new_comm("k");
    comm.send({ n: 1 });
    comm.send({ n: 2 }, null, [LARGE, new Uint8Array()]);
    comm.send({ n: 3 });
    pair.passTime(1);
    expect(there.got).toEqual([
      [1, 0],
      [2, LARGE.byteLength],
      [3, 0],
    ]);
  });

  it("may be an answer", async () => {
    const { pair, first, there } = world();
    pair.join();
    const comm = first.manager.new_comm("k");
    pair.run();
    there.comm?.handle("get", () => ({ volume: LARGE }));
    const answer = comm.request("get");
    pair.passTime(1);
    const { volume } = (await answer) as { volume: Uint8Array };
    expect(Buffer.compare(volume, LARGE)).toBe(0); // toEqual takes minutes
  });

  it("of a kernel goes whole to all, as plain frontends may listen", () => {
    const { pair, first, got } = world();
    pair.join(first);
    pair.kernel.manager.new_comm("t").send({ n: 1 }, null, [LARGE]);
    pair.run();
    expect(got.map((one) => one.got)).toEqual([[[1, LARGE.byteLength]], [[1, LARGE.byteLength]]]);
  });

  it("is repaired piece by piece", () => {
    const { pair, first, there } = world();
    pair.join();
    const comm = first.manager.new_comm("k");
    pair.run();
    comm.send({ n: 1 }, null, [LARGE]);
    expect(pair.kernel.links[0]?.drop("shell")).not.toBeNull();
    pair.passTime(20);
    expect([there.got, there.gaps]).toEqual([[[1, LARGE.byteLength]], []]);
  });

  it("tells how far it is", () => {
    const { pair, first } = world();
    pair.join();
    const told: [number, number][] = [];
    const on_progress = (sent: number, total: number) => told.push([sent, total]);
    const comm = first.manager.new_comm("k");
    comm.send({}, null, [LARGE], { on_progress });
    pair.passTime(1);
    expect(told).toHaveLength(11);
    expect(told.at(-1)?.[0]).toBe(told[0]?.[1]);
    comm.send({}, null, null, { on_progress });
    pair.run();
    expect(told).toHaveLength(12);
  });

  it("ends when its sender wants that, and what follows arrives", () => {
    const { pair, first, there } = world();
    pair.join();
    const comm = first.manager.new_comm("k");
    const much = new Uint8Array(32 * PIECE_BYTES);
    const on_progress = (sent: number) => sent < 3 * PIECE_BYTES;
    comm.send({ n: 1 }, null, [much], { on_progress });
    while (first.runtime.isDue) first.runtime.step();
    comm.send({ n: 2 });
    pair.passTime(1);
    expect(there.got).toEqual([[2, 0]]);
  });

  it("is an error where nobody joins pieces and the route does not take it", () => {
    const { pair, first } = world({ max_whole_bytes: CUT_ABOVE_BYTES });
    const comm = first.manager.new_comm("k");
    expect(() => comm.send({}, null, [LARGE])).toThrow(LimitExceeded);
    pair.join();
    first.manager.new_comm("k").send({}, null, [LARGE]);
  });

  it("above the receiver's limit is a fault and a gap, and the next one arrives", () => {
    const limits = { ...DEFAULT_LIMITS, max_joined_bytes: 9 * PIECE_BYTES };
    const { pair, first, there } = world({ limits });
    pair.join();
    const comm = first.manager.new_comm("k");
    comm.send({}, null, [LARGE]);
    comm.send({ n: 2 });
    pair.passTime(1);
    expect([there.got, there.gaps]).toEqual([[[2, 0]], [1]]);
    expect(String(pair.kernel.errors[0])).toContain("max_joined_bytes");
  });
});

it("does not send a request that nobody waits for any more", async () => {
  const { pair, first, there } = world();
  pair.join();
  const comm = first.manager.new_comm("k");
  pair.run();
  let asked = 0;
  there.comm?.handle("x", () => (asked += 1));
  comm.send({ n: 1 }, null, [new Uint8Array(32 * PIECE_BYTES)]); // what is behind it waits
  const controller = new AbortController();
  const answer = comm.request("x", null, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(answer).rejects.toThrow("enough");
  pair.passTime(2);
  expect([there.got.length, asked]).toEqual([1, 0]);
});

it("tells of a large message that nobody is left to join, and sends what follows", () => {
  const { pair, first, there } = world();
  pair.join();
  const comm = first.manager.new_comm("k");
  pair.run();
  comm.send({ n: 1 }, null, [LARGE]);
  comm.send({ n: 2 });
  pair.kernel.manager.sessions.leave();
  pair.run();
  expect(first.errors.map(String)).toEqual([expect.stringContaining("was not sent")]);
  expect(there.got).toEqual([[2, 0]]);
});

it("takes an empty key for one, as Python does", () => {
  const { pair, first, there } = world();
  pair.join();
  const comm = first.manager.new_comm("k");
  pair.run();
  comm.send({ n: 1 }, null, [LARGE]); // what is behind it waits
  for (const n of [2, 3]) comm.send({ n }, null, null, { coalesce: "" });
  pair.passTime(1);
  expect(there.got.map(([n]) => n)).toEqual([1, 3]);
});

it("carries nothing for one session on a comm of users'", () => {
  const { pair, first, second } = world();
  pair.join();
  const ids: unknown[] = [];
  const comm = pair.kernel.manager.new_comm("t");
  pair.run();
  comm.send({ n: 1 }, null, null, { to: "frontend 0" });
  for (const link of [...first.links, ...second.links]) {
    for (let one = link.drop("iopub"); one !== null; one = link.drop("iopub")) {
      ids.push(one.content.comm_id);
    }
  }
  expect(ids.length).toBeGreaterThan(0);
  expect(ids.every(isControl)).toBe(true);
});
