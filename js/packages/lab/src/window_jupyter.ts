/**
 * Plugin: `window.Jupyter` and `window.IPython`, for scripts in HTML outputs and for the browser's console.
 *
 * A script or a button in an HTML output gets its own notebook; at the console, and in callbacks that come
 * later, it is the notebook in front. Displayed JavaScript does not come here: it has its own in scope.
 *
 * Libraries take a global `Jupyter` for the sign of the classic notebook, and then ask for its modules, which do
 * not exist here: Bokeh would fail to load. For them there is no such global, as without us.
 */
import { whoAsks } from "./who_asks.js";
import type { Documents } from "./documents.js";
import type { NotebookPanel, Plugin, Tracker } from "./types.js";

const NAMES = ["Jupyter", "IPython"];

let running = 0;

/** Run a displayed script: until it returns or first awaits, there is no global `Jupyter`. */
export function withoutGlobal<T>(run: () => T): T {
  running += 1;
  try {
    return run();
  } finally {
    running -= 1;
  }
}

export function windowJupyter(token: unknown, documents: Documents): Plugin {
  return {
    id: "tsushin-lab:window",
    description: "Offers window.Jupyter to scripts in HTML outputs and to the browser's console.",
    autoStart: true,
    optional: [token],
    activate: (_app, tracker) => {
      if (tracker === null) return;
      const panelOf = notebookInQuestion(tracker as Tracker<NotebookPanel>);
      const get = () => {
        const panel = panelOf();
        return panel ? documents.jupyter(panel.sessionContext) : undefined;
      };
      for (const name of NAMES) offer(name, get);
    },
  };
}

/** Return a function that finds the notebook meant by whoever asks now. */
function notebookInQuestion(notebooks: Tracker<NotebookPanel>): () => NotebookPanel | null {
  return () => {
    const asker = running > 0 ? "library" : whoAsks(import.meta.url);
    if (asker === "library") return null;
    if (asker === "somebody") return notebooks.currentWidget;
    return notebooks.find((panel) => panel.node.contains(asker)) ?? null;
  };
}

/** Define a global that somebody else may still set. */
function offer(name: string, get: () => unknown): void {
  if (name in globalThis) return;
  const set = (value: unknown) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  Object.defineProperty(globalThis, name, { get, set, configurable: true });
}
