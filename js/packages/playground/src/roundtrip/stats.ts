/** The newest round-trip times and what they say. Times in milliseconds. */

/** One measured round trip. */
export interface Sample {
  /** Seconds since measuring began. */
  readonly at_s: number;
  readonly took_ms: number;
}

/**
 * Return the p-th percentile by nearest rank, or null where there is nothing.
 *
 * Args:
 *   sorted: ascending.
 *   p: 0 to 100.
 */
export function percentile(sorted: readonly number[], p: number): number | null {
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length));
  return sorted[rank - 1] ?? null;
}

export interface Summary {
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly last_ms: number | null;
}

/** A window over the newest samples. */
export class SampleWindow {
  readonly #size: number;
  #samples: Sample[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length > this.#size) this.#samples.shift();
  }

  clear(): void {
    this.#samples = [];
  }

  summary(): Summary {
    const sorted = this.#samples.map((sample) => sample.took_ms).sort((a, b) => a - b);
    return {
      p50_ms: percentile(sorted, 50),
      p95_ms: percentile(sorted, 95),
      last_ms: this.#samples.at(-1)?.took_ms ?? null,
    };
  }
}
