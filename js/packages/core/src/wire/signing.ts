/**
 * Signatures of the ZMQ carrier: HMAC over the four JSON parts, as lower-case hex.
 *
 * The buffers are *not* covered: the specification signs the JSON only. Who can change traffic between
 * the ends can change buffers; use CurveZMQ or a trusted link where that matters.
 *
 * Order of checks: length, then the code, then whether it was seen, then remember it. A signature is
 * never remembered before it was verified (STYLE 12, F).
 *
 * Spec: Jupyter messaging, "Wire Protocol". Vectors: spec/vectors/zmq.
 */
import { SignatureError } from "../errors.js";
import type { Limits } from "../protocol/limits.js";
import { DEFAULT_LIMITS } from "../protocol/limits.js";
import { encodeText } from "./parts.js";
import type { Sha2 } from "./sha2.js";
import { Hmac, Sha256, Sha512 } from "./sha2.js";

const HASHES = new Map<string, new () => Sha2>([
  ["hmac-sha256", Sha256],
  ["hmac-sha512", Sha512],
]);

/** Signs and verifies with one key, as one connection file gives it. */
export class Signer {
  readonly #hmac: Hmac | null;
  readonly #signatureBytes: number;
  readonly #seen = new Set<string>();
  readonly #limits: Limits;

  /** An empty key: nothing is signed and nothing is checked. Throws RangeError for an unknown scheme. */
  constructor(key: string | Uint8Array, scheme = "hmac-sha256", limits: Limits = DEFAULT_LIMITS) {
    const hash = HASHES.get(scheme);
    if (hash === undefined) throw new RangeError("scheme: expected hmac-sha256 or hmac-sha512");
    const bytes = typeof key === "string" ? encodeText(key) : key;
    this.#hmac = bytes.byteLength > 0 ? new Hmac(bytes, hash) : null;
    this.#signatureBytes = this.sign([]).byteLength;
    this.#limits = limits;
  }

  /** Return the signature of the four JSON parts as hex in ASCII; empty without a key. */
  sign(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    return encodeText(this.#hmac === null ? "" : toHex(this.#hmac.digest(parts)));
  }

  /** Throw `SignatureError` if the signature is missing, wrong or was seen before. */
  verify(signature: Uint8Array, parts: readonly Uint8Array[]): void {
    if (this.#hmac === null) return;
    if (signature.byteLength !== this.#signatureBytes) {
      throw refusal(`expected ${this.#signatureBytes} bytes, got ${signature.byteLength}`);
    }
    const expected = this.sign(parts);
    if (!isSame(signature, expected)) throw refusal("it does not match the message");
    const name = String.fromCharCode(...expected);
    if (this.#seen.has(name)) throw refusal("it was used before");
    this.#remember(name);
  }

  #remember(name: string): void {
    this.#seen.add(name);
    if (this.#seen.size <= this.#limits.max_signatures) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      return;
    }
  }
}

/** Compare in constant time: how long it takes says nothing about where the difference is. */
function isSame(given: Uint8Array, expected: Uint8Array): boolean {
  let difference = 0;
  expected.forEach((byte, i) => (difference |= byte ^ (given[i] ?? 0)));
  return difference === 0;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refusal(message: string): SignatureError {
  return new SignatureError(message, { part: "signature" });
}
