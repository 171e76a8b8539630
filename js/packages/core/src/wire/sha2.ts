/**
 * SHA-256, SHA-512 and HMAC, synchronous: WebCrypto answers by promise, which would let messages
 * overtake each other, and `core` has no dependency.
 *
 * Both hashes are one construction over words of 32 or 64 bits; what differs is in `update` of the state.
 * SHA-512 works on BigInts: it is rare in connection files, so it is short rather than fast.
 *
 * Spec: FIPS 180-4, RFC 2104.
 */

/** A hash that grows; `copy` continues from a shared beginning. */
export abstract class Sha2 {
  protected abstract readonly blockBytes: 64 | 128;
  #pending = new Uint8Array(128);
  #bytes = 0;

  /** Return an independent hash of the same beginning. */
  copy(): this {
    const other = this.emptyCopy() as this;
    other.#pending = this.#pending.slice();
    other.#bytes = this.#bytes;
    return other;
  }

  update(bytes: Uint8Array): this {
    const size = this.blockBytes;
    for (let at = 0; at < bytes.byteLength;) {
      const filled = this.#bytes % size;
      const part = bytes.subarray(at, at + size - filled);
      this.#pending.set(part, filled);
      this.#bytes += part.byteLength;
      at += part.byteLength;
      if (this.#bytes % size === 0) this.mix(new DataView(this.#pending.buffer));
    }
    return this;
  }

  /** Finish and return the hash; the object is of no use afterwards. */
  digest(): Uint8Array<ArrayBuffer> {
    const size = this.blockBytes;
    const bits = BigInt(this.#bytes) * 8n;
    const least = 1 + size / 8; // a one bit, and the length in two words
    const zeros = (2 * size - least - (this.#bytes % size)) % size;
    const tail = new Uint8Array(least + zeros);
    tail[0] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.byteLength - 8, bits);
    this.update(tail);
    return this.stateBytes();
  }

  /** Return a new hash with a copy of the state. */
  protected abstract emptyCopy(): Sha2;
  /** Take one block into the state. */
  protected abstract mix(block: DataView): void;
  protected abstract stateBytes(): Uint8Array<ArrayBuffer>;
}

/** The first 64 bits of the fractional parts of a root of the first primes. */
function primeRoots(count: number, degree: 2n | 3n): bigint[] {
  const roots: bigint[] = [];
  for (let candidate = 2n; roots.length < count; candidate++) {
    if (isPrime(candidate))
      roots.push(BigInt.asUintN(64, root(candidate << (64n * degree), degree)));
  }
  return roots;
}

function isPrime(candidate: bigint): boolean {
  for (let d = 2n; d * d <= candidate; d++) if (candidate % d === 0n) return false;
  return true;
}

/** Newton's method from above: the largest integer whose power is not above `value`. */
function root(value: bigint, degree: bigint): bigint {
  let guess = 1n << 70n; // above every root asked for here
  for (;;) {
    const next = ((degree - 1n) * guess + value / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

const ROUNDS_512 = primeRoots(80, 3n);
const START_512 = primeRoots(8, 2n);
const ROUNDS_256 = high32(ROUNDS_512.slice(0, 64));
const START_256 = high32(START_512);

/** SHA-256 has the same constants as SHA-512, cut to 32 bits. */
function high32(words: bigint[]): Int32Array {
  return Int32Array.from(words, (word) => Number(word >> 32n));
}

type Words<T> = [T, T, T, T, T, T, T, T];

export class Sha256 extends Sha2 {
  protected override readonly blockBytes = 64;
  #state = START_256.slice();

  protected override emptyCopy(): Sha256 {
    const other = new Sha256();
    other.#state = this.#state.slice();
    return other;
  }

  protected override mix(block: DataView): void {
    const w = schedule256(block);
    let [a, b, c, d, e, f, g, h] = [...this.#state] as Words<number>;
    for (let i = 0; i < 64; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + word(ROUNDS_256, i) + word(w, i)) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    const added = [a, b, c, d, e, f, g, h];
    this.#state = this.#state.map((before, i) => before + (added[i] ?? 0));
  }

  protected override stateBytes(): Uint8Array<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(32));
    this.#state.forEach((value, i) => view.setInt32(4 * i, value));
    return new Uint8Array(view.buffer);
  }
}

function schedule256(block: DataView): Int32Array {
  const w = new Int32Array(64);
  for (let i = 0; i < 16; i++) w[i] = block.getInt32(4 * i);
  for (let i = 16; i < 64; i++) {
    const x = word(w, i - 15);
    const y = word(w, i - 2);
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    w[i] = word(w, i - 16) + s0 + word(w, i - 7) + s1;
  }
  return w;
}

function turn(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits));
}

function word(words: Int32Array, i: number): number {
  return words[i] as number; // every index here is below 64
}

export class Sha512 extends Sha2 {
  protected override readonly blockBytes = 128;
  #state = START_512;

  protected override emptyCopy(): Sha512 {
    const other = new Sha512();
    other.#state = this.#state;
    return other;
  }

  protected override mix(block: DataView): void {
    const w = schedule512(block);
    let [a, b, c, d, e, f, g, h] = this.#state as Words<bigint>;
    w.forEach((scheduled, i) => {
      const s1 = turn64(e, 14n) ^ turn64(e, 18n) ^ turn64(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (~e & g)) + (ROUNDS_512[i] ?? 0n) + scheduled;
      const s0 = turn64(a, 28n) ^ turn64(a, 34n) ^ turn64(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, wrap(d + t1), c, b, a, wrap(t1 + t2)];
    });
    const added = [a, b, c, d, e, f, g, h];
    this.#state = this.#state.map((before, i) => wrap(before + (added[i] ?? 0n)));
  }

  protected override stateBytes(): Uint8Array<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(64));
    this.#state.forEach((value, i) => view.setBigUint64(8 * i, value));
    return new Uint8Array(view.buffer);
  }
}

function schedule512(block: DataView): bigint[] {
  const w: bigint[] = Array.from({ length: 16 }, (_none, i) => block.getBigUint64(8 * i));
  for (let i = 16; i < 80; i++) {
    const [x, y] = [w[i - 15] ?? 0n, w[i - 2] ?? 0n];
    const s0 = turn64(x, 1n) ^ turn64(x, 8n) ^ (x >> 7n);
    const s1 = turn64(y, 19n) ^ turn64(y, 61n) ^ (y >> 6n);
    w.push(wrap((w[i - 16] ?? 0n) + s0 + (w[i - 7] ?? 0n) + s1));
  }
  return w;
}

function turn64(value: bigint, bits: bigint): bigint {
  return (value >> bits) | wrap(value << (64n - bits));
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** HMAC with one key: both key blocks are hashed once and copied for each message. */
export class Hmac {
  readonly #inner: Sha2;
  readonly #outer: Sha2;

  /** `Hash` is `Sha256` or `Sha512`; its block is twice as long as its digest. */
  constructor(key: Uint8Array, Hash: new () => Sha2 = Sha256) {
    const block = new Uint8Array(2 * new Hash().digest().byteLength);
    block.set(key.byteLength > block.byteLength ? new Hash().update(key).digest() : key);
    this.#inner = new Hash().update(block.map((byte) => byte ^ 0x36));
    this.#outer = new Hash().update(block.map((byte) => byte ^ 0x5c));
  }

  /** Return the code of all parts, one after the other. */
  digest(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const inner = this.#inner.copy();
    for (const part of parts) inner.update(part);
    return this.#outer.copy().update(inner.digest()).digest();
  }
}
