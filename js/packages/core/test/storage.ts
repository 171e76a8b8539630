/** Browser storage for tests: tabs of one browser, each with its own part and one that they share. */
import type { PageStorage, StorageLike } from "../src/classic/page_memory.js";

export class MapStorage implements StorageLike {
  readonly #items = new Map<string, string>();

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

export function tabs<N extends 1 | 2>(
  count: N,
): N extends 1 ? [PageStorage] : [PageStorage, PageStorage] {
  const shared = new MapStorage();
  const made = Array.from({ length: count }, () => ({ tab: new MapStorage(), shared }));
  return made as unknown as N extends 1 ? [PageStorage] : [PageStorage, PageStorage];
}
