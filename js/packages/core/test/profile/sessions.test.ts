/**
 * The sessions of a kernel end and a frontend: nothing is lost, doubled or out of order; the twin of
 * `tests/profile/test_sessions.py`. Real managers over a memory link; what it does is chosen by the tests.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Comm } from "../../src/comm.js";
import { CommManager } from "../../src/manager.js";
import { TARGET, isControl } from "../../src/profile/control.js";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.js";
import type { Channel } from "../../src/protocol/messages.js";
import type { End, PairOptions } from "../pair.js";
import { StepPair, commPair } from "../pair.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A stepped link between a kernel end and a frontend; what the frontend gets on target "t". */
class World {
  readonly kernel: End;
  readonly frontend: End;
  readonly got: unknown[] = [];
  readonly back: unknown[] = [];

  constructor(options: PairOptions = {}) {
    const { kernel, frontend } = commPair({ on_unknown: "ignore", ...options });
    this.kernel = kernel;
    this.frontend = frontend;
    kernel.transport.hold();
    frontend.transport.hold();
    frontend.manager.register_target("t", listen(this.got));
    kernel.manager.register_target("k", listen(this.back));
  }

  join(): this {
    this.frontend.manager.sessions.join();
    this.run();
    return this;
  }

  /** Let everything arrive. */
  run(): void {
    const ends = [this.kernel.transport, this.frontend.transport];
    while (ends.some((end) => end.held().length > 0)) for (const end of ends) end.stepAll();
  }

  async pass(seconds: number): Promise<void> {
    const step = 0.25;
    for (let passed = 0; passed < seconds; passed += step) {
      this.run();
      await vi.advanceTimersByTimeAsync(step * 1e3);
    }
    this.run();
    await vi.advanceTimersByTimeAsync(0);
  }

  /** Lose what is held for an end. */
  lose(end: End, channel: Channel, most = Infinity): void {
    for (let n = 0; n < most && end.transport.drop(channel) !== null; n += 1);
  }
}

function listen(into: unknown[]) {
  return (comm: Comm) => {
    comm.on_msg(({ content }) => into.push(content.data.n));
    comm.on_close(() => into.push("closed"));
    comm.on_gap((missed) => into.push(`gap ${missed}`));
  };
}

const sessionsOf = (end: End) => end.manager.peers.map(({ session }) => session);

describe("a hello", () => {
  it("is answered, and both ends know each other", () => {
    const world = new World().join();
    expect(sessionsOf(world.kernel)).toEqual([world.frontend.manager.session]);
    expect(sessionsOf(world.frontend)).toEqual([world.kernel.manager.session]);
  });

  it("says nothing that users see", () => {
    const world = new World().join();
    expect(world.kernel.manager.comm_info()).toEqual({ status: "ok", comms: {} });
    expect([world.kernel.manager.unknown, world.frontend.manager.unknown]).toEqual([0, 0]);
    expect(world.kernel.manager.comm_info(TARGET).comms).toEqual({
      [TARGET]: { target_name: TARGET },
    });
  });

  it("is said once where the kernel end is found while it is under way", async () => {
    const world = new World();
    const seen: boolean[] = [];
    world.kernel.manager.on_peer((_peer, is_live) => seen.push(is_live));
    world.frontend.manager.sessions.join();
    world.frontend.manager.sessions.found();
    world.run();
    expect(world.frontend.manager.peers).toHaveLength(1);
    world.frontend.manager.sessions.found();
    expect(world.kernel.transport.held()).toEqual(["shell"]);
    world.run();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual([true]);
  });

  it("is ended by a goodbye of either end", () => {
    const world = new World().join();
    world.frontend.manager.sessions.leave();
    world.run();
    expect(sessionsOf(world.kernel)).toEqual([]);
    world.join();
    world.kernel.manager.sessions.leave();
    world.run();
    expect(sessionsOf(world.frontend)).toEqual([]);
  });

  it.each([[{ profile: "1" }], [{ profile: 1 }], [[]], [{ seen: { c: -1 } }]])(
    "that is malformed (%j) is a fault",
    (data) => {
      const world = new World().join();
      const { content, ...message } = helloOf(world);
      world.kernel.manager.receive({ ...message, content: { ...content, data } });
      expect(String(world.kernel.errors.at(-1))).toContain(`${TARGET}: `);
      expect(sessionsOf(world.kernel)).toHaveLength(1);
    },
  );
});

