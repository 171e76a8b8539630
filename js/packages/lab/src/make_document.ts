/** Make what one document has of ours: its kernel, and how its scripts run. */
import { DocumentKernel, run_script } from "tsushin/lab";
import type { Document } from "./documents.js";
import { withoutGlobal } from "./window_jupyter.js";
import type { App, SessionContext } from "./types.js";

const storage = { tab: sessionStorage, shared: localStorage };

export function makeDocument(app: App, context: SessionContext): Document {
  const { baseUrl } = app.serviceManager.serverSettings;
  const kernel = new DocumentKernel({
    document: `${baseUrl}${context.path}`,
    storage,
    on_error: (error) => console.error("tsushin:", error),
  });
  const run = (code: string, element: HTMLElement) =>
    withoutGlobal(() => run_script(code, { Jupyter: kernel.jupyterFor(code), element }));
  return { kernel, run };
}
