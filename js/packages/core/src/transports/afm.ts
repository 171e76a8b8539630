/**
 * All comms of a kernel over one anywidget (AFM) model: what JupyterLab, Notebook 7, VS Code, Colab and marimo
 * have in common.
 *
 * The page says hello; from the kernel's welcome on it hears everything. Its messages are numbered, because
 * marimo posts each by a request of its own: the kernel puts them in order. A model may be replaced by
 * another of the same kernel (marimo runs the cell again): what is sent in between waits.
 *
 * The other end is `src/tsushin/kernel/bridge.py`. Spec: docs/reference/wire.md, "The bridge".
 */
import {
  RemoteProtocolError,
  TransportClosed,
  type TransportError,
  TransportLost,
} from "../errors.js";
import { newId } from "../ids.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import type { JsonObject, Message } from "../protocol/messages.js";
import { isJsonObject } from "../protocol/messages.js";
import type { BufferLike } from "../protocol/views.js";
import { decode, encode, encodeBuffers, MARK, VERSION } from "../wire/afm.js";
import type { Receiver, Transport } from "./base.js";

type CustomCallback = (content: unknown, buffers?: readonly BufferLike[]) => void;

/** The members of an anywidget model that the transport uses. */
export interface AfmModel {
  get(name: string): unknown;
  on(name: "msg:custom", callback: CustomCallback): void;
  off(name: "msg:custom", callback: CustomCallback): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/** "waiting" until the kernel has answered the hello; "gone" for good. */
export type AfmState = "waiting" | "connected" | "gone";

/** One packed message that waits for a model. */
interface Packed {
  readonly content: JsonObject;
  readonly buffers: ArrayBuffer[];
}

/** A page's link to one kernel. Connected by `use`. */
export class AfmTransport implements Transport {
  /** Called with each new state. */
  on_state: (state: AfmState) => void = () => undefined;
  readonly #page = newId();
  readonly #limits: Limits;
  #model: AfmModel | null = null;
  #state: AfmState = "waiting";
  #receiver: Receiver | null = null;
  #ended: TransportError | null = null;
  #next = 0; // number of the next message to the kernel
  #awaited: number | null = null; // number of the kernel's next one
  readonly #waiting: Packed[] = [];
  #arrived: (() => void)[] = []; // before `start`

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  get state(): AfmState {
    return this.#state;
  }

  /** Go on by `model`, from the beginning or from where another one left. */
  use(model: AfmModel): void {
    if (this.#ended !== null) return;
    this.leave();
    this.#model = model;
    model.on("msg:custom", this.#receive);
    this.#post({ hello: true });
    for (const { content, buffers } of this.#waiting.splice(0)) this.#post(content, buffers);
  }

  /** The model is gone: what is sent waits for the next one. The kernel is told, if it can be. */
  leave(): void {
    const model = this.#model;
    if (model === null) return;
    try {
      this.#post({ bye: true });
    } catch {
      // The host has closed the model already; the kernel knows.
    }
    model.off("msg:custom", this.#receive);
    this.#model = null;
    this.#setState("waiting");
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const deliver of this.#arrived.splice(0)) deliver();
    if (this.#ended !== null) receiver.end(this.#ended);
  }

  send(message: Message): void {
    if (this.#ended !== null) throw this.#ended;
    const packed = { content: { message: encode(message) }, buffers: encodeBuffers(message) };
    if (this.#model === null) this.#waiting.push(packed);
    else this.#post(packed.content, packed.buffers);
  }

  close(): void {
    this.leave();
    this.#end(new TransportClosed("closed here"));
  }

  // ---------------------------------------------------------------- inside

  #post(content: JsonObject, buffers: ArrayBuffer[] = []): void {
    const numbered = { [MARK]: VERSION, page: this.#page, n: this.#next++, ...content };
    this.#model?.send(numbered, undefined, buffers);
  }

  readonly #receive = (content: unknown, buffers: readonly BufferLike[] = []): void => {
    if (!isJsonObject(content) || content[MARK] !== VERSION) return; // not ours
    if (content.welcome === this.#page) this.#welcome(Number(content.n));
    else if (content.gone !== undefined) this.#gone(content);
    else if (this.#awaited !== null && content.message !== undefined) this.#take(content, buffers);
  };

  #welcome(next: number): void {
    const lost = this.#awaited === null ? 0 : next - this.#awaited;
    this.#awaited = next;
    if (lost > 0) this.#fault(`${lost} messages were lost while the widget was made anew`);
    this.#setState("connected");
  }

  #gone({ to, gone }: JsonObject): void {
    if (to !== undefined && to !== this.#page) return;
    this.#end(new TransportLost(`the kernel is gone: ${String(gone)}`));
  }

  /** One message, for every page or for one; all of them count. */
  #take(content: JsonObject, buffers: readonly BufferLike[]): void {
    const awaited = this.#awaited;
    if (awaited === null || content.n !== awaited) {
      const about = `message ${awaited ?? "?"} of the kernel never came, the next is ${String(content.n)}`;
      this.#fault(about);
      this.#end(new TransportLost(about));
      return;
    }
    this.#awaited = awaited + 1;
    if (content.to !== undefined && content.to !== this.#page) return;
    let message: Message;
    try {
      message = decode(content.message, buffers, this.#limits);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.#deliver((receiver) => receiver.fault(error));
      return;
    }
    this.#deliver((receiver) => receiver.message(message));
  }

  #fault(about: string): void {
    this.#deliver((receiver) => receiver.fault(new RemoteProtocolError(about)));
  }

  #deliver(deliver: (receiver: Receiver) => void): void {
    const receiver = this.#receiver;
    if (receiver !== null) deliver(receiver);
    else this.#arrived.push(() => this.#receiver && deliver(this.#receiver));
  }

  #end(error: TransportError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#model?.off("msg:custom", this.#receive);
    this.#model = null;
    this.#waiting.length = 0;
    this.#setState("gone");
    this.#receiver?.end(error);
  }

  #setState(state: AfmState): void {
    if (state === this.#state || this.#state === "gone") return;
    this.#state = state;
    this.on_state(state);
  }
}
