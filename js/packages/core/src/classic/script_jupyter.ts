/**
 * `Jupyter` as one script sees it: the same object, but its `new_comm` knows which script calls, so that a
 * saved output that runs again after a reload goes on with the comm it had opened.
 */
import { PageCommManager } from "./comms.js";
import type { ClassicCommManager, Jupyter } from "./types.js";

/** Return `jupyter` for one run of the script `code`. What is set on it is set on `jupyter`. */
export function script_jupyter(jupyter: Jupyter, code: string): Jupyter {
  const { notebook } = jupyter;
  const { kernel } = notebook;
  const manager = kernel.comm_manager;
  if (!(manager instanceof PageCommManager)) return jupyter;
  const script = textHash(code);
  let calls = 0;
  const new_comm: ClassicCommManager["new_comm"] = (...args) => {
    calls += 1;
    return manager.newComm(`${script}:${calls}`, ...args);
  };
  const comm_manager = overlay<ClassicCommManager>(manager, { new_comm });
  return overlay(jupyter, {
    notebook: overlay(notebook, { kernel: overlay(kernel, { comm_manager }) }),
  });
}

/** Return `base` with some members replaced; everything else, setting included, is `base`'s own. */
function overlay<T extends object>(base: T, members: Partial<T>): T {
  return new Proxy(base, {
    get(target, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key) as unknown;
      const value: unknown = Reflect.get(target, key, target);
      // A method of a class with private fields needs the real object.
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

/** Return 64 bits of FNV-1a over the text's UTF-16 code units, as hex: to tell scripts apart, nothing more. */
function textHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i += 1) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  }
  return hash.toString(16);
}
