/**
 * What a kernel's own messages, and those of a server about it, say about its end; the twin of
 * `src/tsushin/frontend/watch.py`.
 *
 * Jupyter Server writes `status: restarting` when it restarts a kernel that died and `dead` when it gives
 * up. A kernel that is told to end publishes its `shutdown_reply`. A new process behind the same link says
 * `starting`, which a kernel also says at its first start, at times late: it counts where another process,
 * that is another session, answered before, and where nothing else has told of its end.
 *
 * Spec: Jupyter messaging, "Kernel shutdown" and "Kernel status".
 */
import type { KernelGoneWhy } from "../errors.js";
import type { Message } from "../protocol/messages.js";
import { msgType, sessionOf } from "../protocol/messages.js";

const ENDS = new Map<unknown, KernelGoneWhy>([
  ["restarting", "restarted"],
  ["autorestarting", "restarted"],
  ["dead", "died"],
  ["terminating", "shut down"],
]);

/** Follows the processes behind one link, one after the other. */
export class StatusWatch {
  /** That of the process now running, where it is known. */
  #session: string | null = null;

  /** The process that runs now has answered with this message. */
  answered(message: Message): void {
    this.#session = sessionOf(message);
  }

  /** The process is gone, as something else has told. */
  ended(): void {
    this.#session = null;
  }

  /** Return why the kernel is gone, if `message` says so. Show it every message, in order. */
  verdict(message: Message): KernelGoneWhy | null {
    if (message.channel !== "iopub") return null;
    const { execution_state, restart } = message.content;
    switch (msgType(message)) {
      case "shutdown_reply":
        return this.#end(restart === true ? "restarted" : "shut down");
      case "status":
        if (execution_state === "starting") return this.#start(sessionOf(message));
        return this.#end(ENDS.get(execution_state) ?? null);
      default:
        return null;
    }
  }

  #start(session: string): KernelGoneWhy | null {
    const before = this.#session;
    this.#session = session;
    return before === null || before === session ? null : "restarted";
  }

  #end(why: KernelGoneWhy | null): KernelGoneWhy | null {
    if (why !== null) this.ended();
    return why;
  }
}
