/**
 * The object called `Jupyter`, as pages of the classic notebook knew it: same names, same argument
 * order, `callbacks` included.
 */
import type { ClassicMessage, JsonObject } from "../protocol/messages.js";

import type { BufferLike } from "../protocol/views.js";
export type { BufferLike };

/** A message as classic handlers get it: `buffers` are `DataView`s, as ipywidgets expects. */
export interface PageMessage extends Omit<ClassicMessage, "buffers"> {
  readonly buffers: readonly DataView[];
}

export type PageCallback = (message: PageMessage) => unknown;

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
}

export type ClassicTarget = (comm: ClassicComm, message: PageMessage) => unknown;

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
  require?: unknown;
  requirejs?: unknown;
  define?: unknown;
}
