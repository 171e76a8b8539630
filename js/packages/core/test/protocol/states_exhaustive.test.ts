/**
 * Every way a comm between a kernel and two frontends can go, as far as the table knows: channels keep
 * their order, iopub is a broadcast, each end sends at most two messages, either side opens, the kernel may
 * refuse, the second frontend may know the target or not, the kernel may die at any moment.
 *
 * Claim: between conforming ends no input lands on an empty cell of the table.
 */
import { describe, expect, it } from "vitest";
import type { Input, State } from "../../src/protocol/states.js";
import { advance } from "../../src/protocol/states.js";

type Name = "kernel" | "first" | "second";
type Kind = "OPEN" | "MSG" | "CLOSE";

interface World {
  /** State of the comm at each end, and how many messages that end has sent. */
  ends: Record<Name, { state: State; sent: number }>;
  /** To the kernel from each frontend (shell), and from the kernel to each (iopub). */
  queues: Record<"first>" | "second>" | ">first" | ">second", Kind[]>;
}
interface Rules {
  opener: "kernel" | "first";
  kernelKnows: boolean;
  secondKnows: boolean;
  /** How many different worlds there are. */
  worlds: number;
}

const FRONTENDS = ["first", "second"] as const;
const MAX_SENT = 2;

const START: World = {
  ends: {
    kernel: { state: "UNOPENED", sent: 0 },
    first: { state: "UNOPENED", sent: 0 },
    second: { state: "UNOPENED", sent: 0 },
  },
  queues: { "first>": [], "second>": [], ">first": [], ">second": [] },
};

function enter(world: World, name: Name, input: Input): void {
  const outcome = advance(world.ends[name].state, input);
  if (outcome === null) throw new Error(`${name}: ${input} in ${world.ends[name].state}`);
  if (outcome !== "late") world.ends[name].state = outcome;
}

function send(world: World, name: Name, kind: Kind): void {
  enter(world, name, `SEND_${kind}`);
  if (kind === "MSG") world.ends[name].sent += 1;
  if (name === "kernel") for (const to of FRONTENDS) world.queues[`>${to}`].push(kind);
  else world.queues[`${name}>`].push(kind);
}

function receive(world: World, name: Name, kind: Kind, rules: Rules): void {
  // Somebody else's comm: unknown ids never reach the table.
  if (world.ends[name].state === "UNOPENED" && kind !== "OPEN") return;
  const knows = { kernel: rules.kernelKnows, first: true, second: rules.secondKnows };
  if (kind !== "OPEN" || knows[name]) enter(world, name, `RECV_${kind}`);
  else if (name === "kernel") refuse(world);
}

/** An unknown target is answered by a close, and its id remembered as closed. */
function refuse(world: World): void {
  world.ends.kernel.state = "CLOSED";
  for (const to of FRONTENDS) world.queues[`>${to}`].push("CLOSE");
}

function deliver(world: World, queue: Kind[], to: Name, rules: Rules): void {
  const kind = queue.shift();
  if (kind !== undefined) receive(world, to, kind, rules);
}

function* moves(world: World, rules: Rules): Generator<(next: World) => void> {
  if (world.ends[rules.opener].state === "UNOPENED")
    yield (next) => send(next, rules.opener, "OPEN");
  for (const name of ["kernel", ...FRONTENDS] as const) {
    if (world.ends[name].state !== "OPEN") continue;
    if (world.ends[name].sent < MAX_SENT) yield (next) => send(next, name, "MSG");
    yield (next) => send(next, name, "CLOSE");
  }
  for (const name of FRONTENDS) {
    const [up] = world.queues[`${name}>`];
    const [down] = world.queues[`>${name}`];
    if (up) yield (next) => deliver(next, next.queues[`${name}>`], "kernel", rules);
    if (down) yield (next) => deliver(next, next.queues[`>${name}`], name, rules);
  }
  yield (next) => {
    for (const name of ["kernel", ...FRONTENDS] as const) enter(next, name, "LOSE");
    for (const queue of Object.values(next.queues)) queue.length = 0;
  };
}

function explore(rules: Rules): World[] {
  const seen = new Map<string, World>([[JSON.stringify(START), START]]);
  for (const world of seen.values()) {
    for (const move of moves(world, rules)) {
      const next = structuredClone(world);
      move(next);
      const key = JSON.stringify(next);
      if (!seen.has(key)) seen.set(key, next);
    }
  }
  return [...seen.values()];
}

describe.each<Rules>([
  { opener: "kernel", kernelKnows: true, secondKnows: true, worlds: 9196 },
  { opener: "kernel", kernelKnows: true, secondKnows: false, worlds: 856 },
  { opener: "first", kernelKnows: true, secondKnows: false, worlds: 625 },
  { opener: "first", kernelKnows: false, secondKnows: false, worlds: 64 },
])("$opener opens, kernel knows: $kernelKnows, second frontend knows: $secondKnows", (rules) => {
  const worlds = explore(rules);

  it("never meets an empty cell", () => {
    // That `explore` came to an end says so; the count says that it went somewhere.
    expect(worlds.length).toBe(rules.worlds);
  });

  it("leaves both ends agreed once nothing is under way", () => {
    const quiet = worlds.filter((world) =>
      Object.values(world.queues).every((q) => q.length === 0),
    );
    const isOpen = ({ ends }: World, name: Name) => ends[name].state === "OPEN";
    const ahead = quiet.filter((world) => isOpen(world, "kernel") && !isOpen(world, "first"));
    const behind = quiet.filter((world) => isOpen(world, "first") && !isOpen(world, "kernel"));
    expect(ahead).toEqual([]);
    // The kernel does not echo a close (STYLE 3): after the second frontend's the first learns nothing.
    if (!rules.secondKnows) expect(behind).toEqual([]);
  });
});
