/** Runs a cell in this page, with `Jupyter`, `element` and a `console` of its own in scope. */
import {
  make_amd,
  make_jupyter,
  page_target_loader,
  run_script,
  type Frontend,
  type Jupyter,
} from "tsushin";
import { scriptConsole } from "../output/console.js";
import { inspect } from "../output/inspect.js";
import { scriptError } from "../output/script_error.js";
import type { Cell, RunCode } from "./cell.js";
import { syntaxFault } from "./editor.js";

/** Lines an engine counts before a script's first: the head of the function made of it. */
const FUNCTION_HEAD_LINES = 2;

/** AMD for the scripts of this page. What nobody else hears of is shown as a script's late error. */
const amd = make_amd({
  load_requirejs: async () => {
    const response = await fetch(new URL("require.js", document.baseURI));
    if (!response.ok) throw new Error(`require.js: the server answered ${response.status}`);
    return response.text();
  },
  on_error: (error) => reportError(error),
});

const objects = new WeakMap<Frontend, Jupyter>();
/** Scripts run so far, and which of them the cell shows. */
const scripts = { run: 0, shown: 0 };

/** Give the object called `Jupyter` for a frontend: the same one each time. */
export function jupyterOf(frontend: Frontend): Jupyter {
  const known =
    objects.get(frontend) ?? make_jupyter(frontend, { load_target: page_target_loader({ amd }) });
  objects.set(frontend, known);
  return known;
}

/** Make the runner of the JavaScript cell. */
export function javascriptRunner(frontend: () => Frontend | null): RunCode {
  let runs = 0;
  return async (code, cell) => {
    const kernel = frontend();
    if (!kernel) {
      cell.output.error("Not connected", "there is no kernel to talk to", "");
      return null;
    }
    scripts.shown = scripts.run + 1;
    try {
      const value = await run(code, kernel, cell, cell.output.element());
      if (value !== undefined) cell.output.result(inspect(value));
      return (runs += 1);
    } catch (error) {
      showScriptError(placed(error, code), cell, 0);
      return null;
    }
  };
}

/** Give a syntax error, which has no stack of its own, the place of the fault. */
function placed(error: unknown, code: string): unknown {
  const fault =
    error instanceof SyntaxError && !scriptError(error).place ? syntaxFault(code) : null;
  if (fault && error instanceof Error) {
    error.stack = `script-${scripts.shown}.js:${fault.line}:${fault.column}`;
  }
  return error;
}

/** Run displayed JavaScript; what it shows goes into `element`, what it logs or throws into `cell`. */
export async function runDisplayed(
  code: string,
  place: { frontend: Frontend | null; cell: Cell; element: HTMLElement },
): Promise<void> {
  const { frontend, cell, element } = place;
  if (!frontend) return;
  try {
    await run(code, frontend, cell, element);
  } catch (error) {
    showScriptError(error, cell, 0);
  }
}

/** Show what a script threw, or what one of its handlers or timers threw later; mark the line. */
export function showScriptError(
  error: unknown,
  cell: Cell,
  lines_before = FUNCTION_HEAD_LINES,
): void {
  const { name, message, during, place } = scriptError(error, lines_before);
  const where = [
    ...(during === "" ? [] : [`in ${during}`]),
    ...(place === null ? [] : [`line ${place.line}, column ${place.column}`]),
  ].join(", ");
  cell.output.error(name, where === "" ? message : `${message}\n${where}`, "");
  if (place?.script === scripts.shown && cell.name === "javascript") cell.markFault(place.line);
}

function run(code: string, frontend: Frontend, cell: Cell, element: HTMLElement): Promise<unknown> {
  scripts.run += 1;
  const console = scriptConsole(cell.output);
  return run_script(code, { ...amd, Jupyter: jupyterOf(frontend), element, console });
}
