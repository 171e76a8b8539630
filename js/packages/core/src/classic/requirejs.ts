/**
 * RequireJS, evaluated inside a function: nothing of it becomes a global, because libraries in UMD form
 * would take a global `define` or `exports` that was not meant for them.
 *
 * A classic page lets RequireJS add script elements; those see only globals. Here its `load` is replaced:
 * the file is fetched and run as a function that has `define` as a parameter. What a file defines without
 * a name is therefore known to be that file's, and a failure has its own words instead of "Script error".
 */
import { describe } from "../runtime.js";
import type { AmdConfig, AmdError } from "./types.js";

/** Seconds a module may take to load; as long as the whole load of a target may (`manager.ts`). */
const WAIT_SECONDS = 30;

/** RequireJS's own `requirejs`, as far as it is used here. */
export interface RequireJs {
  (config: AmdConfig, deps: readonly string[], ok?: Callback, failed?: Failed): unknown;
  (name: string): unknown;
  config(config: AmdConfig): unknown;
  toUrl(path: string): string;
  defined(name: string): boolean;
  specified(name: string): boolean;
  undef(name: string): void;
  onError: (error: AmdError) => void;
  load: (context: Context, name: string, url: string) => void;
  readonly s: { readonly contexts: Readonly<Record<string, Context | undefined>> };
}

export type Callback = (...modules: unknown[]) => unknown;
export type Failed = (error: AmdError) => unknown;
export type Define = (...args: unknown[]) => void;

/** One set of modules and its configuration; RequireJS makes the default one, called "_". */
interface Context {
  readonly config: {
    readonly paths?: Readonly<Record<string, unknown>>;
    readonly shim?: Readonly<Record<string, unknown>>;
  };
  /** Modules that are asked for and not defined yet. */
  readonly registry: Readonly<Record<string, WaitingModule>>;
  completeLoad(name: string): void;
  /** Calls a factory, or the function given to `require`. */
  execCb: (name: string, callback: Callback, args: unknown[], exports: unknown) => unknown;
  onError(error: AmdError): void;
  onScriptError(event: unknown): void;
}

interface WaitingModule {
  readonly depMaps?: readonly { readonly id: string }[];
  events: object;
}

export interface StartOptions {
  /** What relative addresses are relative to. */
  readonly base_url: string | undefined;
  readonly on_error: (error: unknown) => void;
}

/** RequireJS and its `define`. */
export interface Started {
  readonly requirejs: RequireJs;
  readonly define: Define;
}

/** Start RequireJS from the text of its `require.js`. Throws where that is something else. */
export function startRequireJs(source: string, options: StartOptions): Started {
  const { base_url, on_error } = options;
  const config: AmdConfig = { skipDataMain: true, waitSeconds: WAIT_SECONDS };
  if (base_url !== undefined) config.baseUrl = new URL(".", base_url).href;
  // A parameter called `requirejs` that is no function is its first configuration.
  const body = `${source}\nreturn { requirejs, define };`;
  const start = newFunction("requirejs", body);
  const started = start.call(globalThis, config) as Started;
  if (typeof started.requirejs !== "function")
    throw new TypeError("expected the text of require.js");
  const { requirejs, define } = started;
  requirejs.onError = (error) => {
    if (error.requireType === "notloaded") throw error; // the caller asked for a module at once
    on_error(error);
  };
  requirejs.load = (context, name, url) => {
    loadFile(
      define,
      context,
      name,
      base_url === undefined ? url : new URL(url, base_url).href,
    ).catch(on_error);
  };
  const context = requirejs.s.contexts._;
  if (context !== undefined) context.execCb = callAsObject;
  return { requirejs, define };
}

/** RequireJS notes on an error which module it is of, and would lose one that is no object. */
function callAsObject(
  _name: string,
  callback: Callback,
  args: unknown[],
  exports: unknown,
): unknown {
  try {
    return callback.apply(exports, args);
  } catch (error) {
    throw typeof error === "object" && error !== null ? (error as Error) : new Error(String(error));
  }
}

/**
 * Forget modules that could not be loaded, and what waits for them, so that asking again tries again;
 * RequireJS itself would keep the failure for good.
 */
export function forgetFailed(requirejs: RequireJs, names: readonly string[]): string[] {
  const registry = requirejs.s.contexts._?.registry ?? {};
  const failed = new Set(names);
  for (let before = -1; before < failed.size;) {
    before = failed.size;
    for (const [id, { depMaps = [] }] of Object.entries(registry)) {
      if (depMaps.some((map) => failed.has(map.id))) failed.add(id);
    }
  }
  for (const id of failed) {
    const waiting = registry[id];
    if (waiting !== undefined) waiting.events = {}; // else whoever waited before is called by a later load
    requirejs.undef(id);
  }
  return [...failed];
}

async function loadFile(
  define: Define,
  context: Context,
  name: string,
  url: string,
): Promise<void> {
  try {
    const text = await fileText(url);
    const isPlainScript =
      Object.hasOwn(context.config.shim ?? {}, name) && !/\bdefine\b/.test(text);
    runFile(`${text}\n//# sourceURL=${url}`, isPlainScript, define);
  } catch (error) {
    failFile(
      context,
      name,
      new Error(`module "${name}" from ${url}: ${describe(error)}`, { cause: error }),
    );
    return;
  }
  context.completeLoad(name);
}

/**
 * Return the text of a module's file. For a module that is named by its address, RequireJS makes `./part`
 * in it an address without `.js`, and would look for just that.
 */
async function fileText(url: string): Promise<string> {
  try {
    return await fetchText(url);
  } catch (error) {
    if (/\.m?js$|[?#]/.test(url)) throw error;
    return await fetchText(`${url}.js`).catch(() => Promise.reject(error as Error));
  }
}

/** Return the text at `url`. Rejects with a status that is no success as with a link that fails. */
export async function fetchText(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return await response.text();
}

function runFile(text: string, isPlainScript: boolean, define: Define): void {
  if (isPlainScript) {
    (0, eval)(text); // its declarations are globals, where `shim.exports` looks for them
    return;
  }
  // What a file defines counts once all of it has run: a file that throws must leave nothing behind.
  let early: unknown[][] | null = [];
  const fileDefine = (...args: unknown[]) => {
    if (early === null) define(...args);
    else early.push(args);
  };
  Object.assign(fileDefine, { amd: { jQuery: true } });
  newFunction("define", text).call(globalThis, fileDefine);
  const defined = early;
  early = null;
  for (const args of defined) define(...args);
}

function failFile(context: Context, name: string, error: Error): void {
  const path = context.config.paths?.[name];
  if (Array.isArray(path) && path.length > 1) {
    // RequireJS goes on to the next address when a script element, of which it reads this much, fails.
    const element = { getAttribute: () => name, removeEventListener: () => undefined };
    context.onScriptError({ currentTarget: element });
    return;
  }
  context.onError(Object.assign(error, { requireType: "scripterror", requireModules: [name] }));
}

/** Make a function in sloppy mode from text, as script elements run theirs. */
function newFunction(parameter: string, body: string): (...args: unknown[]) => unknown {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- running files of modules is the purpose
  return new Function(parameter, body) as (...args: unknown[]) => unknown;
}
