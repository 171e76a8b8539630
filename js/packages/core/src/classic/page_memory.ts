/**
 * Which comms the scripts of one document have opened, remembered over a reload of the page.
 *
 * A reload runs saved outputs again. A script that called `new_comm` would open a second comm beside the
 * first, which is still open in the kernel; with this it goes on with the first. A comm is known by the
 * script's code and by which call of `new_comm` in it this is, and belongs to the browser tab that opened it.
 * Other tabs learn from it which comms are a page's and not the kernel's.
 *
 * Storage that is full or forbidden costs the memory, nothing else.
 */
import { tabId } from "../frontend/tab.js";
import { isJsonObject } from "../protocol/messages.js";

/** What is used of the browser's `Storage`. */
export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface PageStorage {
  /** Lives as long as the tab: `sessionStorage`. */
  readonly tab: StorageLike;
  /** Shared by the tabs: `localStorage`. */
  readonly shared: StorageLike;
}

interface Entry {
  readonly tab: string;
  /** Code and number of the call; null where no script can call it again. */
  readonly call: string | null;
}

type Entries = Record<string, Entry>;

const MAX_ENTRIES = 500; // comms of one document; the oldest are forgotten

/** The memory of one document. */
export class PageMemory {
  readonly #storage: PageStorage;
  readonly #key: string;
  readonly #tab: string;
  /** Comms that this tab opened before the page was loaded, by call, in the order they were opened. */
  readonly #earlier = new Map<string, string[]>();

  /** `document` names it among all that the browser shows, such as its server and path. */
  constructor(document: string, storage: PageStorage) {
    this.#storage = storage;
    this.#key = `tsushin:opened:${document}`;
    this.#tab = tabId(storage.tab);
    for (const [comm_id, { tab, call }] of Object.entries(this.#read())) {
      if (tab !== this.#tab || call === null) continue;
      this.#earlier.set(call, [...(this.#earlier.get(call) ?? []), comm_id]);
    }
  }

  /** Whether there is anything to `claim`. */
  get hasClaims(): boolean {
    return this.#earlier.size > 0;
  }

  /** Ids of all comms that pages have opened from this document, in any tab. */
  ids(): Set<string> {
    return new Set(Object.keys(this.#read()));
  }

  /** Say whether this tab has opened a comm, before the page was loaded or since. */
  isOfThisTab(comm_id: string): boolean {
    return this.#read()[comm_id]?.tab === this.#tab;
  }

  /** Return the id of the comm that `call` opened last before the reload, once; null: there is none. */
  claim(call: string): string | null {
    const ids = this.#earlier.get(call);
    const comm_id = ids?.pop() ?? null;
    if (ids?.length === 0) this.#earlier.delete(call);
    return comm_id;
  }

  opened(comm_id: string, call: string | null): void {
    const others = Object.entries(this.#read()).filter(([id]) => id !== comm_id);
    const kept = others.slice(-(MAX_ENTRIES - 1));
    this.#write({ ...Object.fromEntries(kept), [comm_id]: { tab: this.#tab, call } });
  }

  closed(comm_id: string): void {
    this.#keepOnly((id) => id !== comm_id);
  }

  /** The kernel has these comms open; all others are gone. */
  prune(alive: ReadonlySet<string>): void {
    this.#keepOnly((id) => alive.has(id));
  }

  /** The kernel is gone, and every comm with it. */
  clear(): void {
    this.#earlier.clear();
    this.#write({});
  }

  #keepOnly(isKept: (comm_id: string) => boolean): void {
    const entries = Object.entries(this.#read());
    const kept = entries.filter(([id]) => isKept(id));
    if (kept.length < entries.length) this.#write(Object.fromEntries(kept));
  }

  #read(): Entries {
    try {
      const read: unknown = JSON.parse(this.#storage.shared.getItem(this.#key) ?? "{}");
      if (!isJsonObject(read)) return {};
      return Object.fromEntries(Object.entries(read).filter(isEntry));
    } catch {
      return {};
    }
  }

  #write(entries: Entries): void {
    const { shared } = this.#storage;
    try {
      if (Object.keys(entries).length === 0) shared.removeItem(this.#key);
      else shared.setItem(this.#key, JSON.stringify(entries));
    } catch {
      // Full or forbidden: a reload will open new comms, as it does without us.
    }
  }
}

function isEntry(pair: [string, unknown]): pair is [string, Entry] {
  const [, value] = pair;
  if (!isJsonObject(value)) return false;
  return typeof value.tab === "string" && (value.call === null || typeof value.call === "string");
}