function helloOf(world: World) {
  world.frontend.manager.sessions.join();
  const message = world.kernel.transport.drop("shell");
  if (message === null) throw new Error("no hello was sent");
  return message;
}

describe("without a peer", () => {
  it("messages have no number and nothing is said", async () => {
    const world = new World();
    world.kernel.manager.new_comm("t").send({ n: 1 });
    const sent = [world.frontend.transport.drop("iopub"), world.frontend.transport.drop("iopub")];
    expect(sent.map((message) => message?.metadata)).toEqual([{}, {}]);
    await world.pass(100);
    expect(world.frontend.transport.held()).toEqual([]);
  });
});

describe("what was lost", () => {
  it.each([[0], [1], [2], [3]])("is sent again: message %i", async (lost) => {
    const world = new World().join();
    const comm = world.kernel.manager.new_comm("t");
    world.run();
    for (let n = 0; n < 4; n += 1) {
      comm.send({ n });
      if (n === lost) world.lose(world.frontend, "iopub");
      world.run();
    }
    await world.pass(20);
    expect(world.got).toEqual([0, 1, 2, 3]);
  });

  it("is sent again by a frontend too, with its binary", async () => {
    const world = new World().join();
    const comm = world.frontend.manager.new_comm("k");
    world.run();
    for (let n = 0; n < 5; n += 1) comm.send({ n });
    const arrival = world.kernel.manager.get_comm(comm.comm_id);
    arrival?.on_msg((msg) => world.back.push([...(msg.buffers[0] ?? [])]));
    comm.send({}, null, [Uint8Array.of(1, 2)]);
    world.lose(world.kernel, "shell");
    await world.pass(20);
    expect(world.back).toEqual([[], [], [], [], [], [1, 2]]);
  });

  it("and is not kept any more is a gap that the comm hears of", async () => {
    const limits = { ...DEFAULT_LIMITS, max_history_messages: 4 };
    const world = new World({ limits }).join();
    const comm = world.kernel.manager.new_comm("t");
    world.run();
    for (let n = 0; n < 10; n += 1) comm.send({ n });
    world.lose(world.frontend, "iopub");
    await world.pass(60);
    expect(new Set(world.got)).toEqual(new Set(["gap 6", 6, 7, 8, 9]));
  });

  it("while the link was away comes after another hello", async () => {
    const world = new World().join();
    const [comm, back] = [world.kernel.manager.new_comm("t"), world.frontend.manager.new_comm("k")];
    world.run();
    for (let n = 0; n < 5; n += 1) {
      comm.send({ n });
      back.send({ n });
    }
    world.lose(world.frontend, "iopub");
    world.lose(world.kernel, "shell");
    world.frontend.manager.sessions.join();
    await world.pass(10);
    expect([world.got, world.back]).toEqual([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ]);
  });
});

it("keeps nothing and says nothing when all have everything", async () => {
  const world = new World().join();
  const comm = world.kernel.manager.new_comm("t");
  for (let n = 0; n < 300; n += 1) comm.send({ n });
  await world.pass(10);
  expect(world.got).toEqual(Array.from({ length: 300 }, (_none, i) => i));
  await vi.advanceTimersByTimeAsync(3600e3);
  expect([world.kernel.transport.held(), world.frontend.transport.held()]).toEqual([[], []]);
});

