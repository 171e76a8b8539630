/**
 * Every way one comm can go between a kernel and two frontends, with real routers: STYLE 3; the twin of
 * `tests/protocol/test_states_exhaustive.py`, with the same settings and as many worlds.
 *
 * Channels are FIFO, iopub is a broadcast, each end sends at most two messages, either side opens. A world
 * is plain data: what each end knows, and what is on its way. Each move copies it and lets one end do one
 * thing with a router built from that data. Conforming ends never meet a fault; a loss and an open sent
 * twice are explored too.
 */
import { describe, expect, it } from "vitest";
import { DuplicateComm } from "../../src/errors.js";
import type { Event } from "../../src/protocol/events.js";
import type { CommType } from "../../src/protocol/messages.js";
import { msgType, newHeader, newMessage } from "../../src/protocol/messages.js";
import type { CommRecord, OnUnknown } from "../../src/protocol/routing.js";
import { Router, newRecord } from "../../src/protocol/routing.js";
import type { State } from "../../src/protocol/states.js";

const ENDS = ["kernel", "first", "second"] as const;
const ID = "c1";
const NOTHING = { data: {} };

type Name = (typeof ENDS)[number];

/** What may happen besides opening, sending and closing. */
interface Rules {
  opener: "kernel" | "first";
  /** The ends that know the target; all of them unless told. */
  knows?: readonly Name[];
  /** What frontends do with an open for another target; "close" unless told. */
  on_unknown?: OnUnknown;
  /** How many messages each end may send; two unless told. */
  messages?: number;
  closers?: readonly Name[];
  mayLose?: true;
  mayRepeatOpen?: true;
  mayAdopt?: true;
  /** A frontend that registers the target at any time, and keeps what comes until then. */
  keeper?: "second";
}

interface End {
  state: State;
  /** The router remembers the id as closed. */
  remembers: boolean;
  /** How many messages it may still send. */
  left: number;
}

interface Way {
  readonly from: Name;
  readonly to: Name;
  queue: CommType[];
}

/** Where everybody is, and what is under way. */
interface World {
  ends: Record<Name, End>;
  /** Two copies of iopub, two shells. */
  ways: Way[];
  /** A comm_info_reply on its way to the second frontend has the comm; null before it asked. */
  listed: boolean | null;
  lost: boolean;
  repeated: boolean;
  /** What the keeper keeps. */
  waiting: CommType[];
  /** How many messages the keeper's application got. */
  heard: number;
  registered: boolean;
}

type Move = (next: World) => void;

function start({ messages: left = 2 }: Rules): World {
  const end = (): End => ({ state: "UNOPENED", remembers: false, left });
  const ways: Way[] = [
    { from: "kernel", to: "first", queue: [] },
    { from: "kernel", to: "second", queue: [] },
    { from: "first", to: "kernel", queue: [] },
    { from: "second", to: "kernel", queue: [] },
  ];
  const ends = { kernel: end(), first: end(), second: end() };
  const nobody = { listed: null, lost: false, repeated: false };
  return { ends, ways, ...nobody, waiting: [], heard: 0, registered: false };
}

function newRouter(name: Name, rules: Rules, world: World): Router {
  const { knows = ENDS, on_unknown = "close", keeper } = rules;
  const elsewhere = name === keeper ? "keep" : on_unknown;
  const router = new Router({
    channel: name === "kernel" ? "iopub" : "shell",
    session: name,
    on_unknown: name === "kernel" ? "close" : elsewhere,
    knowsTarget: () => (name === keeper ? world.registered : knows.includes(name)),
    newMsgId: () => "m",
  });
  if (name === keeper) for (const msg_type of world.waiting) receive(router, msg_type);
  return router;
}

function receive(router: Router, msg_type: CommType): void {
  const header = newHeader(msg_type, { msg_id: "m", session: "s", now_ms: 0 });
  const content = { comm_id: ID, target_name: "t", data: {} };
  router.receive(newMessage("shell", header, { content }), 0);
}

function post(world: World, from: Name, msg_type: CommType): void {
  for (const way of world.ways) if (way.from === from) way.queue.push(msg_type);
}

/** Let one end act with its router, note what that leaves behind, and return the events. */
function step(
  world: World,
  name: Name,
  rules: Rules,
  act: (router: Router, record: CommRecord) => void,
): Event[] {
  const end = world.ends[name];
  const router = newRouter(name, rules, world);
  const record = newRecord(ID, "t", true);
  if (end.state === "OPEN") router.adopt(record);
  if (end.remembers) router.rememberClosed(ID);
  record.state = end.state;

  act(router, record);
  const events = router.events();
  const replies = events.map((event) => (event.type === "fault" ? event.error.reply : null));
  for (const message of [...replies, ...router.messagesToSend()])
    if (message !== null) post(world, name, msgType(message) as CommType);
  end.state = (router.record(ID) ?? record).state;
  if (name === rules.keeper) world.heard += events.filter(({ type }) => type === "received").length;
  receive(router, "comm_msg"); // nobody's message: how it is taken says whether the id is remembered
  end.remembers = router.events().some(({ type }) => type === "late");
  return events;
}

