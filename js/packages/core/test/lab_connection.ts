/**
 * A stand-in for JupyterLab's connection to a kernel, in the one respect that matters to a `KernelLink`: what
 * JupyterLab hands on, in which order, and when it runs its own handlers. Real ones are in tests/interop and
 * tests/browser.
 */
import { TARGET } from "../src/profile/control.js";
import type { Channel, JsonObject } from "../src/protocol/messages.js";
import { newHeader } from "../src/protocol/messages.js";
import type {
  AnyMessage,
  KernelConnection,
  LabComm,
  LabFuture,
  LabMessage,
  LabSignal,
} from "../src/transports/lab_types.js";

class Signal<Args> implements LabSignal<unknown, Args> {
  readonly #slots = new Set<(sender: unknown, args: Args) => void>();

  connect(slot: (sender: unknown, args: Args) => void): boolean {
    this.#slots.add(slot);
    return true;
  }

  disconnect(slot: (sender: unknown, args: Args) => void): boolean {
    return this.#slots.delete(slot);
  }

  emit(args: Args): void {
    for (const slot of [...this.#slots]) slot(this, args);
  }
}

/** What every version has. */
export class PublicConnection implements KernelConnection {
  readonly id: string;
  readonly clientId = "lab";
  readonly name = "python3";
  status = "idle";
  readonly isDisposed = false;
  readonly anyMessage = new Signal<AnyMessage>();
  readonly statusChanged = new Signal<string>();
  readonly sent: LabMessage[] = [];
  readonly registered: string[] = [];
  readonly comms: LabComm[] = [];
  #number = 0;

  constructor(id = "k1") {
    this.id = id;
  }

  sendShellMessage(msg: LabMessage): LabFuture {
    if (this.status === "dead") throw new Error("Kernel is dead");
    this.sent.push(msg);
    return { done: Promise.reject(new Error("Canceled future")) };
  }

  sendControlMessage(msg: LabMessage): LabFuture {
    return this.sendShellMessage(msg);
  }

  registerCommTarget(name: string, callback: (comm: LabComm) => void): void {
    this.registered.push(name);
    const comm: LabComm = { subshellStarted: Promise.resolve(), commsOverSubshells: "perComm" };
    this.comms.push(comm);
    callback(comm);
  }

  /** The latest message of a type that was sent. */
  last(msg_type: string): LabMessage {
    const found = this.sent.findLast((one) => typeOf(one) === msg_type);
    if (found === undefined) throw new Error(`no ${msg_type} was sent`);
    return found;
  }

  /** What was sent, but for the question whether the kernel knows the profile. */
  types(): string[] {
    const isLook = ({ content }: LabMessage) => (content as JsonObject).target_name === TARGET;
    return this.sent.filter((message) => !isLook(message)).map(typeOf);
  }

  /** A message of the kernel arrives. */
  arrive(channel: Channel, msg_type: string, content: JsonObject, parent: object = {}): LabMessage {
    const header = newHeader(msg_type, { msg_id: `k${++this.#number}`, session: "k", now_ms: 0 });
    const msg = { channel, header, parent_header: parent, metadata: {}, content, buffers: [] };
    this.anyMessage.emit({ msg, direction: "recv" });
    return msg;
  }
}

/** With the private members of `@jupyterlab/services` 7.0 to 7.6. */
export class Connection extends PublicConnection {
  readonly _targetRegistry: Record<string, unknown> = Object.create(null) as Record<
    string,
    unknown
  >;
  /** What JupyterLab's own handlers were given. */
  readonly handled: string[] = [];

  _handleCommOpen(msg: LabMessage): Promise<void> {
    this.handled.push(`open ${String((msg.content as JsonObject).comm_id)}`);
    return Promise.resolve();
  }

  _handleCommClose(msg: LabMessage): Promise<void> {
    this.handled.push(`close ${String((msg.content as JsonObject).comm_id)}`);
    return Promise.resolve();
  }

  /** The kernel opens a comm: every listener hears of it, then JupyterLab's handler runs. */
  async opens(comm_id: string, target_name: string, target_module?: string): Promise<void> {
    const content = { comm_id, target_name, target_module, data: {} };
    await this._handleCommOpen(this.arrive("iopub", "comm_open", content));
  }

  async closes(comm_id: string): Promise<void> {
    await this._handleCommClose(this.arrive("iopub", "comm_close", { comm_id, data: {} }));
  }
}

export function typeOf(msg: LabMessage): string {
  return (msg.header as { msg_type: string }).msg_type;
}
