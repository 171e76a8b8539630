/**
 * The container that JupyterLab loads: what a bundler's module federation would write, in a few lines.
 *
 * JupyterLab runs this script, then calls `init` with what it shares (its own packages, by name and version)
 * and `get("./extension")` for a factory of the extension's module. See the ADR on how the extension is built.
 */
interface Shared {
  get(): Promise<() => unknown>;
}

/** Package name -> version -> module. */
type ShareScope = Record<string, Record<string, Shared> | undefined>;

/** The name of the extension's file; the build puts it here. */
declare const EXTENSION: string;

const here = (document.currentScript as HTMLScriptElement).src;
let scope: ShareScope = {};

/** Return one of JupyterLab's own packages; throws where this frontend has none of that name. */
async function shared(name: string): Promise<unknown> {
  const [only] = Object.values(scope[name] ?? {});
  if (only === undefined) throw new Error(`tsushin: this frontend shares no ${name}`);
  return (await only.get())();
}

const container = {
  init(given: ShareScope): void {
    scope = given;
  },
  async get(): Promise<() => unknown> {
    const url = new URL(EXTENSION, here).href;
    const extension = (await import(/* webpackIgnore: true */ url)) as {
      make_plugins: (load: typeof shared) => Promise<unknown>;
    };
    const plugins = await extension.make_plugins(shared);
    return () => plugins;
  },
};

const containers = ((globalThis as { _JUPYTERLAB?: Record<string, unknown> })._JUPYTERLAB ??= {});
containers["tsushin-lab"] = container;
