/**
 * JupyterLab's connection to a kernel as a transport.
 *
 * Messages are read where JupyterLab reads them (`anyMessage`, in order of arrival, every channel) and sent
 * by `sendShellMessage`, which puts no subshell into the header: all comm messages keep their order on
 * the main shell. JupyterLab's own comms go on beside ours; who gets which `comm_open` is settled in
 * `kernel_connection_comms.ts`.
 *
 * A document has a kernel later than it has outputs, and another one after the user changed it. So the link
 * outlives connections: what is sent while there is none waits, bounded, and leaves in order.
 */
import { QueueFull, RemoteProtocolError, TransportClosed, TransportLost } from "../errors.js";
import { keptBytes } from "../protocol/inbox.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import { COMM_TYPES, msgType } from "../protocol/messages.js";
import { isControl, numberOf, onlyCounted } from "../profile/control.js";
import { byteView } from "../protocol/views.js";
import { describe } from "../runtime.js";
import type { Receiver, Transport } from "./base.js";
import { messageOf } from "../wire/parts.js";
import type { OurComms } from "./kernel_connection_comms.js";
import { SharedComms } from "./kernel_connection_comms.js";
import type { AnyMessage, KernelConnection, LabMessage } from "./lab_types.js";

export interface KernelLinkOptions {
  readonly ours: OurComms;
  readonly limits?: Limits;
}

/** The way to the kernel of one document, whichever kernel that is now. */
export class KernelLink implements Transport {
  readonly #ours: OurComms;
  readonly #limits: Limits;
  #receiver: Receiver | null = null;
  #connection: KernelConnection | null = null;
  #shared: SharedComms | null = null;
  #waiting: Message[] = []; // for the next connection
  #waitingBytes = 0;
  #alive: Set<string> | null = null; // see `openAlive`
  #isHeld = false;
  #isClosed = false;

  constructor(options: KernelLinkOptions) {
    const { ours } = options;
    this.#ours = {
      isRegistered: (target_name) => ours.isRegistered(target_name),
      // Control comms are the profile's: JupyterLab would log an error about their closes.
      knows: (comm_id) => isControl(comm_id) || ours.knows(comm_id),
    };
    this.#limits = options.limits ?? DEFAULT_LIMITS;
  }

  /** The kernel connected now, or null. */
  get connection(): KernelConnection | null {
    return this.#connection;
  }

  /** Say whether JupyterLab itself has this target, as widget libraries register theirs. */
  isForeign(target_name: string): boolean {
    return this.#shared?.isForeign(target_name) ?? false;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** From now on this is the document's kernel; null: it has none. What waits leaves at once. */
  connect(connection: KernelConnection | null): void {
    if (this.#isClosed || connection === this.#connection) return;
    this.#leave();
    if (connection === null) return;
    this.#connection = connection;
    this.#shared = new SharedComms(connection, this.#ours);
    connection.anyMessage.connect(this.#onAnyMessage);
    this.#flush();
  }

  /** Every comm of the kernel is gone, its process too. */
  clear(): void {
    this.#alive = null;
  }

  /** Let everything wait until `openAlive`, except the question that it needs the answer of. */
  hold(): void {
    this.#isHeld = true;
  }

  /**
   * End `hold`. A `comm_open` for an id that the kernel has open already is not sent: the page opened it in an
   * earlier life, and goes on with it.
   */
  openAlive(alive: Iterable<string>): void {
    this.#alive = new Set(alive);
    this.#isHeld = false;
    this.#flush();
  }

  send(message: Message): void {
    if (this.#isClosed) throw new TransportClosed("closed here");
    const connection = this.#connection;
    if (connection !== null && (this.#mayLeave() || msgType(message) === "comm_info_request")) {
      this.#sendNow(connection, message);
    } else {
      this.#keep(message);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#leave();
    this.#receiver?.end(new TransportClosed("closed here"));
  }

  // ---------------------------------------------------------------- inside

  #leave(): void {
    this.#connection?.anyMessage.disconnect(this.#onAnyMessage);
    this.#shared?.dispose();
    this.#connection = this.#shared = this.#alive = null;
  }

  #mayLeave(): boolean {
    return !this.#isHeld && this.#waiting.length === 0;
  }

  #keep(message: Message): void {
    const { max_kept_messages, max_kept_bytes } = this.#limits;
    const nbytes = this.#waitingBytes + keptBytes(message);
    if (nbytes > max_kept_bytes || this.#waiting.length >= max_kept_messages) {
      const about = `${msgType(message)}: ${this.#waiting.length} messages wait for a kernel already`;
      throw new QueueFull(about, { queued: nbytes, limit: max_kept_bytes });
    }
    this.#waiting.push(message);
    this.#waitingBytes = nbytes;
  }

  #flush(): void {
    if (this.#connection === null || this.#isHeld) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const message of waiting) this.#sendNow(this.#connection, message);
  }

  #sendNow(connection: KernelConnection, message: Message): void {
    if (msgType(message) === "comm_open" && this.#alive?.delete(String(message.content.comm_id))) {
      return;
    }
    const msg = toLab(message);
    try {
      const future =
        message.channel === "control"
          ? connection.sendControlMessage(msg, true)
          : connection.sendShellMessage(msg, !isComm(message));
      future.done.catch(() => undefined); // "canceled": whoever waits learns it from the frontend
    } catch (error) {
      throw new TransportLost(`${msgType(message)}: ${describe(error)}`, { cause: error });
    }
  }

  /** Runs before JupyterLab handles the message. */
  readonly #onAnyMessage = (_sender: unknown, { msg, direction }: AnyMessage): void => {
    if (direction !== "recv" || this.#receiver === null) return;
    let message: Message;
    try {
      message = messageOf(msg, (msg.buffers ?? []).map(byteView));
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#receiver.fault(error);
      return;
    }
    const ours = this.#partForUs(message);
    if (ours !== null) this.#receiver.message(ours);
  };

  /**
   * Return what of a message is for us. Of the comms of others it is nothing, or that there was a message: what they
   * carry follows their own rules (Bokeh sends text as data).
   */
  #partForUs(message: Message): Message | null {
    if (this.#isOurs(message)) return message;
    return numberOf(message) === null ? null : onlyCounted(message);
  }

  #isOurs(message: Message): boolean {
    const { comm_id, target_name, target_module } = message.content;
    if (this.#shared === null || !isComm(message) || typeof comm_id !== "string") return true;
    if (msgType(message) !== "comm_open" || isControl(comm_id)) return this.#ours.knows(comm_id);
    if (typeof target_name !== "string") return true; // a fault
    return this.#shared.claims(target_name, target_module);
  }
}

function isComm(message: Message): boolean {
  return COMM_TYPES.includes(msgType(message));
}

function toLab(message: Message): LabMessage {
  const { channel, header, parent_header, metadata, content, buffers } = message;
  return { channel, header, parent_header, metadata, content, buffers: buffers.map(wholeBuffer) };
}

/** JupyterLab ignores `byteOffset`: a view of a part would send the whole, or throw (STYLE 12, A). */
function wholeBuffer(view: Uint8Array): Uint8Array {
  return view.byteLength === view.buffer.byteLength ? view : view.slice();
}
