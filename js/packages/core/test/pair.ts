/** Real managers, kernel and frontends, on in-memory links whose delivery the test steps. */
import { TransportError } from "../src/errors.js";
import { CommManager } from "../src/manager.js";
import type { LoadTarget } from "../src/manager.js";
import type { Limits } from "../src/protocol/limits.js";
import type { Channel, Message } from "../src/protocol/messages.js";
import type { OnUnknown } from "../src/protocol/routing.js";
import { PageRuntime } from "../src/runtime.js";
import { MemoryTransport } from "../src/transports/memory.js";

export interface End {
  readonly manager: CommManager;
  readonly transport: MemoryTransport;
  /** What was reported: faults of the peer, and what handlers threw. */
  readonly errors: unknown[];
}

export interface PairOptions {
  limits?: Limits;
  /** What the frontend does with opens it does not know. */
  on_unknown?: OnUnknown;
  /** How the frontend finds targets by their module. */
  load_target?: LoadTarget;
}

export function commPair(options: PairOptions = {}): { kernel: End; frontend: End } {
  const [a, b] = MemoryTransport.pair();
  const kernel = makeEnd(a, "iopub", "close", options);
  return { kernel, frontend: makeEnd(b, "shell", options.on_unknown ?? "close", options) };
}

function makeEnd(
  transport: MemoryTransport,
  channel: "iopub" | "shell",
  on_unknown: OnUnknown,
  { limits, load_target }: PairOptions,
): End {
  const errors: unknown[] = [];
  const manager = new CommManager({
    send: (message) => transport.send(message),
    runtime: new PageRuntime((error) => errors.push(error)),
    channel,
    on_unknown,
    load_target: channel === "shell" ? load_target : undefined,
    ...(limits === undefined ? {} : { limits }),
  });
  transport.start({
    message: (message) => manager.receive(message),
    fault: (error) => errors.push(error),
    end: (error) => manager.lose(error.message, error),
  });
  return { manager, transport, errors };
}

/** The time of a stepped pair, in seconds. */
export interface Clock {
  now: number;
}

/** Runs what is due soon when stepped, and timers by a clock. */
export class StepRuntime extends PageRuntime {
  readonly #clock: Clock;
  readonly #due: (() => void)[] = [];
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  constructor(on_error: (error: unknown) => void, clock: Clock) {
    super(on_error);
    this.#clock = clock;
  }

  override soon(callback: () => void): void {
    this.#due.push(callback);
  }

  override later(delay: number, callback: () => void): void {
    this.#timers.push({ at: this.#clock.now + delay, callback });
  }

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  /** Run the callback that has waited longest. */
  step(): void {
    this.#due.shift()?.();
  }

  /** When the next timer rings; infinity where there is none. */
  get nextTimer(): number {
    return Math.min(Infinity, ...this.#timers.map(({ at }) => at));
  }

  /** Call every timer whose time has come. */
  ring(): void {
    const due = this.#timers.filter(({ at }) => at <= this.#clock.now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#clock.now);
    for (const { callback } of due.sort((a, b) => a.at - b.at)) callback();
  }
}

/** One end of a stepped pair; its session is its name. */
export interface StepEnd {
  readonly name: string;
  readonly manager: CommManager;
  /** One for each peer. */
  readonly links: readonly MemoryTransport[];
  /** Its ends of lanes, those that have ended too. */
  readonly lanes: MemoryTransport[];
  readonly runtime: StepRuntime;
  readonly errors: unknown[];
}

/** What can happen next: a message comes in on one channel of a link, or a callback runs. */
export type Choice =
  | { readonly end: StepEnd; readonly link: MemoryTransport; readonly channel: Channel }
  | { readonly end: StepEnd; readonly link: null };

/** A kernel end and its frontend ends, with a clock that moves when told. */
export class StepPair {
  readonly clock: Clock = { now: 1e9 };
  readonly kernel: StepEnd;
  readonly frontends: readonly StepEnd[];

  constructor({ frontends = 1, on_unknown = "close", limits, ...rest }: StepOptions = {}) {
    const joined = Array.from({ length: frontends }, () => MemoryTransport.pair());
    for (const link of joined.flat()) link.hold();
    const make = (name: string, links: MemoryTransport[], channel: Channel, on: OnUnknown) =>
      makeStepEnd(name, links, this.clock, { channel, on_unknown: on, limits, ...rest });
    const there = joined.map(([link]) => link);
    this.kernel = make("kernel", there, "iopub", "close");
    this.frontends = joined.map(([, link], i) =>
      make(`frontend ${i}`, [link], "shell", on_unknown),
    );
  }

  get ends(): readonly StepEnd[] {
    return [this.kernel, ...this.frontends];
  }

