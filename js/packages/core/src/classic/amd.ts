/**
 * The `require`, `requirejs` and `define` that displayed scripts see.
 *
 * RequireJS is large and rarely needed, so its text is asked for when the first module is. Until then
 * calls wait in their order; what needs an answer at once is answered from what is known by then. See
 * `requirejs.ts` for how files are loaded without a global `define`.
 */
import { describe, isPromise } from "../runtime.js";
import type { Started } from "./requirejs.js";
import { forgetFailed, startRequireJs } from "./requirejs.js";
import type { Callback, Failed } from "./requirejs.js";
import type { AmdConfig, AmdDefine, AmdError, AmdRequire } from "./types.js";

export interface AmdOptions {
  /** Gives the text of RequireJS's `require.js`. Called when a module is first needed. */
  readonly load_requirejs: () => Promise<string>;
  /** What relative addresses are relative to; the address of the document by default. */
  readonly base_url?: string | undefined;
  /** Hears of what fails where a script gave no function for errors. */
  readonly on_error: (error: unknown) => void;
}

/** AMD for one page, or one notebook: what is defined there stays there. */
export interface Amd {
  readonly require: AmdRequire;
  readonly requirejs: AmdRequire;
  readonly define: AmdDefine;
  /** Load one module by its name or address. */
  load(name: string): Promise<unknown>;
}

/** A call that waits for RequireJS. */
interface Waiting {
  readonly run: (started: Started) => void;
  /** Called instead where RequireJS cannot be loaded; other calls wait on. */
  readonly failed?: (error: Error) => void;
  readonly config?: AmdConfig;
  readonly defines?: string;
}

/**
 * Make the three functions for displayed scripts. `require([...], ok, failed)`, `require.config`,
 * `define(name, [...], factory)`, `require.undef` may be called from the first moment on. What fails
 * without a `failed` function goes to `on_error`, and is tried again when it is asked for again.
 *
 * `define` needs a name there, and throws without: a displayed script is no file that a name could
 * lead to. A module that a script defines twice keeps its first value, as RequireJS has it, unless
 * `require.undef(name)` comes between.
 */
export function make_amd(options: AmdOptions): Amd {
  const base_url = options.base_url ?? documentAddress();
  const loader = new LazyRequireJs({ ...options, base_url });
  const require = makeRequire(loader, options.on_error);
  const load = (name: string) =>
    new Promise<unknown>((resolve, reject) => loader.require({}, [name], resolve, reject, true));
  return { require, requirejs: require, define: makeDefine(loader), load };
}

/** Return the document's base address, or undefined where there is no document. */
export function documentAddress(): string | undefined {
  return (globalThis as { document?: { baseURI: string } }).document?.baseURI;
}

class LazyRequireJs {
  readonly #options: AmdOptions;
  #started: Started | null = null;
  #isLoading = false;
  #waiting: Waiting[] = [];
  /** What scripts defined, to be defined again where RequireJS had to forget it. */
  readonly #defined = new Map<string, unknown[]>();

  constructor(options: AmdOptions) {
    this.#options = options;
  }

  get started(): Started | null {
    return this.#started;
  }

  /** Configurations that RequireJS has not seen yet. */
  get configs(): AmdConfig[] {
    return this.#waiting.flatMap(({ config }) => (config === undefined ? [] : [config]));
  }

  get base_url(): string {
    return this.#options.base_url ?? "";
  }

  /** Say whether a script has defined a module that RequireJS has not seen yet. */
  waitsToDefine(name: string): boolean {
    return this.#waiting.some(({ defines }) => defines === name);
  }

  /** Do it now, or in its turn when RequireJS is there. */
  later(call: Waiting): void {
    if (this.#started === null) this.#waiting.push(call);
    else call.run(this.#started);
  }

  define(name: string, rest: unknown[]): void {
    this.#defined.set(name, rest);
    this.later({ run: ({ define }) => define(name, ...rest), defines: name });
  }

  undef(name: string): void {
    this.#defined.delete(name);
    this.later({ run: ({ requirejs }) => requirejs.undef(name) });
  }

  /** Load modules and call `ok` with them, or `failed`; RequireJS is loaded for it. */
  require(
    config: AmdConfig,
    deps: readonly string[],
    ok: Callback | undefined,
    failed: Failed,
    forgets: boolean,
  ): void {
    this.later({
      run: (started) => {
        started.requirejs(config, deps, ok, (error) => {
          if (forgets) this.#forget(started, error);
          failed(error);
        });
      },
      failed,
      config,
    });
    const isNeeded = ok !== undefined || deps.length > 0 || config.deps !== undefined;
    if (isNeeded && this.#started === null) void this.#load();
  }

  #forget(started: Started, error: AmdError): void {
    // What a factory throws is the module's own fault and stays; what could not be loaded may come yet.
    if (!["scripterror", "timeout", "nodefine"].includes(error.requireType ?? "")) return;
    for (const name of forgetFailed(started.requirejs, error.requireModules ?? [])) {
      const defined = this.#defined.get(name);
      if (defined !== undefined) started.define(name, ...defined);
    }
  }

  async #load(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const { load_requirejs, base_url, on_error } = this.#options;
    try {
      this.#start(startRequireJs(await load_requirejs(), { base_url, on_error }));
    } catch (error) {
      this.#failed(
        new Error(`RequireJS could not be loaded: ${describe(error)}`, { cause: error }),
      );
    }
    this.#isLoading = false;
  }

