/** The profile driven: timers, and what waits for peers; the twin of `tests/test_sessions.py`. */
import { describe, expect, it } from "vitest";
import type { Comm } from "../src/comm.js";
import { QueueFull } from "../src/errors.js";
import { LANE_WINDOW, MAX_WINDOW } from "../src/profile/flow.js";
import { DEFAULT_LIMITS } from "../src/protocol/limits.js";
import type { StepEnd } from "./pair.js";
import { StepPair, settled } from "./pair.js";

const MANY = 4 * MAX_WINDOW;
const upTo = (n: number) => Array.from({ length: n }, (_none, i) => i);

/** Note what a frontend gets on target "t". */
function listen(end: StepEnd): { got: unknown[]; gaps: number[] } {
  const heard = { got: [] as unknown[], gaps: [] as number[] };
  end.manager.register_target("t", (comm) => {
    comm.on_msg(({ content }) => heard.got.push(content.data.n));
    comm.on_gap((missed) => heard.gaps.push(missed));
  });
  return heard;
}

function joined(limits = {}) {
  const pair = new StepPair({ limits: { ...DEFAULT_LIMITS, ...limits } });
  const [frontend] = pair.frontends as [StepEnd];
  const { got } = listen(frontend);
  pair.join();
  const comm = pair.kernel.manager.new_comm("t");
  pair.run();
  return { pair, frontend, comm, got };
}

function sendMany(comm: Comm): void {
  for (const n of upTo(MANY)) comm.send({ n, text: "x".repeat(100) });
}

describe("what is sent", () => {
  it("is under way to the width of the window, and the rest follows", () => {
    const { pair, frontend, comm, got } = joined();
    for (const n of upTo(MANY)) comm.send({ n });
    expect(pair.drop(frontend, "iopub")).toBeLessThanOrEqual(MAX_WINDOW);
    pair.passTime(60);
    expect(got).toEqual(upTo(MANY));
  });

  it("is drained when all has arrived", async () => {
    const { pair, comm, got } = joined();
    for (const n of upTo(MANY)) comm.send({ n });
    let isDrained = false;
    void comm.drain().then(() => (isDrained = true));
    await settled();
    expect(isDrained).toBe(false);
    pair.passTime(30);
    await settled();
    expect([isDrained, got.length]).toEqual([true, MANY]);
  });

  it("has all left when what was sent before has, though more waits", async () => {
    const { pair, comm, got } = joined();
    const { sessions } = pair.kernel.manager;
    for (const n of upTo(MANY)) comm.send({ n });
    const state = { isSent: false };
    void sessions.allSent().then(() => (state.isSent = true));
    for (const n of upTo(MANY)) comm.send({ n: MANY + n });
    await settled();
    while (!state.isSent && pair.step()) await Promise.resolve();
    expect(state.isSent).toBe(true);
    expect(sessions.hasQueued).toBe(true);
    expect(got.length).toBeLessThan(2 * MANY);
  });

  it("is drained at once where there is no peer", async () => {
    const pair = new StepPair();
    const comm = pair.kernel.manager.new_comm("t");
    comm.send({ n: 1 });
    await comm.drain();
  });

  it("with one key is the newest of what waits", () => {
    const { pair, comm, got } = joined();
    for (const n of upTo(MANY)) comm.send({ n }, null, null, { coalesce: "position" });
    comm.send({ n: "last" });
    pair.passTime(30);
    expect(got.slice(-2)).toEqual([MANY - 1, "last"]);
    expect(got.length).toBeLessThanOrEqual(MAX_WINDOW + 2);
    const numbers = got.slice(0, -1) as number[];
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  });

  it("and still waits leaves with the last peer", () => {
    const { pair, frontend, comm, got } = joined();
    for (const n of upTo(MANY)) comm.send({ n });
    frontend.manager.sessions.leave();
    pair.passTime(5);
    expect(got).toEqual(upTo(MANY));
  });
});

