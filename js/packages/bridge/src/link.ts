/**
 * One kernel as this page sees it through its bridge: one frontend, however many models and views show it.
 */
import { make_jupyter } from "tsushin";
import type { Jupyter, OnUnknown } from "tsushin";
import { AfmTransport, Frontend } from "tsushin/hosts";
import type { AfmModel, AfmState } from "tsushin/hosts";

/** A page that attached to a kernel never closes a comm that it merely does not know (DESIGN 5). */
const ON_UNKNOWN: OnUnknown = "keep";

/** A host that makes the model anew (marimo runs its cell again) does so within this time. */
const GRACE_MS = 5000;

export interface LinkOptions {
  readonly kernel_id: string;
  readonly on_change: (link: Link) => void;
  readonly grace_ms?: number;
}

/** The frontend of one kernel, and what pages know it by. */
export class Link {
  readonly kernel_id: string;
  readonly frontend: Frontend;
  readonly Jupyter: Jupyter;
  readonly #transport = new AfmTransport();
  readonly #models: AfmModel[] = []; // the last one is in use
  readonly #listeners = new Set<() => void>();
  readonly #graceMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ kernel_id, on_change, grace_ms = GRACE_MS }: LinkOptions) {
    this.kernel_id = kernel_id;
    this.#graceMs = grace_ms;
    this.#transport.on_state = (state) => {
      on_change(this);
      for (const listener of this.#listeners) listener();
      if (state === "connected") this.#look();
    };
    this.frontend = new Frontend(this.#transport, {
      kernel_id,
      on_unknown: ON_UNKNOWN,
      lane: { kernel_id: () => null }, // whatever server the page has, it is not ours to know
    });
    this.Jupyter = make_jupyter(this.frontend);
  }

  get state(): AfmState {
    return this.#transport.state;
  }

  /** One more model of this kernel is in the page; returns how to take it away. */
  add(model: AfmModel): () => void {
    clearTimeout(this.#timer);
    const isFirst = this.#models.length === 0;
    // A second model of a live link is the same kernel in another panel: it waits for its turn.
    if (isFirst) this.#models.push(model);
    else this.#models.unshift(model);
    if (isFirst) this.#transport.use(model);
    return () => this.#remove(model);
  }

  /** Call `listener` with each change until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The page goes away. */
  end(): void {
    this.#transport.close();
  }

  /** The kernel's end may know the profile, and have said so before this page was there. */
  #look(): void {
    this.frontend.look().catch((error: unknown) => console.error("tsushin:", error));
  }

  #remove(model: AfmModel): void {
    const wasInUse = this.#models.at(-1) === model;
    const at = this.#models.lastIndexOf(model);
    if (at >= 0) this.#models.splice(at, 1);
    if (!wasInUse) return;
    const next = this.#models.at(-1);
    if (next !== undefined) {
      this.#transport.use(next);
      return;
    }
    this.#transport.leave();
    this.#timer = setTimeout(() => this.end(), this.#graceMs);
  }
}
