/** The object called `Jupyter`, made for one frontend. */
import type { Frontend } from "../frontend/frontend.js";
import type { JsonObject } from "../protocol/messages.js";
import { CallbackRegistry } from "./callbacks.js";
import { PageCommManager } from "./comms.js";
import type {
  Callbacks,
  ClassicCommManager,
  ClassicKernel,
  Jupyter,
  LoadClassicTarget,
} from "./types.js";

export interface JupyterOptions {
  /**
   * Finds the target of a `comm_open` that names a module, as `page_target_loader` makes it. Code that
   * the kernel names then runs in this page.
   */
  readonly load_target?: LoadClassicTarget | undefined;
}

class PageKernel implements ClassicKernel {
  readonly comm_manager: ClassicCommManager;
  readonly #frontend: Frontend;
  readonly #callbacks: CallbackRegistry;

  constructor(frontend: Frontend, { load_target }: JupyterOptions) {
    this.#frontend = frontend;
    this.#callbacks = new CallbackRegistry(frontend);
    this.comm_manager = new PageCommManager(frontend, this.#callbacks, load_target);
  }

  get id(): string {
    return this.#frontend.kernel_id;
  }

  is_connected(): boolean {
    return !this.#frontend.closed;
  }

  /** As in the classic notebook, `options` default to a silent request; input from the page is not offered. */
  execute(code: string, callbacks?: Callbacks | null, options?: JsonObject | null): string {
    const defaults = { silent: true, store_history: false, user_expressions: {} };
    const content = { code, ...defaults, ...options, allow_stdin: false };
    return this.#callbacks.request("execute_request", content, callbacks ?? {});
  }
}

/**
 * Return the object that pages written for the classic notebook know as `Jupyter`, bound to the kernel of
 * `frontend`. Its comms and targets are those of `frontend.comm_manager`.
 */
export function make_jupyter(frontend: Frontend, options: JupyterOptions = {}): Jupyter {
  return { notebook: { kernel: new PageKernel(frontend, options) } };
}