describe("a full queue", () => {
  it("is an error; what was sent before it arrives, and later there is room", () => {
    const { pair, comm, got } = joined({ max_queue_bytes: 1000 });
    const attempt = () => sendMany(comm);
    expect(attempt).toThrow(QueueFull);
    expect(attempt).toThrow(expect.objectContaining({ limit: 1000 }));
    pair.passTime(30);
    expect(got).toEqual(upTo(got.length));
    comm.send({ n: "again" });
    pair.passTime(30);
    expect(got.at(-1)).toBe("again");
  });

  it("keeps no answer and no close back", async () => {
    const { pair, frontend, comm } = joined({ max_queue_bytes: 1000 });
    comm.handle("x", () => "answer");
    expect(() => sendMany(comm)).toThrow(QueueFull);
    const answer = frontend.manager.get_comm(comm.comm_id)?.request("x");
    pair.passTime(30);
    expect(await answer).toBe("answer");
    comm.close();
    pair.passTime(30);
    expect(frontend.manager.comms.size).toBe(0);
  });
});

it("a peer that lags holds nobody up, and recovers", () => {
  const pair = new StepPair({ frontends: 2, on_unknown: "ignore" });
  const [awake, asleep] = pair.frontends.map(listen) as [Heard, Heard];
  pair.join();
  const comm = pair.kernel.manager.new_comm("t");
  pair.run();
  const choices = pair.choices.bind(pair);
  pair.choices = () => choices().filter(({ end }) => end !== pair.frontends[1]);
  for (const n of upTo(MANY)) comm.send({ n });
  pair.passTime(20);
  expect([awake.got, asleep.got]).toEqual([upTo(MANY), []]);
  pair.choices = choices;
  pair.passTime(100);
  const got = asleep.got as number[];
  expect(got.at(-1)).toBe(MANY - 1);
  expect(got).toEqual(got.toSorted((a, b) => a - b));
  expect(got.length + asleep.gaps.reduce((a, b) => a + b, 0)).toBe(MANY);
});

type Heard = ReturnType<typeof listen>;
const noop = () => undefined;

it.each([true, false])(
  "of a silent lane and a silent peer the lane is left first (the peer is there: %s)",
  (isThere) => {
    const pair = new StepPair({ frontends: 2, on_unknown: "ignore" });
    const [silent, awake] = pair.frontends as [StepEnd, StepEnd];
    const [one, other] = [listen(silent), listen(awake)];
    const lanes = { wanted: noop, asked: noop, offered: noop, end: noop };
    for (const { manager } of pair.frontends) manager.sessions.useLanes(lanes);
    pair.kernel.manager.sessions.useLanes({ ...lanes, end: () => silent.lanes[0]?.cut() });
    pair.join();
    for (const frontend of pair.frontends) pair.lane(frontend);
    const comm = pair.kernel.manager.new_comm("t");
    pair.passTime(0.1);
    const ends = [silent, pair.kernel];
    const quiet = ends.flatMap(({ lanes, links }) => [lanes[0], ...(isThere ? [] : [links[0]])]);
    const choices = pair.choices.bind(pair);
    pair.choices = () => choices().filter(({ link }) => link === null || !quiet.includes(link));
    for (const n of upTo(2 * LANE_WINDOW)) comm.send({ n });
    pair.passTime(6);
    expect(pair.kernel.manager.sessions.hasLane(silent.name)).toBe(true);
    pair.passTime(3);
    expect(pair.kernel.manager.sessions.hasLane(silent.name)).toBe(false);
    expect(other.got).toEqual(upTo(2 * LANE_WINDOW)); // it waited for the lane, and not again for the peer
    pair.passTime(20);
    if (isThere) expect([one.got, one.gaps]).toEqual([other.got, []]);
  },
);

