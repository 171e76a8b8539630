/** Make what one document has of ours: its kernel, its modules, and how its scripts run. */
import { DocumentKernel, make_amd, page_target_loader, run_script } from "tsushin/hosts";
import type { Amd } from "tsushin/hosts";
import type { Document } from "./documents.js";
import type { App, SessionContext } from "./types.js";
import { withoutGlobal } from "./window_jupyter.js";

const storage = { tab: sessionStorage, shared: localStorage };
const on_error = (error: unknown) => console.error("tsushin:", error);

export function makeDocument(app: App, context: SessionContext): Document {
  const { baseUrl, token, appendToken } = app.serviceManager.serverSettings;
  const base_url = folderUrl(baseUrl, context.path);
  const amd = makeAmd(baseUrl, base_url);
  const kernel = new DocumentKernel({
    document: `${baseUrl}${context.path}`,
    storage,
    server: { url: new URL(baseUrl, location.href).href, token: appendToken ? token : "" },
    load_target: page_target_loader({ amd, base_url }),
    on_error,
  });
  const { require, requirejs, define } = amd;
  const run = (code: string, element: HTMLElement) => {
    const scope = { Jupyter: kernel.jupyterFor(code), element, require, requirejs, define };
    return withoutGlobal(() => run_script(code, scope));
  };
  return { kernel, run };
}

/** Modules are found beside the document, and where the classic notebook had its extensions. */
function makeAmd(baseUrl: string, base_url: string): Amd {
  const amd = make_amd({ load_requirejs: requireJs, base_url, on_error });
  amd.require.config({
    paths: { nbextensions: new URL("nbextensions", new URL(baseUrl, location.href)).href },
  });
  return amd;
}

/** Return where the server gives out the files of the document's folder. */
function folderUrl(baseUrl: string, path: string): string {
  const folders = path.split("/").slice(0, -1);
  const url = folders.map((folder) => `${encodeURIComponent(folder)}/`).join("");
  return new URL(`files/${url}`, new URL(baseUrl, location.href)).href;
}

async function requireJs(): Promise<string> {
  const answer = await fetch(new URL("require.js", import.meta.url));
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${answer.statusText}`);
  return answer.text();
}
