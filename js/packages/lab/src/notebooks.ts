/** Plugin: scripts displayed in notebooks. */
import type { Documents } from "./documents.js";
import type { NotebookPanel, Plugin, Tracker } from "./types.js";

export function notebooks(token: unknown, documents: Documents): Plugin {
  return {
    id: "tsushin-lab:notebooks",
    description: "Runs JavaScript displayed in notebooks with the classic object called Jupyter.",
    autoStart: true,
    optional: [token],
    activate: (_app, tracker) => {
      if (tracker === null) return;
      documents.bindAll(tracker as Tracker<NotebookPanel>, (panel) => panel.content.rendermime);
    },
  };
}
