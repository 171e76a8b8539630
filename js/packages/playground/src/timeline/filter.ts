/** Which entries the timeline shows. */
import type { Entry } from "./model.js";

export interface Filter {
  /** Show one target, one comm, or everything. */
  readonly only: { readonly target: string } | { readonly comm_id: string } | null;
  /** The comm of the round-trip chart; its `msg` entries are hidden unless `show_pings`. */
  readonly ping_target: string;
  readonly show_pings: boolean;
}

/** Tell whether the entry is a message of the round-trip chart: many, and alike. */
export function isPing(filter: Filter, entry: Entry): boolean {
  return entry.target === filter.ping_target && entry.type === "msg";
}

/** Tell whether the timeline shows the entry. */
export function passes(filter: Filter, entry: Entry): boolean {
  if (!filter.show_pings && isPing(filter, entry)) return false;
  if (filter.only === null) return true;
  return "target" in filter.only
    ? entry.target === filter.only.target
    : entry.comm_id === filter.only.comm_id;
}
