/** What a frontend is made of, beside its transport. `connect` fills it in; so do the packages that bring their own. */
import type { KernelGone } from "../errors.js";
import type { LoadTarget } from "../manager.js";
import type { LaneOptions } from "./lane_ways.js";
import type { Limits } from "../protocol/limits.js";
import type { OnUnknown } from "../protocol/routing.js";
import type { Transport } from "../transports/base.js";
import type { KernelStatus, Trace } from "./types.js";

/** What a server can do to the kernel. */
export interface KernelHost {
  /** Whether the kernel still exists; asked while the frontend is open, and before `reconnect`. */
  isThere(signal?: AbortSignal): Promise<boolean>;
  /** Return a new link to the same kernel when the one before broke; rejects where there is none now. */
  reconnect?: ((signal: AbortSignal) => Promise<Transport>) | undefined;
  interrupt(): Promise<void>;
  restart(): Promise<void>;
  /** End the kernel; given only where this frontend started it. */
  shutdown?: (() => Promise<void>) | undefined;
}

/** Of a frontend that can have a lane. */
export interface FrontendLaneOptions extends Omit<LaneOptions, "limits"> {
  /** Of a page: returns its other sessions, whose messages are meant for it too. */
  readonly also?: (() => readonly string[]) | undefined;
  /** Comms that are not open here are somebody else's, who has rules of their own: nothing of them is looked at. */
  readonly skips_unknown?: boolean | undefined;
}

export interface FrontendOptions {
  readonly kernel_id: string;
  /** What a page knows the kernel by, the same when it is loaded again; its id unless given. */
  readonly name?: string | undefined;
  readonly on_unknown: OnUnknown;
  readonly host?: KernelHost | undefined;
  /** The transport serves the next kernel too: one that ended is not the end of this frontend. */
  readonly outlives_kernel?: boolean | undefined;
  readonly session?: string | undefined;
  readonly load_target?: LoadTarget | undefined;
  /** Of a page: the same before and after it was loaded again. */
  readonly tab?: string | undefined;
  /** What the route to the kernel takes in one message; null for no bound. */
  readonly max_whole_bytes?: number | null | undefined;
  /** How the kernel's process is reached beside the transport; without it there is no lane. */
  readonly lane?: FrontendLaneOptions | undefined;
  readonly limits?: Limits | undefined;
  readonly trace?: Trace | undefined;
  readonly on_error?: ((error: unknown) => void) | undefined;
  readonly on_status?: ((status: KernelStatus) => void) | undefined;
  /** Called when a kernel has ended, after everything that waited for it has. */
  readonly on_kernel_gone?: ((gone: KernelGone) => void) | undefined;
}
