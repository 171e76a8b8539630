/**
 * The few members of JupyterLab's objects that are used, as they are in 4.0 to 4.6. Structural, so that the
 * core has no dependency; the browser tests hold them against the real ones.
 */
import type { BufferLike } from "../protocol/views.js";

/** A message of `@jupyterlab/services`. */
export interface LabMessage {
  channel: string;
  header: object;
  parent_header: object;
  metadata: object;
  content: object;
  buffers?: readonly BufferLike[];
}

/** A Lumino signal. */
export interface LabSignal<Sender, Args> {
  connect(slot: (sender: Sender, args: Args) => void): boolean;
  disconnect(slot: (sender: Sender, args: Args) => void): boolean;
}

/** What came or went, with the message as it is on the wire. */
export interface AnyMessage {
  msg: LabMessage;
  direction: "send" | "recv";
}

/** A message that was sent; `done` rejects when the connection ends before the kernel says "idle". */
export interface LabFuture {
  readonly done: Promise<unknown>;
}

/** `IKernelConnection`. */
export interface KernelConnection {
  readonly id: string;
  /** The session in the header of what the host itself sends. */
  readonly clientId: string;
  readonly name: string;
  readonly status: string;
  readonly isDisposed: boolean;
  readonly anyMessage: LabSignal<unknown, AnyMessage>;
  readonly statusChanged: LabSignal<unknown, string>;
  sendShellMessage(msg: LabMessage, expectReply?: boolean): LabFuture;
  sendControlMessage(msg: LabMessage, expectReply?: boolean): LabFuture;
  registerCommTarget(name: string, callback: (comm: LabComm) => void): void;
}

/** `IComm`; the subshell members came with JupyterLab 4.4. */
export interface LabComm {
  readonly subshellStarted?: Promise<unknown>;
  commsOverSubshells?: string;
}
