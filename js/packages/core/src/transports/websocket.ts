/**
 * A WebSocket to Jupyter Server, or to anything that speaks as it does (`tsushin.serve`).
 *
 * `v1.kernel.websocket.jupyter.org` is offered; where the server does not take it, the default
 * subprotocol is spoken. A browser fails a connection whose offer was not answered, so that the fallback
 * is a second attempt without an offer.
 *
 * Spec: jupyter_server, "WebSocket kernel wire protocols"; JEP 121 for the token.
 */
import type { TransportError } from "../errors.js";
import {
  ConnectFailed,
  RemoteProtocolError,
  TransportClosed,
  TransportLost,
  WireError,
} from "../errors.js";
import type { WaitOptions } from "../expected.js";
import { Expected } from "../expected.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { Message } from "../protocol/messages.js";
import { byteView, isBufferLike } from "../protocol/views.js";
import * as wsDefault from "../wire/ws_default.js";
import * as wsV1 from "../wire/ws_v1.js";
import type { Receiver, Transport } from "./base.js";

/** What Jupyter Server takes in one message, by default, and a margin for the frame's own parts. */
export const SERVER_BYTES = 10 * 2 ** 20 - 64 * 2 ** 10;

/** The members of the platform's `WebSocket` that the transport uses. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly readyState?: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: CloseLike) => void): void;
}

interface CloseLike {
  readonly code: number;
  readonly reason: string;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

const OPEN = 1; // `readyState`; above it the socket closes, or is closed
const TOKEN_SUBPROTOCOL = "v1.token.websocket.jupyter.org.";
const ORDERLY = new Set([1000, 1001]); // normal closure; going away

export interface WebSocketOptions extends WaitOptions {
  /** Sent as a subprotocol, for a server that takes it there. */
  token?: string | undefined;
  /** Speak only this one; by default v1, else the default subprotocol. */
  subprotocol?: "v1" | "default" | undefined;
  limits?: Limits | undefined;
  WebSocket?: WebSocketConstructor | undefined;
}

/** One kernel's channels over one WebSocket. Made by `openWebSocket`. */
export class WebSocketTransport implements Transport {
  readonly #socket: WebSocketLike;
  readonly #limits: Limits;
  readonly #isV1: boolean;
  #receiver: Receiver | null = null;
  #ended: TransportError | null = null;
  #waiting: unknown[] = []; // frames that came before `start`

  /** `socket` is open. */
  constructor(socket: WebSocketLike, limits: Limits = DEFAULT_LIMITS) {
    this.#socket = socket;
    this.#limits = limits;
    this.#isV1 = socket.protocol === wsV1.SUBPROTOCOL;
    socket.addEventListener("message", ({ data }) => this.#arrive(data));
    socket.addEventListener("close", (event) => this.#end(closeError(event)));
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const frame of this.#waiting.splice(0)) this.#arrive(frame);
    if (this.#ended !== null) receiver.end(this.#ended);
  }

  send(message: Message): void {
    if (this.#ended !== null) throw this.#ended;
    // A page's WebSocket drops what comes now, and complains on the console; "close" follows.
    if ((this.#socket.readyState ?? OPEN) > OPEN) return;
    this.#socket.send(this.#isV1 ? wsV1.encode(message) : wsDefault.encode(message));
  }

  close(): void {
    if (this.#ended !== null) return;
    this.#socket.close(1000);
    this.#end(new TransportClosed("closed here"));
  }

  #arrive(frame: unknown): void {
    if (this.#receiver === null) {
      this.#waiting.push(frame);
      return;
    }
    let message: Message;
    try {
      message = this.#decode(frame);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#receiver.fault(error);
      return;
    }
    this.#receiver.message(message);
  }

  #decode(frame: unknown): Message {
    const data = isBufferLike(frame) ? byteView(frame) : frame;
    if (data instanceof Uint8Array) {
      return this.#isV1 ? wsV1.decode(data, this.#limits) : wsDefault.decode(data, this.#limits);
    }
    if (typeof data === "string" && !this.#isV1) return wsDefault.decode(data, this.#limits);
    throw new WireError(`expected a binary frame, got ${typeof data}`, { part: "message" });
  }

  #end(error: TransportError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#receiver?.end(error);
  }
}

/**
 * Connect to a kernel's channels. `url` begins with ws: or wss:.
 *
 * Throws `ConnectFailed`; browsers do not say why. A `DOMException` where `signal` or time ended it.
 */
export async function openWebSocket(
  url: string,
  options: WebSocketOptions = {},
): Promise<WebSocketTransport> {
  const { token, subprotocol } = options;
  const tokens = token ? [TOKEN_SUBPROTOCOL + encodeURIComponent(token)] : [];
  if (subprotocol === "default") return attempt(url, tokens, options);
  try {
    return await attempt(url, [wsV1.SUBPROTOCOL, ...tokens], options);
  } catch (error) {
    if (subprotocol === "v1" || !(error instanceof ConnectFailed)) throw error;
    return attempt(url, tokens, options);
  }
}

async function attempt(
  url: string,
  protocols: string[],
  options: WebSocketOptions,
): Promise<WebSocketTransport> {
  const opened = new Expected<WebSocketTransport>("WebSocket", options);
  const socket = new (options.WebSocket ?? platformWebSocket())(url, protocols);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => {
    if (!opened.settle(new WebSocketTransport(socket, options.limits))) socket.close(1000);
  });
  socket.addEventListener("error", () => undefined); // "close" follows, and says as much
  socket.addEventListener("close", ({ code, reason }) => {
    // The URL is left out: it may hold a token.
    opened.fail(new ConnectFailed(`WebSocket closed before it was open: ${code} ${reason}`.trim()));
  });
  try {
    return await opened.promise;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function platformWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
  if (WebSocket === undefined) {
    throw new ConnectFailed("this platform has no WebSocket: pass one as options.WebSocket");
  }
  return WebSocket;
}

function closeError({ code, reason }: CloseLike): TransportError {
  const text = `closed by the peer: ${code} ${reason}`.trim();
  return ORDERLY.has(code) ? new TransportClosed(text) : new TransportLost(text);
}
