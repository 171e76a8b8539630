/**
 * Who waits for what answers one sent message: found by `parent_header.msg_id`.
 *
 * A watcher sees every message whose parent is its own, on any channel, in order of arrival, until it
 * stops watching or the link ends. Nothing waits for ever: `end` reaches every watcher.
 */
import type { TsushinError } from "../errors.js";
import type { Message } from "../protocol/messages.js";

export interface Watcher {
  message(message: Message): void;
  end(error: TsushinError): void;
}

/** The watchers of one frontend by the `msg_id` of what was sent. */
export class Requests {
  readonly #watchers = new Map<string, Watcher>();

  get size(): number {
    return this.#watchers.size;
  }

  watch(msg_id: string, watcher: Watcher): void {
    this.#watchers.set(msg_id, watcher);
  }

  stop(msg_id: string): void {
    this.#watchers.delete(msg_id);
  }

  receive(message: Message): void {
    const parent = message.parent_header.msg_id;
    if (typeof parent === "string") this.#watchers.get(parent)?.message(message);
  }

  /** Nothing will answer any more. */
  end(error: TsushinError): void {
    const watchers = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.end(error);
  }
}
