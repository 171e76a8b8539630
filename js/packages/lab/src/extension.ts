/** The extension for JupyterLab 4 and Notebook 7: wiring only, what it wires is `tsushin`'s. */
import { consoles } from "./consoles.js";
import { Documents } from "./documents.js";
import { makeDocument } from "./make_document.js";
import { notebooks } from "./notebooks.js";
import type { App, Load, Plugin, SessionContext } from "./types.js";
import { windowJupyter } from "./window_jupyter.js";

declare const VERSION: string;

/** Return the plugins. `load` gives JupyterLab's packages. */
export async function make_plugins(load: Load): Promise<Plugin[]> {
  const { INotebookTracker } = await load("@jupyterlab/notebook");
  const { IConsoleTracker = null } = await load("@jupyterlab/console").catch(nothing);
  let app: App;
  const documents = new Documents((context: SessionContext) => makeDocument(app, context));
  const plugins = [
    notebooks(INotebookTracker, documents),
    ...(IConsoleTracker === null ? [] : [consoles(IConsoleTracker, documents)]),
    windowJupyter(INotebookTracker, documents),
  ];
  // The first plugin that is activated tells which application this is, and that we are not switched off.
  return plugins.map((plugin) => ({
    ...plugin,
    activate: (given, ...services) => {
      app = given;
      announce();
      plugin.activate(given, ...services);
    },
  }));
}

/** Tell the bridge, where there is one, that it is not needed in this page. */
function announce(): void {
  const page = globalThis as { tsushin?: { extension?: string } };
  (page.tsushin ??= {}).extension = VERSION; // a bridge may have its own entries there
}

function nothing(): Record<string, unknown> {
  return {}; // a frontend without consoles
}
