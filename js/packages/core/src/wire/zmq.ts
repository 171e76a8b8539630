/**
 * The ZMQ carrier: one multipart message.
 *
 * `[identities…, <IDS|MSG>, signature, header, parent_header, metadata, content, buffers…]`. The channel
 * is not on the wire: it is the socket. A browser has no ZMQ; kernels and tools in Node do.
 *
 * Spec: Jupyter messaging, "The Wire Protocol". Vectors: spec/vectors/zmq.
 */
import { WireError } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS, checkLimit } from "../protocol/limits.js";
import type { Channel, Message } from "../protocol/messages.js";
import { checkPartSizes, decodeParts, encodeParts, encodeText } from "./parts.js";
import type { Signer } from "./signing.js";

const DELIMITER = encodeText("<IDS|MSG>");
const LEAST_FRAMES = 5; // signature and four JSON parts

/** Encode `message` as frames, signed. The buffers are passed on as they are, not copied. */
export function encode(message: Message, signer: Signer): Uint8Array[] {
  const parts = encodeParts(message);
  const { identities, buffers } = message;
  return [...identities, DELIMITER, signer.sign(parts), ...parts, ...buffers];
}

/**
 * Decode one multipart message. `identities` and `buffers` are the given frames, not copied.
 *
 * Throws `WireError`, `SignatureError` or `LimitExceeded`; a refused message changes nothing in `signer`.
 */
export function decode(
  frames: readonly Uint8Array[],
  channel: Channel,
  signer: Signer,
  limits: Limits = DEFAULT_LIMITS,
): Message {
  const start = frames.findIndex(isDelimiter);
  if (start < 0) throw new WireError("expected a frame <IDS|MSG>", { part: "delimiter" });
  const [signature, ...rest] = frames.slice(start + 1);
  if (signature === undefined || rest.length < LEAST_FRAMES - 1) {
    const got = frames.length - start - 1;
    throw new WireError(`expected at least ${LEAST_FRAMES}, got ${got}`, { part: "frames" });
  }
  checkSizes(frames, start, rest.length - 4, limits);
  const parts = rest.slice(0, 4);
  checkPartSizes(parts, limits);
  signer.verify(signature, parts);
  return {
    channel,
    ...decodeParts(parts),
    buffers: rest.slice(4),
    identities: frames.slice(0, start),
  };
}

function checkSizes(
  frames: readonly Uint8Array[],
  identities: number,
  buffers: number,
  limits: Limits,
): void {
  checkLimit(limits, "max_identities", identities);
  checkLimit(limits, "max_buffers", buffers);
  const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  checkLimit(limits, "max_message_bytes", bytes);
}

function isDelimiter(frame: Uint8Array): boolean {
  return (
    frame.byteLength === DELIMITER.byteLength && frame.every((byte, i) => byte === DELIMITER[i])
  );
}
