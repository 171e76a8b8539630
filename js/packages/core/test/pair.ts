/** Two real managers, kernel and frontend, on an in-memory link whose delivery the test steps. */
import { CommManager } from "../src/manager.js";
import type { LoadTarget } from "../src/manager.js";
import type { Limits } from "../src/protocol/limits.js";
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
