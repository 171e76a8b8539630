/** A server of one kernel, in this process: real REST and WebSockets, and a kernel end that knows the profile. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { CommManager } from "../../src/manager.js";
import { TARGET } from "../../src/profile/control.js";
import type { JsonObject, Message } from "../../src/protocol/messages.js";
import { COMM_TYPES, msgType, newHeader, newMessage } from "../../src/protocol/messages.js";
import { PageRuntime } from "../../src/runtime.js";
import { WebSocketTransport } from "../../src/transports/websocket.js";
import { SUBPROTOCOL } from "../../src/wire/ws_v1.js";

const MODEL = { id: "k1", name: "test" };

export class KernelServer {
  /** The comms of the process that runs now. */
  kernel: CommManager;
  /** Whether that process has an end that knows the profile. */
  isOurs = true;
  /** Whether the server has the kernel. */
  hasKernel = true;
  /** Nobody is let in. */
  isDown = false;
  readonly errors: unknown[] = [];
  readonly #http = createServer((request, response) => this.#answer(request, response));
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
  #links: WebSocketTransport[] = [];
  #lives = 0;

  constructor() {
    this.kernel = this.#newKernel();
    this.#http.on("upgrade", (request, socket, head: Buffer) => {
      if (this.#isRefused(request)) return;
      this.#sockets.handleUpgrade(request, socket, head, (open) => {
        open.binaryType = "arraybuffer";
        this.#serve(new WebSocketTransport(open));
      });
    });
  }

  async start(): Promise<this> {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.cut();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  /** Break every link. */
  cut(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  /** Close every link as a server does that ends. */
  goAway(): void {
    for (const socket of this.#sockets.clients) socket.close(1001);
  }

  /** Another process is the kernel now, and says nothing of it. */
  restartKernel(): void {
    this.kernel = this.#newKernel();
  }

  // ---------------------------------------------------------------- inside

  #newKernel(): CommManager {
    this.#lives += 1;
    return new CommManager({
      send: (message) => this.#publish(message),
      runtime: new PageRuntime((error) => this.errors.push(error)),
      channel: "iopub",
      on_unknown: "close",
      session: `kernel-${this.#lives}`,
    });
  }

  #publish(message: Message): void {
    for (const link of this.#links) link.send(message);
  }

  #isRefused({ socket }: IncomingMessage): boolean {
    if (this.isDown) socket.destroy();
    return this.isDown;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isRefused(request)) return;
    const { pathname } = new URL(request.url ?? "", this.url);
    if (pathname.endsWith("/restart")) this.restartKernel();
    const kernels = this.hasKernel ? [MODEL] : [];
    const answers: Record<string, unknown> = { "/api/status": {}, "/api/kernels": kernels };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answers[pathname] ?? MODEL));
  }

  #serve(link: WebSocketTransport): void {
    this.#links.push(link);
    link.start({
      message: (message) => this.#receive(message, link),
      fault: (error) => this.errors.push(error),
      end: () => (this.#links = this.#links.filter((one) => one !== link)),
    });
  }

  #receive(message: Message, link: WebSocketTransport): void {
    if (COMM_TYPES.includes(msgType(message))) {
      this.kernel.receive(message);
      return;
    }
    const content = this.#reply(message);
    if (content === null) return;
    const type = msgType(message).replace("_request", "_reply");
    for (const [channel, msg_type, said] of [
      [message.channel, type, content],
      ["iopub", "status", { execution_state: "idle" }],
    ] as const) {
      const facts = { msg_id: this.kernel.next_msg_id(), session: this.kernel.session, now_ms: 0 };
      const parent_header = { ...message.header };
      link.send(newMessage(channel, newHeader(msg_type, facts), { content: said, parent_header }));
    }
  }

  /** What is asked of the kernel; code runs for ever unless it is "pass". */
  #reply(message: Message): JsonObject | null {
    const { target_name, code } = message.content;
    switch (msgType(message)) {
      case "comm_info_request": {
        const isFound = target_name === TARGET && this.isOurs;
        return { status: "ok", comms: isFound ? { [TARGET]: { target_name } } : {} };
      }
      case "execute_request":
        return code === "pass" ? { status: "ok", execution_count: 1 } : null;
      default:
        return { status: "ok" };
    }
  }
}