  #start(started: Started): void {
    this.#started = started;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) this.#guard(() => call.run(started));
  }

  #failed(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ failed }) => failed === undefined);
    for (const { failed } of waiting) this.#guard(() => failed?.(error));
  }

  /** One call that throws must not keep the others from their turn. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#options.on_error(error);
    }
  }
}

function makeRequire(loader: LazyRequireJs, on_error: (error: unknown) => void): AmdRequire {
  const require = (first: unknown, ...rest: unknown[]): unknown => {
    if (typeof first === "string") return moduleNow(loader, first);
    const [config, ...list] = Array.isArray(first) ? [{}, first, ...rest] : [first, ...rest];
    const [deps = [], ok, failed] = list as [string[]?, Callback?, Failed?];
    // A function for errors may want RequireJS's own way to try again, which is `undef` and the old `ok`.
    const forgets = typeof failed !== "function";
    loader.require(config as AmdConfig, deps, plain(ok, on_error), failed ?? on_error, forgets);
    return require;
  };
  return Object.assign(require, {
    config: (config: AmdConfig) => require(config) as AmdRequire,
    defined: (name: string) => loader.started?.requirejs.defined(name) ?? false,
    specified: (name: string) =>
      loader.started?.requirejs.specified(name) ?? loader.waitsToDefine(name),
    toUrl: (path: string) =>
      loader.started?.requirejs.toUrl(path) ?? urlOf(path, loader.configs, loader.base_url),
    undef: (name: string) => loader.undef(name),
  }) as AmdRequire;
}

/** RequireJS takes an `async` function for a value; and what such a function throws must be heard. */
function plain(ok: Callback | undefined, on_error: (error: unknown) => void): Callback | undefined {
  if (typeof ok !== "function") return undefined;
  return (...modules) => {
    const result = ok(...modules);
    if (isPromise(result)) result.then(undefined, on_error);
    return result;
  };
}

function moduleNow({ started }: LazyRequireJs, name: string): unknown {
  if (started?.requirejs.defined(name)) return started.requirejs(name);
  throw new Error(
    `require("${name}"): it is not loaded yet; write require(["${name}"], function (module) { … })`,
  );
}

function makeDefine(loader: LazyRequireJs): AmdDefine {
  const define = (name: unknown, ...rest: unknown[]): void => {
    if (typeof name === "string") {
      loader.define(name, rest);
      return;
    }
    throw new TypeError(
      'define: a displayed script needs a name for its module, as in define("name", [], factory); ' +
        "to use modules without defining one, write require([…], function (…) { … })",
    );
  };
  return Object.assign(define, { amd: { jQuery: true } } as const);
}

/** Say where a module or file is, by `paths` and `baseUrl`, as RequireJS will once it is there. */
function urlOf(path: string, configs: readonly AmdConfig[], base_url: string): string {
  const baseUrl = configs.findLast((config) => config.baseUrl !== undefined)?.baseUrl;
  const base = baseUrl ?? (base_url === "" ? "./" : new URL(".", base_url).href);
  const paths = Object.assign({}, ...configs.map((config) => config.paths)) as AmdConfig["paths"];
  const mapped = mappedPath(path, paths ?? {});
  if (/^\/|:/.test(mapped)) return mapped;
  return `${base.endsWith("/") ? base : `${base}/`}${mapped}`;
}

/** Replace the longest beginning of `path` that `paths` knows. */
function mappedPath(path: string, paths: Readonly<Record<string, string | string[]>>): string {
  const dot = path.lastIndexOf(".");
  const ending = dot > 0 && dot > path.lastIndexOf("/") ? path.slice(dot) : "";
  const parts = path.slice(0, path.length - ending.length).split("/");
  for (let count = parts.length; count > 0; count--) {
    const found = paths[parts.slice(0, count).join("/")];
    const [first] = Array.isArray(found) ? found : [found];
    if (first !== undefined) return [first, ...parts.slice(count)].join("/") + ending;
  }
  return path.replace(/^\.\//, "");
}
