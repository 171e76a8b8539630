/**
 * Finding a target by its module: what `target_module` of a `comm_open` stands for in a page.
 *
 * | module | loaded by |
 * |---|---|
 * | an address: it has a scheme, begins with `/`, `./` or `../`, or ends in `.js` or `.mjs` | its own form: `import()` for an ES module, else RequireJS |
 * | any other name, as `mylib` or `nbextensions/x` | RequireJS (defined or configured modules, else a file below `baseUrl`), then `import()` (import maps) |
 *
 * Addresses are relative to `base_url`. Which form a file has is not guessed: it is fetched, and text
 * with `import` or `export` declarations is no valid function body, while every AMD file is one. So no
 * file is run twice, and none in the wrong way (a UMD file run as an ES module would make a global).
 *
 * The target is the first function of: the export called like the target, the default export, an export
 * of the default export called like the target. For an AMD module its properties are the exports, and
 * the module itself may be the function.
 */
import { UnknownTarget } from "../errors.js";
import { describe } from "../runtime.js";
import type { Amd } from "./amd.js";
import { documentAddress } from "./amd.js";
import { fetchText } from "./requirejs.js";
import type { ClassicTarget, LoadClassicTarget } from "./types.js";

export interface TargetLoaderOptions {
  /** Loads AMD modules; without it only ES modules are found. */
  readonly amd?: Pick<Amd, "load"> | undefined;
  /** What relative addresses are relative to; the address of the document by default. */
  readonly base_url?: string | undefined;
}

/** One way to load a module. */
interface Way {
  readonly name: string;
  readonly load: () => Promise<unknown>;
}

const MAX_SHOWN = 200; // characters of a module's name in errors: it is for whoever wrote it

/**
 * Make what finds targets by their module, for `make_jupyter(fe, { load_target })`.
 *
 * What it returns rejects with `UnknownTarget`: the message says what was tried, and why each failed.
 */
export function page_target_loader(options: TargetLoaderOptions = {}): LoadClassicTarget {
  const { amd, base_url = documentAddress() } = options;
  return async (target_module, target_name) => {
    const failures: string[] = [];
    try {
      for (const { name, load } of await waysOf(target_module, base_url, amd)) {
        try {
          return targetOf(await load(), target_name);
        } catch (error) {
          failures.push(`${name}: ${describe(error)}`);
        }
      }
    } catch (error) {
      failures.push(describe(error)); // there is no way at all
    }
    const about = `target "${target_name}" in module "${shown(target_module)}"`;
    throw new UnknownTarget(`${about}: ${failures.join("; ")}`, { target_name });
  };
}

function shown(target_module: string): string {
  if (target_module.length <= MAX_SHOWN) return target_module;
  return `${target_module.slice(0, MAX_SHOWN)}…`;
}

/** Return the ways to load a module, in the order to try them. */
async function waysOf(
  target_module: string,
  base_url: string | undefined,
  amd: TargetLoaderOptions["amd"],
): Promise<Way[]> {
  if (!isAddress(target_module)) return [amdWay(target_module, amd), importWay(target_module)];
  const url = new URL(target_module, base_url).href;
  return [(await isEsModule(url)) ? importWay(url) : amdWay(url, amd)];
}

function isAddress(target_module: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:|\/|\.\.?\/)/i.test(target_module) || /\.m?js$/.test(target_module);
}

function importWay(specifier: string): Way {
  const load = () =>
    // The specifier is known only now, and bundlers are to leave the call alone.
    import(/* webpackIgnore: true */ /* @vite-ignore */ specifier) as Promise<unknown>;
  return { name: "import()", load };
}

function amdWay(name: string, amd: TargetLoaderOptions["amd"]): Way {
  const none = () => Promise.reject(new Error("not offered by this page"));
  return { name: "RequireJS", load: amd === undefined ? none : () => amd.load(name) };
}

/** Say whether the file is to be loaded by `import()`. Rejects where the server has no such file. */
async function isEsModule(url: string): Promise<boolean> {
  let text: string;
  try {
    text = await fetchText(url);
  } catch (error) {
    // Some addresses can be imported and not fetched: a page's policy tells them apart, Node has `file:`.
    if (error instanceof TypeError) return true;
    throw new Error(`${url}: ${describe(error)}`, { cause: error });
  }
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- parsed, never called
    new Function(text);
    return false;
  } catch {
    return true; // or it is no JavaScript at all: `import()` says that best
  }
}

/** Return the target among what a module exports. Throws an error that lists the exports. */
function targetOf(module: unknown, target_name: string): ClassicTarget {
  const standard = own(module, "default");
  const candidates = [own(module, target_name), standard, own(standard, target_name), module];
  const found = candidates.find((one) => typeof one === "function");
  if (found !== undefined) return found as ClassicTarget;
  const exports = typeof module === "object" && module !== null ? Object.keys(module) : null;
  if (exports === null)
    throw new Error(`the module is ${String(module)}; expected exports, or a call of define`);
  const listed = exports.length === 0 ? "nothing" : exports.map((name) => `"${name}"`).join(", ");
  throw new Error(
    `expected a function exported as "${target_name}" or as default; it exports ${listed}`,
  );
}

/** A module's own property: what every object or function inherits is no export. */
function own(module: unknown, name: string): unknown {
  if ((typeof module !== "object" && typeof module !== "function") || module === null)
    return undefined;
  return Object.hasOwn(module, name) ? (module as Record<string, unknown>)[name] : undefined;
}
