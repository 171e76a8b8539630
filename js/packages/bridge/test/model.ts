/** A host's model, as far as the bridge uses it: what was posted, and a way to answer. */
import type { AfmModel } from "tsushin/hosts";

type Callback = (content: unknown, buffers?: readonly ArrayBuffer[]) => void;
type Posted = Record<string, unknown>;

export class Model implements AfmModel {
  readonly posted: Posted[] = [];
  readonly callbacks = new Set<Callback>();
  readonly #kernelId: string;

  constructor(kernelId: string) {
    this.#kernelId = kernelId;
  }

  get(name: string): unknown {
    return name === "kernel_id" ? this.#kernelId : undefined;
  }

  on(_name: "msg:custom", callback: Callback): void {
    this.callbacks.add(callback);
  }

  off(_name: "msg:custom", callback: Callback): void {
    this.callbacks.delete(callback);
  }

  send(content: unknown): void {
    this.posted.push(content as Posted);
  }

  say(content: Posted): void {
    for (const callback of this.callbacks) callback({ tsushin: 1, ...content });
  }

  welcome(): void {
    this.say({ welcome: this.posted[0]?.page, n: 0 });
  }
}
