/** The object called `Jupyter`, made for one frontend. */
import type { PageMemory } from "./page_memory.js";
import type { Frontend } from "../frontend/frontend.js";
import { encodeData } from "../protocol/buffers.js";
import type { JsonObject } from "../protocol/messages.js";
import type { BufferLike } from "../protocol/views.js";
import { CallbackRegistry } from "./callbacks.js";
import { PageCommManager } from "./comms.js";
import { lenientData } from "./pages.js";
import type { Callbacks, ClassicKernel, Jupyter, LoadClassicTarget } from "./types.js";

/** What a host knows better than the frontend. */
export interface JupyterOptions {
  /** Which comms this document's scripts have opened. */
  readonly memory?: PageMemory;
  /** The kernel connected now, where it can be another one later; null: there is none. */
  readonly kernel_id?: () => string | null;
  /**
   * Finds the target of a `comm_open` that names a module, as `page_target_loader` makes it. Code that
   * the kernel names then runs in this page.
   */
  readonly load_target?: LoadClassicTarget;
}

class PageKernel implements ClassicKernel {
  readonly comm_manager: PageCommManager;
  readonly #frontend: Frontend;
  readonly #callbacks: CallbackRegistry;
  readonly #kernelId: () => string | null;

  constructor(frontend: Frontend, options: JupyterOptions) {
    this.#frontend = frontend;
    this.#callbacks = new CallbackRegistry(frontend);
    this.#kernelId = options.kernel_id ?? (() => (frontend.closed ? null : frontend.kernel_id));
    this.comm_manager = new PageCommManager(frontend, this.#callbacks, options);
  }

  get id(): string {
    return this.#kernelId() ?? this.#frontend.kernel_id;
  }

  is_connected(): boolean {
    return this.#kernelId() !== null;
  }

  /** As in the classic notebook, `options` default to a silent request; input from the page is not offered. */
  execute(code: string, callbacks?: Callbacks | null, options?: JsonObject | null): string {
    const defaults = { silent: true, store_history: false, user_expressions: {} };
    const content = { code, ...defaults, ...options, allow_stdin: false };
    return this.#callbacks.request("execute_request", content, callbacks ?? {});
  }

  send_shell_message(
    msg_type: string,
    content?: JsonObject | null,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): string {
    const sent = encodeData(lenientData(content ?? {}), metadata ?? null, buffers ?? null);
    return this.#callbacks.request(msg_type, sent.data, callbacks ?? {}, sent);
  }
}

/**
 * Return the object that pages written for the classic notebook know as `Jupyter`, bound to the kernel of
 * `frontend`. Its comms and targets are those of `frontend.comm_manager`.
 */
export function make_jupyter(frontend: Frontend, options: JupyterOptions = {}): Jupyter {
  return { notebook: { kernel: new PageKernel(frontend, options) } };
}