describe("a link that is away", () => {
  it("makes nothing due: no hole is given up, and nobody is silent", async () => {
    const world = new World().join();
    const [comm, back] = [world.kernel.manager.new_comm("t"), world.frontend.manager.new_comm("k")];
    world.run();
    comm.send({ n: 0 });
    world.lose(world.frontend, "iopub");
    comm.send({ n: 1 }); // behind a hole
    world.frontend.transport.stepAll();
    back.send({ n: 0 });
    world.lose(world.kernel, "shell");
    world.frontend.manager.sessions.pause();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(world.kernel.transport.held()).toEqual([]);
    expect([world.got, world.frontend.manager.peers.length]).toEqual([[], 1]);
  });

  it("is made up for when it is back, with its whole time", async () => {
    const world = new World().join();
    const comm = world.kernel.manager.new_comm("t");
    world.run();
    comm.send({ n: 0 });
    world.lose(world.frontend, "iopub");
    comm.send({ n: 1 });
    world.frontend.transport.stepAll();
    await vi.advanceTimersByTimeAsync(30_000); // it is given up after 31 s
    world.frontend.manager.sessions.pause();
    await vi.advanceTimersByTimeAsync(10_000);
    world.lose(world.kernel, "shell");
    world.frontend.manager.sessions.join();
    world.lose(world.kernel, "shell");
    await vi.advanceTimersByTimeAsync(30_000);
    expect(world.got).toEqual([]);
    await world.pass(20);
    expect(world.got).toEqual([0, 1]);
  });

  it("keeps what is to be said of requests until it is back", async () => {
    const world = new World().join();
    const { sessions } = world.frontend.manager;
    const comm = world.frontend.manager.new_comm("k");
    world.run();
    const signals: AbortSignal[] = [];
    const there = world.kernel.manager.get_comm(comm.comm_id);
    there?.handle("x", async (_msg, { signal }) => {
      signals.push(signal);
      await new Promise(() => undefined);
    });
    const controller = new AbortController();
    comm.request("x", null, { signal: controller.signal }).catch(() => undefined);
    world.run();
    sessions.pause();
    controller.abort();
    world.lose(world.kernel, "shell"); // as the host does
    sessions.join();
    await world.pass(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it("goes on where the kernel does not say whether it has such an end", async () => {
    const world = new World().join();
    world.frontend.manager.sessions.pause();
    world.frontend.manager.new_comm("k").send({ n: 0 });
    world.lose(world.kernel, "shell");
    world.frontend.manager.sessions.decline();
    await world.pass(3);
    expect(world.back).toEqual([0]);
  });
});

it("forgets a peer that answers nothing any more", async () => {
  const world = new World().join();
  const seen: unknown[] = [];
  world.kernel.manager.on_peer((peer, is_live) => seen.push([peer.session, is_live]));
  world.kernel.manager.new_comm("t").send({ n: 1 });
  await vi.advanceTimersByTimeAsync(126_900);
  expect(seen).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(sessionsOf(world.kernel)).toEqual([]);
  expect(seen).toEqual([[world.frontend.manager.session, false]]);
});

it("loses every comm where the kernel end is another one", async () => {
  const [first, second] = [new World().join(), new World()];
  first.kernel.manager.new_comm("t");
  first.run();
  const { content, ...message } = helloOf(first);
  second.kernel.manager.receive({ ...message, content: { ...content } });
  const answer = second.frontend.transport.drop("iopub");
  if (answer === null) throw new Error("no answer");
  // The next life of the kernel has the same session, as with a server that hides the restart.
  const data = { ...(answer.content.data as object), session: first.kernel.manager.session };
  first.frontend.manager.receive({ ...answer, content: { ...answer.content, data } });
  await vi.advanceTimersByTimeAsync(0);
  expect(first.got).toEqual(["closed"]);
});

describe("flow", () => {
  it("sends so much and the rest when it arrives; drained is when all has", async () => {
    const world = new World().join();
    const comm = world.kernel.manager.new_comm("t");
    for (let n = 0; n < 2000; n += 1) comm.send({ n });
    let isDrained = false;
    void comm.drain({ timeout: 60 }).then(() => (isDrained = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(isDrained).toBe(false);
    await world.pass(30);
    expect([isDrained, world.got.length]).toEqual([true, 2000]);
  });

  it("sends only the newest of one key of what waits", async () => {
    const world = new World().join();
    const comm = world.kernel.manager.new_comm("t");
    for (let n = 0; n < 2000; n += 1) comm.send({ n }, null, null, { coalesce: "k" });
    await world.pass(30);
    expect(world.got.at(-1)).toBe(1999);
    expect(world.got.length).toBeLessThan(600);
  });

  it("says that a full queue is full", () => {
    const world = new World({ limits: { ...DEFAULT_LIMITS, max_queue_bytes: 1000 } }).join();
    const comm = world.kernel.manager.new_comm("t");
    const fill = () => {
      for (let n = 0; n < 2000; n += 1) comm.send({ n, text: "x".repeat(100) });
    };
    expect(fill).toThrow("await comm.drain()");
  });
});

describe("any order of loss, repetition and delay", () => {
  type Step = "kernel" | "frontend" | "step" | "drop" | "repeat" | "time" | "hello";
  const steps = fc.array(
    fc.tuple(
      fc.constantFrom<Step>(
        "kernel",
        "frontend",
        "step",
        "step",
        "drop",
        "repeat",
        "time",
        "hello",
      ),
      fc.integer({ min: 1, max: 40 }),
    ),
    { maxLength: 30 },
  );

  it("loses nothing, doubles nothing, keeps the order", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (chosen) => {
        const world = new World().join();
        const [comm, back] = [
          world.kernel.manager.new_comm("t"),
          world.frontend.manager.new_comm("k"),
        ];
        world.run();
        const [sent, sentBack]: number[][] = [[], []];
        for (const [step, times] of chosen) {
          const end = times % 2 === 0 ? world.kernel : world.frontend;
          const channel = times % 2 === 0 ? "shell" : "iopub";
          if (step === "time") await vi.advanceTimersByTimeAsync(times * 10);
          else if (step === "hello") world.frontend.manager.sessions.join();
          else
            for (let i = 0; i < times; i += 1) {
              if (step === "kernel") comm.send({ n: sent?.push(i) });
              else if (step === "frontend") back.send({ n: sentBack?.push(i) });
              else if (end.transport.held().includes(channel)) end.transport[step](channel);
            }
        }
        await world.pass(60);
        expect(world.got).toEqual(sent?.map((_none, i) => i + 1));
        expect(world.back).toEqual(sentBack?.map((_none, i) => i + 1));
      }),
      { numRuns: 40 },
    );
  });
});

it("tells a peer that talks how far it is all the same", async () => {
  const world = new World().join();
  const comm = world.kernel.manager.new_comm("t");
  await world.pass(2);
  comm.send({ n: 1 });
  world.lose(world.frontend, "iopub");
  const [kernel] = world.frontend.manager.peers;
  for (let n = 0; n < 10; n += 1) {
    world.frontend.manager.sessions.credit("c", "r", 1, kernel?.session ?? "");
    await world.pass(0.5);
  }
  expect(world.got).toEqual([1]);
});

it("tells a gap before the message behind it", async () => {
  const world = new World({ limits: { ...DEFAULT_LIMITS, max_history_messages: 1 } }).join();
  const comm = world.kernel.manager.new_comm("t");
  world.run();
  comm.send({ n: 1 });
  world.lose(world.frontend, "iopub");
  comm.send({ n: 2 });
  await world.pass(40);
  expect(world.got).toEqual(["gap 1", 2]);
});

it("loses every comm where the next kernel end has another session, too", async () => {
  const pair = new StepPair().join();
  const [frontend] = pair.frontends;
  if (frontend === undefined) throw new Error("no frontend");
  const got: unknown[] = [];
  frontend.manager.register_target("t", listen(got));
  const comm = pair.kernel.manager.new_comm("t");
  pair.run();
  const waiting = frontend.manager.get_comm(comm.comm_id)?.expect_msg();
  const [link] = pair.kernel.links;
  const next = new CommManager({
    send: (message) => link?.send(message),
    runtime: pair.kernel.runtime,
    channel: "iopub",
    on_unknown: "close",
    session: "kernel-2",
  });
  link?.start({ message: (message) => next.receive(message), fault: ignore, end: ignore });
  frontend.manager.sessions.join();
  pair.passTime(1);
  await expect(waiting).rejects.toMatchObject({ why: "restarted" });
  expect([got, frontend.manager.peers.map(({ session }) => session)]).toEqual([
    ["closed"],
    ["kernel-2"],
  ]);
});

const ignore = () => undefined;

describe("any order of events among a kernel end and two frontends", () => {
  type Act =
    | { act: "kernel sends"; times: number }
    | { act: "frontend sends" | "hello" | "kernel sends to one" | "kernel asks one"; front: number }
    | { act: "lane" | "cut" | "plain"; front: number }
    | { act: "step" | "drop" | "repeat"; choice: number }
    | { act: "time"; seconds: number };
  const front = fc.nat(1);
  const choice = fc.nat(9);
  const acts = fc.array(
    fc.oneof<fc.Arbitrary<Act>[]>(
      fc.record({ act: fc.constant("kernel sends"), times: fc.integer({ min: 1, max: 70 }) }),
      fc.record({
        act: fc.constantFrom("frontend sends", "hello", "kernel sends to one", "kernel asks one"),
        front,
      }),
      fc.record({ act: fc.constantFrom("lane", "lane", "cut", "plain"), front }),
      fc.record({ act: fc.constantFrom("step", "step", "drop", "repeat"), choice }),
      fc.record({
        act: fc.constant("time"),
        seconds: fc.double({ min: 0.01, max: 3, noNaN: true }),
      }),
    ),
    { maxLength: 40 },
  );

  /** Two frontends, what each end was sent and what it got. */
  class Network {
    readonly pair = new StepPair({ frontends: 2, on_unknown: "ignore" });
    readonly sent: unknown[][] = [[], [], []]; // to the kernel, to each frontend
    readonly got: unknown[][] = [[], [], []];
    /** Whom the kernel has asked, and the answers to come. */
    readonly asked: [string, Promise<unknown>][] = [];
    readonly #comm: Comm;
    readonly #back: readonly Comm[];
    #n = 0;

    constructor() {
      const { kernel, frontends } = this.pair;
      kernel.manager.register_target("k", listen(this.got[0] ?? []));
      frontends.forEach(({ manager, name }, i) => {
        const hear = listen(this.got[i + 1] ?? []);
        manager.register_target("t", (comm) => {
          comm.handle("who", () => name);
          hear(comm);
        });
      });
      this.pair.join();
      this.#comm = kernel.manager.new_comm("t");
      this.#back = frontends.map(({ manager }) => manager.new_comm("k"));
      this.pair.run();
    }

    do(what: Act): void {
      const { pair } = this;
      switch (what.act) {
        case "kernel sends":
          for (let i = 0; i < what.times; i += 1) this.#send(this.#comm, [1, 2]);
          return;
        case "frontend sends":
          this.#send(this.#back[0], [0]);
          return;
        case "kernel sends to one":
          this.#send(this.#comm, [what.front + 1], `frontend ${what.front}`);
          return;
        case "kernel asks one": {
          const to = `frontend ${what.front}`;
          const answer = this.#comm.request("who", null, { to, timeout: Infinity });
          this.asked.push([to, answer]);
          return;
        }
        case "lane":
          pair.lane(pair.frontends[what.front] ?? pair.kernel);
          return;
        case "cut":
          pair.frontends[what.front]?.lanes.at(-1)?.cut();
          return;
        case "plain":
          pair.kernel.manager.sessions.heardPlain(`plain ${what.front}`);
          return;
        case "hello":
          pair.frontends[what.front]?.manager.sessions.join();
          return;
        case "time":
          pair.clock.now += what.seconds;
          for (const { runtime } of pair.ends) runtime.ring();
          return;
        default: {
          const choices = pair.choices();
          const chosen = choices[what.choice % choices.length];
          if (chosen === undefined) return;
          if (chosen.link === null) chosen.end.runtime.step();
          // By a lane everything comes, and once, as long as it is there.
          else if (chosen.end.lanes.includes(chosen.link)) chosen.link.step(chosen.channel);
          else chosen.link[what.act](chosen.channel);
        }
      }
    }

    #send(comm: Comm | undefined, to: number[], session: string | null = null): void {
      this.#n += 1;
      comm?.send({ n: this.#n }, null, null, { to: session });
      for (const i of to) this.sent[i]?.push(this.#n);
    }
  }

  it("nothing is lost, doubled or out of order, and in the end nothing is kept", async () => {
    await fc.assert(
      fc.asyncProperty(acts, async (chosen) => {
        const network = new Network();
        for (const what of chosen) {
          network.do(what);
          const begun = network.sent.map((sent, i) => sent.slice(0, network.got[i]?.length));
          expect(network.got).toEqual(begun);
        }
        network.pair.passTime(160);
        expect(network.got).toEqual(network.sent);
        for (const [whom, answer] of network.asked) expect(await answer).toBe(whom);
        network.pair.drop(network.pair.kernel, "shell");
        network.pair.passTime(3600);
        expect(network.pair.choices()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

it("control messages are told by their comm id", () => {
  expect(isControl(`${TARGET}.x`)).toBe(true);
});
