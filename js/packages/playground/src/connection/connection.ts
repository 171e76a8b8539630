/**
 * The page's link to one kernel: attach, notice when it is lost, attach again.
 *
 * Everything else on the page asks for `frontend` when it needs it and may find null.
 */
import { connect, type Frontend, type KernelStatus, type Trace } from "tsushin";
import type { KernelModel, Server } from "./server.js";

export type ConnectionState =
  | { readonly state: "connecting" }
  | { readonly state: "connected"; readonly kernel: KernelModel; readonly status: KernelStatus }
  /** The server runs no kernel. */
  | { readonly state: "none" }
  /** `died`: this kernel's process is gone; the server may be able to start it again. */
  | { readonly state: "lost"; readonly reason: string; readonly died: KernelModel | null };

export interface ConnectionEvents {
  changed(state: ConnectionState, kernels: readonly KernelModel[]): void;
  attached(frontend: Frontend): void;
  trace: Trace;
  /** A peer's fault, or what a handler on this page threw. */
  failed(error: unknown): void;
}

export interface ConnectionOptions {
  readonly base: string;
  readonly token: string;
  readonly server: Server;
}

/** One attachment to one kernel. */
interface Link {
  readonly kernel: KernelModel;
  frontend: Frontend | null;
  isAlive: boolean;
}

const ENDS: Partial<Record<KernelStatus, string>> = {
  dead: "the kernel died",
  disconnected: "the connection ended",
};

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #link: Link | null = null;
  #state: ConnectionState = { state: "connecting" };
  #kernels: readonly KernelModel[] = [];

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** The attached frontend, or null while there is none. */
  get frontend(): Frontend | null {
    return this.#link?.frontend ?? null;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Attach to the kernel asked for, or else to the first that runs. Never rejects: see `state`. */
  async attach(wanted = ""): Promise<void> {
    this.#leave();
    this.#set({ state: "connecting" });
    try {
      this.#kernels = await this.#options.server.kernels();
      const kernel = this.#kernels.find((each) => each.id === wanted) ?? this.#kernels[0];
      if (kernel) await this.#attachTo(kernel);
      else this.#set({ state: "none" });
    } catch (error) {
      this.#set({ state: "lost", reason: reasonOf(error), died: null });
    }
  }

  /** Do what leads back to a kernel: restart the dead one, start a first one, or attach again. Never rejects. */
  async recover(): Promise<void> {
    const state = this.#state;
    this.#set({ state: "connecting" });
    try {
      if (state.state === "lost" && state.died) await this.#revive(state.died);
      const started = state.state === "none" ? await this.#options.server.start() : null;
      await this.attach(started?.id);
    } catch (error) {
      this.#set({ state: "lost", reason: reasonOf(error), died: null });
    }
  }

  /** Restart a dead kernel, if the server still has it. */
  async #revive(kernel: KernelModel): Promise<void> {
    const kernels = await this.#options.server.kernels();
    if (kernels.some(({ id }) => id === kernel.id)) await this.#options.server.restart(kernel.id);
  }

  /** Restart the kernel. Its comms are lost, this page's targets stay. Never rejects. */
  async restartKernel(): Promise<void> {
    const link = this.#link;
    if (!link) return;
    this.#set({ state: "connecting" });
    try {
      await this.#options.server.restart(link.kernel.id);
      if (link !== this.#link) return;
      this.#showLink(link);
    } catch (error) {
      this.#set({ state: "lost", reason: reasonOf(error), died: null });
    }
  }

  /** Interrupt what the kernel runs. Rejects when the server cannot. */
  async interrupt(): Promise<void> {
    if (this.#link) await this.#options.server.interrupt(this.#link.kernel.id);
  }

  async #attachTo(kernel: KernelModel): Promise<void> {
    const { base, token } = this.#options;
    const link: Link = { kernel, frontend: null, isAlive: true };
    const frontend = await connect(base, {
      token,
      kernel_id: kernel.id,
      trace: this.#events.trace,
      on_error: (error) => this.#events.failed(error),
      on_status: (status) => this.#statusChanged(link, status),
    });
    // It may have ended while the last steps of connecting were under way.
    if (!link.isAlive) return;
    link.frontend = frontend;
    this.#link = link;
    this.#showLink(link);
    this.#events.attached(frontend);
  }

  #statusChanged(link: Link, status: KernelStatus): void {
    if (!link.isAlive) return;
    const reason = ENDS[status];
    if (reason !== undefined) {
      link.isAlive = false;
      this.#link = null;
      this.#set({ state: "lost", reason, died: status === "dead" ? link.kernel : null });
    } else if (this.#link === link && this.#state.state === "connected") {
      this.#showLink(link);
    }
  }

  #showLink({ kernel, frontend }: Link): void {
    this.#set({ state: "connected", kernel, status: frontend?.status ?? "unknown" });
  }

  /** Leave the kernel; it runs on. */
  #leave(): void {
    const link = this.#link;
    this.#link = null;
    if (!link) return;
    link.isAlive = false;
    void link.frontend?.close();
  }

  #set(state: ConnectionState): void {
    this.#state = state;
    this.#events.changed(state, this.#kernels);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