describe("a request to several frontends", () => {
  /** A comm of the kernel that two frontends have; each answers "x" as it is told. */
  function asked(...handlers: ((signal: AbortSignal) => unknown)[]) {
    const pair = new StepPair({ frontends: handlers.length, on_unknown: "ignore" });
    pair.frontends.forEach(({ manager }, i) => {
      manager.register_target("t", (comm) => {
        comm.handle("x", (_msg, { signal }) => handlers[i]?.(signal));
      });
    });
    pair.join();
    const comm = pair.kernel.manager.new_comm("t");
    pair.run();
    return { pair, answer: comm.request("x"), comm };
  }

  it("has the first answer; the others are told that nobody waits for theirs", async () => {
    const signals: AbortSignal[] = [];
    const never = (signal: AbortSignal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    const { pair, answer } = asked(never, () => "first");
    pair.run();
    expect(await answer).toBe("first");
    pair.run();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it("ends with no peer once the last of them has left", async () => {
    const { pair, answer } = asked(...[0, 1].map(() => () => new Promise(() => undefined)));
    for (const { manager } of pair.frontends) manager.sessions.leave();
    pair.run();
    await expect(answer).rejects.toMatchObject({ code: "no_peer" });
  });
});

it("a kernel end that has just announced itself waits a little for a first peer", async () => {
  const pair = new StepPair({ on_unknown: "ignore" });
  pair.kernel.manager.sessions.announce();
  const answer = pair.kernel.manager.new_comm("t").request("x");
  let isOver = false;
  answer.catch(() => (isOver = true));
  pair.passTime(1.9);
  await settled();
  expect(isOver).toBe(false);
  pair.passTime(0.2);
  await expect(answer).rejects.toMatchObject({ code: "no_peer" });
});

describe("a frontend", () => {
  const forever = { timeout: Infinity };

  function opened(pair: StepPair): Comm {
    const [frontend] = pair.frontends as [StepEnd];
    pair.kernel.manager.register_target("t", (comm) => void comm.handle("x", () => "answer"));
    const comm = frontend.manager.new_comm("t");
    pair.run();
    return comm;
  }

  it("asks a kernel end that shows itself later than it was looked for", async () => {
    const pair = new StepPair();
    const { sessions } = (pair.frontends as [StepEnd])[0].manager;
    sessions.decline();
    const comm = opened(pair);
    sessions.join();
    const answer = comm.request("x", {}, forever); // before the kernel end has answered the hello
    const ready = comm.ready(forever);
    sessions.decline(); // the kernel's answer was on its way; it is about the time before
    pair.passTime(1);
    await settled();
    pair.passTime(1);
    expect(await answer).toBe("answer");
    expect((await ready).session).toBe("kernel");
  });

  it("does not wait for a kernel end that has left", async () => {
    const pair = new StepPair().join();
    const comm = opened(pair);
    pair.kernel.manager.get_comm(comm.comm_id)?.handle("x", () => new Promise(() => undefined));
    const asked = comm.request("x", {}, forever);
    pair.kernel.manager.sessions.leave();
    pair.run();
    for (const wait of [asked, comm.request("x", {}, forever), comm.ready(forever)]) {
      await expect(wait).rejects.toMatchObject({ code: "no_peer" });
    }
  });
});

it("a malformed control message is reported, and harms nobody", () => {
  const { pair, frontend, comm, got } = joined();
  const { kernel } = pair;
  frontend.manager.sessions.join();
  const [link] = kernel.links;
  const hello = link?.drop("shell");
  if (hello == null) throw new Error("no hello was sent");
  kernel.manager.receive({ ...hello, content: { ...hello.content, data: { seen: 1 } } });
  expect(kernel.errors.map(String)).toEqual([expect.stringContaining("tsushin.session: seen")]);
  comm.send({ n: 0 });
  pair.passTime(5);
  expect(got).toEqual([0]);
});

it("the wait for all to arrive ends with the kernel", async () => {
  const { pair, comm } = joined();
  comm.send({ n: 1 });
  const drained = comm.drain({ timeout: Infinity });
  pair.kernel.manager.lose("gone");
  await expect(drained).resolves.toBeUndefined();
});
