/**
 * Displayed JavaScript (`%%javascript`, `IPython.display.Javascript`) with the classic names in sight.
 *
 * One notebook's way to render is changed, not JupyterLab's: its own renderer decides where output goes and
 * whether JavaScript may run at all; only how it runs is ours.
 */
import type { MimeModel, RenderMime, Renderer } from "./types.js";

const MIME_TYPES: readonly string[] = ["application/javascript", "text/javascript"];

/** Runs one script whose output goes into `element`; rejects with what it threw. */
export type RunScript = (code: string, element: HTMLElement) => Promise<unknown>;

const done = new WeakSet<RenderMime>();

/** Run the scripts that `rendermime` displays with `run`. A second call changes nothing. */
export function runScriptsWith(rendermime: RenderMime, run: RunScript): void {
  if (done.has(rendermime)) return;
  done.add(rendermime);
  const create = rendermime.createRenderer.bind(rendermime);
  rendermime.createRenderer = (mimeType, ...rest) => {
    const renderer = create(mimeType, ...rest);
    if (MIME_TYPES.includes(mimeType)) takeOver(renderer, mimeType, run);
    return renderer;
  };
}

function takeOver(renderer: Renderer, mimeType: string, run: RunScript): void {
  const original = renderer.render.bind(renderer);
  renderer.render = async (model: MimeModel) => {
    // The host says that it does not run, and how to change that.
    if (!model.trusted || isOfLibrary(model)) return original(model);
    const code = model.data[mimeType];
    await Promise.resolve(); // by then the output is in the document
    try {
      await run(Array.isArray(code) ? code.join("") : String(code), renderer.node);
    } catch (error) {
      renderer.node.append(errorOutput(error));
    }
  };
}

/**
 * Whether the script is one form of something that a library has its own form for, such as Bokeh's bundles. It
 * looks for a global `Jupyter` to tell the classic notebook, and would find the name in scope.
 */
function isOfLibrary({ data }: MimeModel): boolean {
  return Object.keys(data).some((mimeType) => mimeType.startsWith("application/vnd."));
}

/** Show an error as the notebook shows errors of the kernel. */
function errorOutput(error: unknown): HTMLElement {
  const output = document.createElement("div");
  output.className = "jp-RenderedText";
  output.dataset.mimeType = "application/vnd.jupyter.stderr"; // the colours of the theme
  const text = document.createElement("pre");
  text.textContent = `Javascript Error: ${errorText(error)}`;
  output.append(text);
  return output;
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const head = `${error.name}: ${error.message}`;
  const stack = (error.stack ?? "").split("\n").filter((line) => /\bscript-\d+\.js\b/.test(line));
  return [head, ...stack].join("\n");
}
