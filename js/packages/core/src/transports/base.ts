/**
 * What a transport is: three members that move whole messages, in order per channel.
 *
 * A transport hides its carrier completely: it encodes and decodes with a codec of `wire` and turns
 * every way a link can end into one of two errors. What a peer can break in a single message is no end
 * of the link: it is reported to `on_fault` and the next message is read.
 *
 * The twin of `src/tsushin/transports/base.py`; where Python awaits `receive()`, JavaScript hands over
 * events, so that a message reaches its handler in the turn in which it arrived.
 */
import type { RemoteProtocolError, TransportError } from "../errors.js";
import type { Message } from "../protocol/messages.js";

/** What the owner of a transport wants to hear. Set once, before the first message can arrive. */
export interface Receiver {
  /** The next message of any channel. */
  message(message: Message): void;
  /** One undecodable message; the link goes on. */
  fault(error: RemoteProtocolError): void;
  /** The link ended, once: `TransportClosed` (by us, or orderly by the peer) or `TransportLost`. */
  end(error: TransportError): void;
}

/** One end of a link. Ordered per channel, unordered across channels. */
export interface Transport {
  /**
   * Hand over every message from now on to `receiver`; what came earlier is handed over first, in
   * order, before this returns. Called once.
   */
  start(receiver: Receiver): void;
  /** Queue `message`; encodes before it returns. Throws `TransportClosed` or `TransportLost`. */
  send(message: Message): void;
  /** Send what is queued, then close. Idempotent; `Receiver.end` is called with `TransportClosed`. */
  close(): void;
}
