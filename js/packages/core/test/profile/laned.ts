/** A kernel end and frontends with lanes, stepped; and what they got. */
import type { Comm } from "../../src/comm.js";
import type { Message } from "../../src/protocol/messages.js";
import type { MemoryTransport } from "../../src/transports/memory.js";
import type { StepEnd, StepOptions } from "../pair.js";
import { StepPair } from "../pair.js";

/** A kernel end and frontends, each with what it got on target "t", the kernel end on "k". */
export class LanedWorld {
  readonly pair: StepPair;
  readonly kernel: StepEnd;
  readonly first: StepEnd;
  readonly got: unknown[][];
  readonly back: unknown[] = [];

  constructor(options: StepOptions = {}) {
    this.pair = new StepPair({ on_unknown: "ignore", ...options });
    this.kernel = this.pair.kernel;
    [this.first] = this.pair.frontends as [StepEnd];
    this.got = this.pair.frontends.map((end) => listen(end, "t"));
    this.back = listen(this.kernel, "k");
    this.pair.join();
  }

  /** Give frontends (the first unless given) a lane, and let everything arrive. */
  lanes(...fronts: number[]): MemoryTransport[] {
    const which = fronts.length > 0 ? fronts : [0];
    const made = which.map((i) => this.pair.lane(this.pair.frontends[i] ?? this.first));
    this.pair.run();
    return made;
  }

  /** Open a comm from the kernel that the frontends have accepted. */
  comm(): Comm {
    const comm = this.kernel.manager.new_comm("t");
    this.pair.passTime(1);
    return comm;
  }

  /** Take what is under way to an end, by its lane and by the standard route. */
  under(end = this.first): { lane: Message[]; standard: Message[] } {
    const take = (links: readonly MemoryTransport[]) =>
      links.flatMap((link) =>
        link.held().flatMap((channel) => {
          const taken: Message[] = [];
          for (let one = link.drop(channel); one !== null; one = link.drop(channel))
            taken.push(one);
          return taken;
        }),
      );
    return { lane: take(end.lanes), standard: take(end.links) };
  }
}

export function listen({ manager }: StepEnd, target: string): unknown[] {
  const got: unknown[] = [];
  manager.register_target(target, (comm) => {
    comm.on_msg(({ content, buffers }) =>
      got.push(buffers.length === 0 ? content.data.n : buffers[0]?.byteLength),
    );
    comm.on_gap((missed) => got.push(`gap ${missed}`));
  });
  return got;
}