function deliver(world: World, index: number, rules: Rules): void {
  const way = world.ways[index];
  const msg_type = way?.queue.shift();
  if (way === undefined || msg_type === undefined) throw new Error("nothing to deliver");
  const before = { ...world.ends[way.to] };
  const events = step(world, way.to, rules, (router) => receive(router, msg_type));
  if (way.to === rules.keeper && !world.registered && isForWaiting(world, msg_type)) {
    if (events.length > 0) throw new Error("something was heard before the target is there");
    world.waiting = msg_type === "comm_close" ? [] : [...world.waiting, msg_type];
    return;
  }
  const [event] = events;
  if (event === undefined || events.length > 1) throw new Error("expected one event");
  const refused = msg_type === "comm_open" && !(rules.knows ?? ENDS).includes(way.to);
  if (!isRight(event, way.to, before, world, refused))
    throw new Error(`${event.type} at ${way.to} for ${msg_type}: ${JSON.stringify(before)}`);
}

function isForWaiting({ waiting }: World, msg_type: CommType): boolean {
  return msg_type === "comm_open" || waiting.length > 0;
}

/** The application registers the target: what waited is there at once, in order. */
function register(world: World, rules: Rules): void {
  const waited = world.waiting;
  const events = step(world, "second", rules, (router) => {
    world.registered = true;
    router.release("t", 0);
  });
  const types = events.map(({ type }) => type);
  const expected = waited.map((msg_type) => (msg_type === "comm_open" ? "opened" : "received"));
  if (types.join() !== expected.join()) throw new Error(`${types.join()} for ${waited.join()}`);
  world.waiting = [];
}

/** Say whether what an end makes of a message is what it should be where it stood. */
function isRight(event: Event, name: Name, before: End, world: World, refused: boolean): boolean {
  const { type } = event;
  if (type === "fault") {
    const harmless = before.state !== "OPEN" || event.error.reply === null;
    return harmless && (refused || world.repeated);
  }
  if (before.state === "OPEN") return type === "received" || type === "closed";
  if (before.remembers) return type === "late";
  // A kernel hears of comms it does not know only in another life.
  return type === "opened" || (type === "unknown" && (name !== "kernel" || world.lost));
}

function adopt(world: World, rules: Rules): void {
  const { state, remembers } = world.ends.second;
  world.listed = false;
  step(world, "second", rules, (router) => {
    try {
      router.adopt(newRecord(ID, "t", false));
    } catch (error) {
      if (!(error instanceof DuplicateComm) || !(remembers || state === "OPEN")) throw error;
    }
  });
}

function lose(world: World, rules: Rules, names: readonly Name[]): void {
  for (const name of names) {
    step(world, name, rules, (router) => router.lose("gone"));
    if (world.ends[name].state === "OPEN") throw new Error(`${name} is open after a loss`);
  }
  for (const way of world.ways)
    if (names.includes(way.from) || names.includes(way.to)) way.queue = [];
  if (names.includes("second")) world.listed = null;
  world.lost = true;
}

/** Yield every move there is. */
function* moves(world: World, rules: Rules): Generator<Move> {
  const { opener } = rules;
  if (world.ends[opener].state === "UNOPENED" && !world.lost)
    yield (next) => step(next, opener, rules, (router, comm) => router.sendOpen(comm, NOTHING, 0));
  for (const name of ENDS) if (world.ends[name].state === "OPEN") yield* calls(world, rules, name);
  for (const [index, { queue }] of world.ways.entries())
    if (queue.length > 0) yield (next) => deliver(next, index, rules);
  if (rules.keeper !== undefined && !world.registered) yield (next) => register(next, rules);
  if (rules.mayAdopt) yield* listings(world, rules);
  if (rules.mayRepeatOpen && !world.repeated) yield* repeats(world);
  if (rules.mayLose && !world.lost) {
    yield (next) => lose(next, rules, ENDS); // the kernel died
    yield (next) => lose(next, rules, ["first"]); // the first frontend's link broke
  }
}

function* calls(world: World, rules: Rules, name: Name): Generator<Move> {
  if ((rules.closers ?? ENDS).includes(name))
    yield (next) => step(next, name, rules, (router, comm) => router.sendClose(comm, NOTHING, 0));
  if (world.ends[name].left > 0)
    yield (next) => {
      next.ends[name].left -= 1;
      step(next, name, rules, (router, comm) => router.sendMsg(comm, NOTHING, 0));
    };
}

/** The second frontend asks what is open; the reply is not ordered with what it hears on iopub. */
function* listings(world: World, rules: Rules): Generator<Move> {
  if (world.listed === null && world.ends.kernel.state === "OPEN")
    yield (next) => {
      next.listed = true;
    };
  if (world.listed) yield (next) => adopt(next, rules);
}

