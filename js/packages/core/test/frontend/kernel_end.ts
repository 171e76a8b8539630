/** The kernel's end of a memory link: a test reads what the frontend sent, and answers as it likes. */
import { Frontend } from "../../src/frontend/frontend.js";
import type { FrontendOptions } from "../../src/frontend/options.js";
import type { Channel, JsonObject, Message } from "../../src/protocol/messages.js";
import { newHeader, newMessage } from "../../src/protocol/messages.js";
import { MemoryTransport } from "../../src/transports/memory.js";

export class KernelEnd {
  readonly received: Message[] = [];
  readonly transport: MemoryTransport;
  session = "kernel-1";
  #number = 0;

  constructor(transport: MemoryTransport) {
    this.transport = transport;
    const ignore = () => undefined;
    transport.start({ message: (one) => this.received.push(one), fault: ignore, end: ignore });
  }

  /** The latest request of a type. */
  request(msg_type: string): Message {
    const found = this.received.findLast((one) => one.header.msg_type === msg_type);
    if (found === undefined) throw new Error(`no ${msg_type} was sent`);
    return found;
  }

  send(channel: Channel, msg_type: string, content: JsonObject, parent?: Message): void {
    const msg_id = `k${++this.#number}`;
    const header = newHeader(msg_type, { msg_id, session: this.session, now_ms: 0 });
    const parent_header: JsonObject = parent === undefined ? {} : { ...parent.header };
    this.transport.send(newMessage(channel, header, { content, parent_header }));
  }

  status(execution_state: string, parent?: Message): void {
    this.send("iopub", "status", { execution_state }, parent);
  }

  /** Answer the latest `execute_request` as a kernel does. */
  answer(content: JsonObject = { status: "ok", execution_count: 1 }): void {
    const request = this.request("execute_request");
    this.send("shell", "execute_reply", content, request);
    this.status("idle", request);
  }
}

/** A frontend that has shaken hands with a kernel end. */
export async function connected(options: Partial<FrontendOptions> = {}) {
  const [a, b] = MemoryTransport.pair();
  const kernel = new KernelEnd(b);
  const errors: unknown[] = [];
  const frontend = new Frontend(a, {
    kernel_id: "k1",
    on_unknown: "close",
    on_error: (error) => errors.push(error),
    ...options,
  });
  const handshake = frontend.handshake({ timeout: 5 });
  const request = kernel.received.find((one) => one.channel === "control");
  kernel.send("control", "kernel_info_reply", { status: "ok" }, request);
  await handshake;
  return { frontend, kernel, errors };
}
