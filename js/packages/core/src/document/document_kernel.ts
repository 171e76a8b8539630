/**
 * The kernel of one document (a notebook, a console) as the document's outputs see it.
 *
 * Outputs are there before the kernel is, and stay when it is restarted or changed. So does this: targets
 * are kept; comms end with the kernel they were opened at; what is sent before there is a kernel waits for it.
 *
 * After a reload of the page the kernel still has its comms. Those it opened itself are offered to the
 * targets registered here (`restore`); those that this page's scripts opened go on when the saved output runs
 * again (`PageMemory`).
 */
import { make_jupyter } from "../classic/jupyter.js";
import type { PageStorage } from "../classic/page_memory.js";
import { PageMemory } from "../classic/page_memory.js";
import { script_jupyter } from "../classic/script_jupyter.js";
import type { Jupyter, LoadClassicTarget } from "../classic/types.js";
import type { KernelGoneWhy } from "../errors.js";
import { TsushinError } from "../errors.js";
import { Frontend } from "../frontend/frontend.js";
import type { CommInfo, Message } from "../protocol/messages.js";
import { msgType } from "../protocol/messages.js";
import { GRACE } from "../sessions.js";
import { KernelLink } from "../transports/kernel_connection.js";
import { SERVER_BYTES } from "../transports/websocket.js";
import type { KernelConnection } from "../transports/lab_types.js";

/** Seconds to wait for the list of the kernel's comms; a kernel that runs a long cell answers after it. */
const COMM_INFO_TIMEOUT = 600;

const ENDS = new Map<string, KernelGoneWhy>([
  ["restarting", "restarted"],
  ["autorestarting", "restarted"],
  ["dead", "died"],
]);

export interface DocumentKernelOptions {
  /** Names the document among all that the browser shows, the same after a reload. */
  readonly document: string;
  readonly storage: PageStorage;
  /** Finds targets by their module, as `page_target_loader` makes it. */
  readonly load_target?: LoadClassicTarget;
  /** The server of the document's kernels; without it there is no lane through it. `token` is "" for none. */
  readonly server?: { readonly url: string; readonly token: string };
  /** Hears of everything that goes wrong in handlers and with the peer. */
  readonly on_error: (error: unknown) => void;
}

/** Made once for each document; its host calls `connect` whenever the document's kernel changes. */
export class DocumentKernel {
  readonly frontend: Frontend;
  /** The object called `Jupyter`, for code that belongs to no script. */
  readonly jupyter: Jupyter;
  readonly #link: KernelLink;
  readonly #memory: PageMemory;
  readonly #onError: (error: unknown) => void;
  #kernels = 0; // that have ended

  constructor({ document, storage, on_error, server, ...rest }: DocumentKernelOptions) {
    this.#onError = on_error;
    this.#memory = new PageMemory(document, storage);
    this.#link = new KernelLink({
      ours: {
        isRegistered: (name) => this.frontend.comm_manager.targets.has(name),
        knows: (comm_id) => this.frontend.comm_manager.knows(comm_id),
      },
    });
    if (this.#memory.hasClaims) this.#link.hold();
    const kernel_id = () => this.#link.connection?.id ?? null;
    this.frontend = new Frontend(this.#link, {
      kernel_id: "",
      name: document,
      on_unknown: "keep",
      outlives_kernel: true,
      on_error,
      on_kernel_gone: () => this.#forget(),
      trace: (direction, message) => this.#noteClose(direction, message),
      max_whole_bytes: SERVER_BYTES,
      lane: {
        server,
        kernel_id,
        // The document's own requests come from that session.
        also: () => [this.#link.connection?.clientId ?? []].flat(),
        skips_unknown: true, // JupyterLab's own comms come by the lane, too
      },
    });
    this.jupyter = make_jupyter(this.frontend, { ...rest, memory: this.#memory, kernel_id });
  }

  /** Return `Jupyter` for one run of a script. */
  jupyterFor(code: string): Jupyter {
    return script_jupyter(this.jupyter, code);
  }

  /** The document's kernel is now this one; null: it has none. Comms of the one before are lost. */
  connect(connection: KernelConnection | null): void {
    const before = this.#link.connection;
    if (connection === before) return;
    before?.statusChanged.disconnect(this.#onStatus);
    if (before !== null) this.frontend.kernel_gone("shut down");
    this.#link.connect(connection);
    if (connection === null) return;
    connection.statusChanged.connect(this.#onStatus);
    this.frontend.comm_manager.sessions.hope(); // it is asked
    this.#takeUpComms().catch(this.#onError);
  }

  /** The document was closed: comms that it opened are closed at the kernel, all others are lost. */
  dispose(): void {
    this.#link.connection?.statusChanged.disconnect(this.#onStatus);
    this.frontend.dispose();
  }

  // ---------------------------------------------------------------- inside

  readonly #onStatus = (_sender: unknown, status: string): void => {
    const why = ENDS.get(status);
    if (why !== undefined) this.frontend.kernel_gone(why);
  };

  /** Ask the kernel which comms it has; offer those that it opened, and keep those that this page did. */
  async #takeUpComms(): Promise<void> {
    const kernel = this.#kernels;
    const open = await this.#findOpenComms();
    await this.frontend.look();
    const { comm_manager } = this.frontend;
    await comm_manager.sessions.first(GRACE).catch(() => undefined); // else it is a plain kernel
    if (open === null || kernel !== this.#kernels) return; // or another one by now
    const pages = this.#memory.ids();
    const mine = Object.keys(open).filter((id) => this.#memory.isOfThisTab(id));
    for (const comm_id of mine) comm_manager.sessions.accept(comm_id, "");
    const kernels = Object.entries(open).filter(
      ([id, { target_name }]) => !pages.has(id) && !this.#link.isForeign(target_name),
    );
    await comm_manager.take_up(Object.fromEntries(kernels));
  }

  /** Return the kernel's comms, or null where it does not answer. */
  async #findOpenComms(): Promise<CommInfo | null> {
    let open: CommInfo;
    try {
      open = await this.frontend.comms(null, COMM_INFO_TIMEOUT);
    } catch (error) {
      this.#link.openAlive([]); // comms of this page go their way all the same
      if (error instanceof TsushinError || error instanceof DOMException) return null;
      throw error;
    }
    const alive = Object.keys(open);
    this.#memory.prune(new Set([...alive, ...this.frontend.comm_manager.comms.keys()]));
    const pages = this.#memory.ids();
    this.#link.openAlive(alive.filter((id) => pages.has(id)));
    return open;
  }

  #noteClose(direction: "sent" | "received", message: Message): void {
    if (direction === "received" && msgType(message) === "comm_close") {
      this.#memory.closed(String(message.content.comm_id));
    }
  }

  /** The kernel is gone: nothing that was remembered of it holds any more. */
  #forget(): void {
    this.#kernels += 1;
    this.#link.clear();
    this.#memory.clear();
  }
}
