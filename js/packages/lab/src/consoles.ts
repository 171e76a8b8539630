/** Plugin: scripts displayed in code consoles. */
import type { Documents } from "./documents.js";
import type { ConsolePanel, Plugin, Tracker } from "./types.js";

export function consoles(token: unknown, documents: Documents): Plugin {
  return {
    id: "tsushin-lab:consoles",
    description: "Runs JavaScript displayed in consoles with the classic object called Jupyter.",
    autoStart: true,
    optional: [token],
    activate: (_app, tracker) => {
      if (tracker === null) return;
      documents.bindAll(tracker as Tracker<ConsolePanel>, (panel) => panel.console.rendermime);
    },
  };
}
