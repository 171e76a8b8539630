/**
 * Both ends in one process: a link whose delivery a test steps, delays, cuts and interleaves; the twin of
 * `src/tsushin/transports/memory.py`.
 *
 * Order within a channel is kept, as every carrier keeps it; across channels the test decides, because no
 * carrier promises anything there. Messages are copied when they are sent, so what arrives is what a real
 * wire would bring.
 */
import type { TransportError } from "../errors.js";
import { TransportClosed, TransportLost } from "../errors.js";
import type { Channel, Message } from "../protocol/messages.js";
import { CHANNELS } from "../protocol/messages.js";
import type { Receiver, Transport } from "./base.js";

/** One end. Made in pairs by `memoryPair`. */
export class MemoryTransport implements Transport {
  #peer: MemoryTransport = this; // until `pair` joins two
  #receiver: Receiver | null = null;
  #ended: TransportError | null = null;
  #isStepped = false;
  readonly #arrived: Message[] = [];
  readonly #held = new Map<Channel, Message[]>(CHANNELS.map((channel) => [channel, []]));

  /** Return two joined ends; delivery is immediate until `hold` is called on an end. */
  static pair(): [MemoryTransport, MemoryTransport] {
    const [a, b] = [new MemoryTransport(), new MemoryTransport()];
    [a.#peer, b.#peer] = [b, a];
    return [a, b];
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const message of this.#arrived.splice(0)) receiver.message(message);
    if (this.#ended !== null) receiver.end(this.#ended);
  }

  send(message: Message): void {
    if (this.#ended !== null) throw this.#ended;
    const { buffers, ...json } = message;
    this.#peer.#arrive({ ...structuredClone(json), buffers: buffers.map((view) => view.slice()) });
  }

  /** The peer still receives what was sent before. */
  close(): void {
    if (this.#ended !== null) return;
    this.#end(new TransportClosed("closed here"));
    this.#peer.stepAll();
    this.#peer.#end(new TransportClosed("closed by the peer"));
  }

  // ---------------------------------------------------------------- for tests

  /** Keep what arrives from now on until `step` lets it in. */
  hold(): void {
    this.#isStepped = true;
  }

  /** Return the channels on which something is held. */
  held(): Channel[] {
    return CHANNELS.filter((channel) => this.#queue(channel).length > 0);
  }

  /** Let the oldest held message of one channel in, and return it; null where none is held. */
  step(channel: Channel): Message | null {
    const message = this.#queue(channel).shift() ?? null;
    if (message === null) return null;
    if (this.#receiver === null) this.#arrived.push(message);
    else this.#receiver.message(message);
    return message;
  }

  /** Lose the oldest held message of one channel, as a server under load does; return it. */
  drop(channel: Channel): Message | null {
    return this.#queue(channel).shift() ?? null;
  }

  /** Let the oldest held message of one channel in, and once more later. */
  repeat(channel: Channel): void {
    const [first] = this.#queue(channel);
    if (first !== undefined) this.#queue(channel).push(first);
    this.step(channel);
  }

  /** Let everything held in, channel by channel. */
  stepAll(): void {
    for (const channel of CHANNELS) while (this.step(channel) !== null);
  }

  /** Break the link at both ends; what is held is lost. */
  cut(): void {
    for (const end of [this, this.#peer]) {
      for (const queue of end.#held.values()) queue.length = 0;
      end.#end(new TransportLost("the link was cut"));
    }
  }

  #arrive(message: Message): void {
    this.#queue(message.channel).push(message);
    if (!this.#isStepped) this.step(message.channel);
  }

  #queue(channel: Channel): Message[] {
    return this.#held.get(channel) ?? [];
  }

  #end(error: TransportError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#receiver?.end(error);
  }
}
