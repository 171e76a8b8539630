/**
 * Real round trips: a comm to the kernel, one ping in flight at a time, each answered by a Python
 * handler. What is timed is everything between `send` and the handler of the answer.
 */
import type { Comm, Frontend } from "tsushin";

/** The target of the chart's comm. */
export const PING_TARGET = "tsushin.ping";
/** A ping without an answer for so long is lost, and the next one is sent. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Registers the target; leaves no name behind in the user's namespace. */
const SETUP = `\
def __tsushin_ping():
    def ping(comm, msg):
        @comm.on_msg
        def answer(msg):
            comm.send(msg['content']['data'])
    get_ipython().kernel.comm_manager.register_target('${PING_TARGET}', ping)
__tsushin_ping()
del __tsushin_ping
`;

export interface PingEvents {
  answered(took_ms: number): void;
  lost(): void;
  /** Measuring ended by itself: the comm was closed or the kernel is gone. */
  ended(reason: string): void;
}

export class PingLoop {
  readonly #events: PingEvents;
  #comm: Comm | null = null;
  #interval_ms = 0;
  #number = 0;
  #sent_ms = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(events: PingEvents, rate_hz: number) {
    this.#events = events;
    this.setRate(rate_hz);
  }

  /**
   * Register the target in the kernel, open the comm and begin.
   *
   * Args:
   *   rate_hz: pings a second; `Infinity` sends the next as soon as the answer is there.
   */
  static async start(frontend: Frontend, rate_hz: number, events: PingEvents): Promise<PingLoop> {
    const loop = new PingLoop(events, rate_hz);
    await frontend.execute(SETUP, { silent: true, store_history: false });
    loop.#open(frontend);
    return loop;
  }

  setRate(rate_hz: number): void {
    this.#interval_ms = 1000 / rate_hz;
  }

  /** Close the comm; no event follows. */
  stop(): void {
    clearTimeout(this.#timer);
    const comm = this.#comm;
    this.#comm = null;
    if (comm && !comm.closed) comm.close();
  }

  #open(frontend: Frontend): void {
    const comm = frontend.comm_manager.new_comm(PING_TARGET);
    this.#comm = comm;
    comm.on_msg((msg) => this.#answered(msg.content.data.ping));
    comm.on_close(() => {
      this.stop();
      this.#events.ended("The ping comm was closed.");
    });
    this.#send();
  }

  #send(): void {
    this.#number += 1;
    this.#timer = setTimeout(() => this.#timedOut(), ANSWER_TIMEOUT_MS);
    this.#sent_ms = performance.now();
    this.#comm?.send({ ping: this.#number });
  }

  #answered(number: unknown): void {
    // A late answer to a ping that was given up.
    if (number !== this.#number || !this.#comm) return;
    clearTimeout(this.#timer);
    const took_ms = performance.now() - this.#sent_ms;
    this.#events.answered(took_ms);
    this.#timer = setTimeout(() => this.#send(), Math.max(0, this.#interval_ms - took_ms));
  }

  #timedOut(): void {
    this.#events.lost();
    this.#send();
  }
}