  /** Return what can happen next, the oldest on each channel; empty when nothing is left. */
  choices(): Choice[] {
    const arrivals = this.ends.flatMap((end) =>
      [...end.links, ...end.lanes].flatMap((link) =>
        link.held().map((channel) => ({ end, link, channel })),
      ),
    );
    const due = this.ends.filter(({ runtime }) => runtime.isDue);
    return [...arrivals, ...due.map((end) => ({ end, link: null }))];
  }

  /** Let everything happen, always the first choice. */
  run(): void {
    for (let steps = 0; steps < 100_000; steps += 1) {
      if (!this.step()) return;
    }
    throw new Error("two ends answer each other for ever");
  }

  /** Let the first choice happen; false where there is none. */
  step(): boolean {
    const [choice] = this.choices();
    if (choice === undefined) return false;
    if (choice.link === null) choice.end.runtime.step();
    else choice.link.step(choice.channel);
    return true;
  }

  /** Let frontends, all unless given, say hello to the kernel, and be answered. */
  join(...frontends: StepEnd[]): this {
    const joining = frontends.length > 0 ? frontends : this.frontends;
    for (const { manager } of joining) manager.sessions.join();
    this.run();
    return this;
  }

  /** Let so much time pass: every timer rings when its time has come, and everything happens. */
  passTime(seconds: number): void {
    const until = this.clock.now + seconds;
    for (;;) {
      this.run();
      const next = Math.min(...this.ends.map(({ runtime }) => runtime.nextTimer));
      if (next > until) break;
      this.clock.now = Math.max(this.clock.now, next);
      for (const { runtime } of this.ends) runtime.ring();
    }
    this.clock.now = until;
  }

  /**
   * Give a frontend a lane, held; return its end of it. Each end hears that it begins, or ended (`cut`), when its turn
   * has come.
   */
  lane(frontend: StepEnd): MemoryTransport {
    const [there, here] = MemoryTransport.pair();
    this.#begin(this.kernel, there, frontend.name);
    this.#begin(frontend, here, this.kernel.name);
    return here;
  }

  #begin(end: StepEnd, link: MemoryTransport, peer: string): void {
    const { sessions } = end.manager;
    const send = (message: Message) => {
      try {
        link.send(message);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
      }
    };
    link.hold();
    end.lanes.push(link);
    link.start({
      message: (message) => end.manager.receive(message),
      fault: (error) => end.errors.push(error),
      end: () => end.runtime.soon(() => sessions.laneDown(peer, send)),
    });
    end.runtime.soon(() => sessions.laneUp(peer, send));
  }

  /** Lose what is held for an end; return how many messages that were. */
  drop(end: StepEnd, channel: Channel): number {
    let dropped = 0;
    for (const link of end.links) while (link.drop(channel) !== null) dropped += 1;
    return dropped;
  }
}

export interface StepOptions {
  frontends?: number;
  on_unknown?: OnUnknown;
  limits?: Limits;
  /** The tab of every frontend. */
  tab?: string;
  /** What the route from a frontend takes in one message. */
  max_whole_bytes?: number;
}

function makeStepEnd(
  name: string,
  links: readonly MemoryTransport[],
  clock: Clock,
  facts: {
    channel: Channel;
    on_unknown: OnUnknown;
    limits: Limits | undefined;
    tab?: string;
    max_whole_bytes?: number;
  },
): StepEnd {
  const errors: unknown[] = [];
  const runtime = new StepRuntime((error) => errors.push(error), clock);
  const { channel, on_unknown, limits, tab, max_whole_bytes } = facts;
  const isFrontend = channel === "shell";
  const manager = new CommManager({
    tab: isFrontend ? tab : undefined,
    max_whole_bytes: isFrontend ? max_whole_bytes : null,
    send: (message) => {
      for (const link of links) sendTo(link, message, channel === "iopub");
    },
    runtime,
    channel,
    on_unknown,
    session: name,
    clock: () => clock.now * 1e3,
    ...(limits === undefined ? {} : { limits }),
  });
  for (const link of links) {
    link.start({
      message: (message) => manager.receive(message),
      fault: (error) => errors.push(error),
      end: () => undefined,
    });
  }
  return { name, manager, links, lanes: [], runtime, errors };
}

/** A kernel publishes to whoever is there; a frontend hears that its link is gone. */
function sendTo(link: MemoryTransport, message: Message, isPublished: boolean): void {
  try {
    link.send(message);
  } catch (error) {
    if (!(isPublished && error instanceof TransportError)) throw error;
  }
}

/** Open a comm from the frontend; returns both of its ends. */
export async function openPair(pair = commPair()) {
  const opened = pair.kernel.manager.expect_open("t");
  const there = pair.frontend.manager.new_comm("t");
  return { ...pair, there, here: await opened };
}

/** Let every microtask that is due run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
