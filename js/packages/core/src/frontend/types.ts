/** What `connect` takes and gives. Every timeout is in seconds, as in Python. */
import type { LoadTarget } from "../manager.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import type { Limits } from "../protocol/limits.js";
import type { OnUnknown } from "../protocol/routing.js";
import type { WebSocketConstructor } from "../transports/websocket.js";

/**
 * Sees every message sent and received. `at_ms` is `performance.now()`: milliseconds, monotonic.
 * The message is shared, not copied: look, do not touch.
 */
export type Trace = (direction: "sent" | "received", message: Message, at_ms: number) => void;

/** The kernel's `execution_state`, or what happened to the link: "disconnected" means for good. */
export type KernelStatus =
  "unknown" | "starting" | "idle" | "busy" | "restarting" | "dead" | "disconnected";

export interface ConnectOptions {
  /** Token of the server; goes into a header, the query or a subprotocol, never into a log. */
  token?: string;
  /** Attach to this running kernel. */
  kernel_id?: string;
  /** Start a kernel of this spec. */
  kernel_name?: string;
  /** The client session, sent in every header; a new one by default. */
  session?: string;
  trace?: Trace;
  /** Called with every fault of a peer and every error a handler threw; the console's by default. */
  on_error?: (error: unknown) => void;
  on_status?: (status: KernelStatus) => void;
  /** "close" where this frontend started its kernel, "ignore" where it attached; "keep" waits for targets. */
  on_unknown?: OnUnknown;
  /** False: comm messages never go straight to the kernel's process (`fe.has_lane`); by default where that is possible. */
  lane?: boolean;
  /**
   * Finds the target of a `comm_open` that names a module. The target gets a comm as `fe.comm_manager`
   * makes them; for the classic surface use `make_jupyter(fe, { load_target })` instead.
   */
  load_target?: LoadTarget;
  /** Seconds to wait for the server and the kernel's first answer; 30 by default. */
  timeout?: number;
  /** Aborts connecting. */
  signal?: AbortSignal;
  limits?: Limits;
  /** Speak only this WebSocket subprotocol; by default v1, and the default one where v1 is not taken. */
  subprotocol?: "v1" | "default";
  /** Stand-ins for the platform's own, for Node 20 and for tests. */
  fetch?: typeof fetch;
  WebSocket?: WebSocketConstructor;
}

/** A MIME bundle: MIME type -> text, or JSON for JSON types. */
export type MimeBundle = Record<string, unknown>;

/** One output, as in nbformat 4. */
export type Output =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: string }
  | { output_type: "display_data"; data: MimeBundle; metadata: JsonObject; transient: JsonObject }
  | {
      output_type: "execute_result";
      data: MimeBundle;
      metadata: JsonObject;
      execution_count: number | null;
    }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

/** What `on_output` sees live: outputs, and the two messages that change earlier ones. */
export type LiveOutput =
  | Output
  | {
      output_type: "update_display_data";
      data: MimeBundle;
      metadata: JsonObject;
      transient: JsonObject;
    }
  | { output_type: "clear_output"; wait: boolean };

export interface ExecuteOptions {
  /** Seconds to wait for the answer, 60 by default; `Infinity` waits as long as the kernel lives. */
  timeout?: number;
  signal?: AbortSignal;
  silent?: boolean;
  store_history?: boolean;
  stop_on_error?: boolean;
  /** Called with each output as it arrives. */
  on_output?: (output: LiveOutput) => void;
}

export interface ExecuteResult {
  status: "ok";
  execution_count: number | null;
  stdout: string;
  stderr: string;
  /** `text/plain` of the last expression's value, or null where there is none. */
  result: string | null;
  /** All outputs in order; consecutive text of one stream is one output. */
  outputs: Output[];
}

export type { CommInfo } from "../protocol/messages.js";