function* repeats(world: World): Generator<Move> {
  for (const name of ENDS)
    if (world.ends[name].state !== "UNOPENED")
      yield (next) => {
        post(next, name, "comm_open");
        next.repeated = true;
      };
}

/** Return every world that can be reached; throws at the first wrong step. */
function explore(rules: Rules): World[] {
  const seen = new Map<string, World>();
  const first = start(rules);
  seen.set(JSON.stringify(first), first);
  for (const [text, world] of seen) {
    for (const move of moves(world, rules)) {
      const next = JSON.parse(text) as World;
      move(next);
      const key = JSON.stringify(next);
      if (!seen.has(key)) seen.set(key, next);
    }
  }
  return [...seen.values()];
}

/** Return the worlds in which nothing is under way. */
function quiet(rules: Rules): World[] {
  return explore(rules).filter(({ ways }) => ways.every(({ queue }) => queue.length === 0));
}

function states({ ends }: World): State[] {
  return ENDS.map((name) => ends[name].state);
}

const KEEPING: Rules = { opener: "kernel", closers: ["kernel", "first"], keeper: "second" };
const ONE_KNOWS = { knows: ["kernel", "first"], on_unknown: "ignore" } as const;

// What can happen, and how many worlds that makes: a change here is a change of the rules.
const CASES: [string, Rules, number][] = [
  ["the kernel opens", { opener: "kernel" }, 9196],
  ["the kernel opens, one frontend knows", { opener: "kernel", ...ONE_KNOWS }, 856],
  ["the kernel opens, no frontend knows", { opener: "kernel", knows: ["kernel"] }, 230],
  ["a frontend opens", { opener: "first" }, 625],
  [
    "a frontend opens what the kernel does not know",
    { opener: "first", knows: ["first", "second"] },
    61,
  ],
  ["a frontend opens, another adopts", { opener: "first", mayAdopt: true }, 10126],
  [
    "the kernel opens, one frontend adopts",
    { opener: "kernel", ...ONE_KNOWS, messages: 1, mayAdopt: true },
    1991,
  ],
  ["a frontend opens, a loss", { opener: "first", mayLose: true }, 812],
  ["the kernel opens, a loss", { opener: "kernel", messages: 1, mayLose: true }, 1668],
  [
    "a frontend opens, an open is repeated",
    { opener: "first", messages: 1, mayRepeatOpen: true },
    3373,
  ],
  [
    "the kernel opens, an open is repeated",
    { opener: "kernel", ...ONE_KNOWS, mayRepeatOpen: true },
    7216,
  ],
  ["the kernel opens, one frontend registers late", KEEPING, 5006],
];

describe("no input lands on an empty cell", () => {
  it.each(CASES)("%s", (_, rules, count) => {
    // That every step of `explore` passed its checks says so; the count says that it went somewhere.
    expect(explore(rules).length).toBe(count);
  });
});

describe.each(["kernel", "first"] as const)("once nothing is under way, %s opening", (opener) => {
  it("both ends agree", () => {
    const pairs = quiet({ opener, ...ONE_KNOWS }).map(({ ends }) => [
      ends.kernel.state,
      ends.first.state,
    ]);
    expect(new Set(pairs.map(String))).toEqual(
      new Set(["UNOPENED,UNOPENED", "OPEN,OPEN", "CLOSED,CLOSED"]),
    );
  });

  it("an adopted comm does not outlive the kernel's close", () => {
    const rules: Rules = { opener, ...ONE_KNOWS, messages: 1, closers: ["kernel"], mayAdopt: true };
    const ended = quiet(rules).filter(({ ends, listed }) => {
      return !listed && ends.kernel.state === "CLOSED";
    });
    expect(ended).not.toEqual([]);
    expect(ended.filter((world) => states(world).includes("OPEN"))).toEqual([]);
  });
});

it("a kernel that is open once nothing is under way has no frontend that closed", () => {
  const open = quiet({ opener: "kernel", messages: 1 }).filter(({ ends }) => {
    return ends.kernel.state === "OPEN";
  });
  expect(new Set(open.map((world) => states(world).join()))).toEqual(new Set(["OPEN,OPEN,OPEN"]));
});

describe("a frontend that registers late", () => {
  it("gets the comm and every message once", () => {
    const open = quiet(KEEPING).filter(({ registered, ends }) => {
      return registered && ends.kernel.state === "OPEN";
    });
    expect(open).not.toEqual([]);
    for (const { ends, heard } of open)
      expect([ends.second.state, heard]).toEqual(["OPEN", 2 - ends.kernel.left]);
  });

  it("says nothing while it only keeps", () => {
    const waiting = explore(KEEPING).filter(({ registered }) => !registered);
    const said = waiting.flatMap(({ ways }) => ways.filter(({ from }) => from === "second"));
    expect(said.filter(({ queue }) => queue.length > 0)).toEqual([]);
  });
});
