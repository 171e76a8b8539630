/**
 * The object called `Jupyter`, as pages of the classic notebook knew it: same names, same argument
 * order, `callbacks` included.
 */
import type { ClassicMessage, JsonObject } from "../protocol/messages.js";

import type { WaitOptions } from "../expected.js";
import type { BufferLike } from "../protocol/views.js";
import type { RequestContext } from "../requests.js";
import type { Stream, StreamOptions } from "../streams.js";
export type { BufferLike };

/** A message as classic handlers get it: `buffers` are `DataView`s, as ipywidgets expects. */
export interface PageMessage extends Omit<ClassicMessage, "buffers"> {
  readonly buffers: readonly DataView[];
}

export type PageCallback = (message: PageMessage) => unknown;
/** Answers a request; `signal` ends when nobody waits for the answer any more. */
export type PageRequestHandler = (msg: PageMessage, context: RequestContext) => unknown;

/** Callbacks for what answers one sent message, found by its `msg_id`. */
export interface Callbacks {
  shell?: { reply?: PageCallback; payload?: Record<string, (payload: JsonObject) => unknown> };
  iopub?: {
    output?: PageCallback;
    status?: PageCallback;
    clear_output?: PageCallback;
    input?: PageCallback;
  };
}

/** A comm with the classic argument order; what sends returns the `msg_id` of what it sent. */
export interface ClassicComm {
  readonly comm_id: string;
  readonly target_name: string;
  open(
    data?: JsonObject,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): string;
  send(
    data?: JsonObject,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): string;
  close(
    data?: JsonObject,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): string;
  on_msg(callback: PageCallback): void;
  on_close(callback: PageCallback): void;
  /** Not in the classic notebook: ask the kernel's `handle(name, …)`. */
  request(name: string, data?: JsonObject | null, options?: WaitOptions): Promise<unknown>;
  /** Not in the classic notebook: ask it for an answer in parts, to iterate over. */
  stream(name: string, data?: JsonObject | null, options?: StreamOptions): Stream;
  /** Not in the classic notebook: answer the kernel's requests for `name`. */
  handle(name: string, f: PageRequestHandler): void;
}

export type ClassicTarget = (comm: ClassicComm, message: PageMessage) => unknown;

/** Finds a target by its module: `target_module` and `target_name` of a `comm_open`. */
export type LoadClassicTarget = (
  target_module: string,
  target_name: string,
) => Promise<ClassicTarget>;

export interface ClassicCommManager {
  /** Open comms by id, each as a promise, as the classic notebook kept them. */
  readonly comms: Readonly<Record<string, Promise<ClassicComm>>>;
  readonly targets: Readonly<Record<string, ClassicTarget>>;
  register_target(target_name: string, f: ClassicTarget): void;
  unregister_target(target_name: string, f?: ClassicTarget): void;
  new_comm(
    target_name: string,
    data?: JsonObject,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    comm_id?: string | null,
    buffers?: readonly BufferLike[] | null,
  ): ClassicComm;
  register_comm(comm: ClassicComm): string;
  unregister_comm(comm: ClassicComm): void;
}

export interface ClassicKernel {
  readonly id: string;
  readonly comm_manager: ClassicCommManager;
  is_connected(): boolean;
  /** Run code in the kernel; returns the `msg_id` of the request. */
  execute(code: string, callbacks?: Callbacks | null, options?: JsonObject | null): string;
  /** Send a message of any type on shell; returns its `msg_id`. */
  send_shell_message(
    msg_type: string,
    content?: JsonObject | null,
    callbacks?: Callbacks | null,
    metadata?: JsonObject | null,
    buffers?: readonly BufferLike[] | null,
  ): string;
}

export interface Jupyter {
  readonly notebook: { readonly kernel: ClassicKernel };
}

/** What a script sees besides the page's own globals; `IPython` is `Jupyter` by its older name. */
export interface ScriptScope {
  Jupyter: Jupyter;
  /** Where its output goes: a DOM element, or what the host has instead. */
  element?: unknown;
  console?: Pick<Console, "log" | "info" | "warn" | "error" | "debug">;
  require?: AmdRequire;
  requirejs?: AmdRequire;
  define?: AmdDefine;
}

/** What went wrong with an AMD module; RequireJS adds which ones, and how. */
export interface AmdError extends Error {
  requireType?: string;
  requireModules?: readonly string[] | null;
}

/** Configuration of RequireJS: its own page lists everything it takes. */
export interface AmdConfig {
  baseUrl?: string;
  /** Module name, or the beginning of one -> address without `.js`; of several the first that works. */
  paths?: Record<string, string | string[]>;
  [option: string]: unknown;
}

type AmdCallback = (...modules: never[]) => unknown;

/** The `require` of AMD, which is `requirejs` too. */
export interface AmdRequire {
  /** Return a module that is loaded already. Throws where it is not. */
  (name: string): unknown;
  /** Load modules, then call `ok` with them, or `failed`. */
  (deps: readonly string[], ok?: AmdCallback, failed?: (error: AmdError) => unknown): AmdRequire;
  (
    config: AmdConfig,
    deps?: readonly string[],
    ok?: AmdCallback,
    failed?: (error: AmdError) => unknown,
  ): AmdRequire;
  config(config: AmdConfig): AmdRequire;
  toUrl(path: string): string;
  defined(name: string): boolean;
  specified(name: string): boolean;
  undef(name: string): void;
}

/** The `define` of AMD for displayed scripts, where a module needs a name. */
export interface AmdDefine {
  (name: string, deps: readonly string[], factory: unknown): void;
  (name: string, factory: unknown): void;
  readonly amd: { readonly jQuery: true };
}
