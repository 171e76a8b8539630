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
      const bind = ({ sessionContext, console }: ConsolePanel) =>
        documents.bind(sessionContext, console.rendermime);
      const consoles = tracker as Tracker<ConsolePanel> | null;
      consoles?.forEach(bind);
      consoles?.widgetAdded.connect((_sender, panel) => bind(panel));
    },
  };
}
