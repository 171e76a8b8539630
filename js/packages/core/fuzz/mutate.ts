/** Small changes to bytes that decoders get wrong, chosen by a generator that a seed makes repeatable. */

/** Random numbers from a seed (mulberry32): the same seed gives the same run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T; // never asked of an empty list
  }
}

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

// Numbers at the edges of the offset tables' integers.
const EDGES = [
  0n,
  1n,
  5n,
  255n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 64n - 1n,
];
const TOKENS = ["[]", "{}", "null", '""', "1e999", '"\\ud800"', "\\u0000", ",", '"', "{", "[[[["];

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => edited(bytes, random, (at) => (bytes[at] ?? 0) ^ (1 << random.below(8))),
  (bytes, random) => edited(bytes, random, () => random.below(256)),
  (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength + 1)),
  (bytes, random) => spliced(bytes, random, random.below(9), new Uint8Array()),
  (bytes, random) => spliced(bytes, random, 0, randomBytes(random)),
  (bytes, random) => spliced(bytes, random, random.below(9), randomToken(random)),
  (bytes, random) => spliced(bytes, random, 8, number(random, 8)),
  (bytes, random) => spliced(bytes, random, 4, number(random, 4)),
  (bytes, random) => spliced(bytes, random, 0, bytes.subarray(random.below(bytes.byteLength + 1))),
];

/** Return a changed copy of one of `seeds`, sometimes continued with another. */
export function mutated(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = random.pick(seeds);
  for (let n = random.below(6); n >= 0; n--) bytes = random.pick(MUTATIONS)(bytes, random);
  if (random.below(16) > 0) return bytes.slice();
  const other = random.pick(seeds);
  return joined(bytes, other.subarray(random.below(other.byteLength + 1)));
}

function edited(bytes: Uint8Array, random: Random, value: (at: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (copy.byteLength === 0) return copy;
  const at = random.below(copy.byteLength);
  copy[at] = value(at);
  return copy;
}

/** Replace `count` bytes somewhere by `part`; tables begin the frame, so often near its beginning. */
function spliced(bytes: Uint8Array, random: Random, count: number, part: Uint8Array): Uint8Array {
  const room = random.below(2) === 0 ? bytes.byteLength : Math.min(bytes.byteLength, 9);
  const at = count >= 4 ? 4 * random.below(Math.ceil(room / 4) + 1) : random.below(room + 1);
  return joined(bytes.subarray(0, at), part, bytes.subarray(at + count));
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function randomBytes(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.below(16) }, () => random.below(256));
}

function randomToken(random: Random): Uint8Array {
  return new TextEncoder().encode(random.pick(TOKENS));
}

function number(random: Random, width: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, random.pick(EDGES), random.below(2) === 0);
  return new Uint8Array(view.buffer)
    .subarray(random.below(2) === 0 ? 0 : 8 - width)
    .slice(0, width);
}
