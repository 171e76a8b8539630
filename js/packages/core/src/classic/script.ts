/**
 * Running displayed JavaScript: the code of a `%%javascript` cell or of `IPython.display.Javascript`.
 *
 * It runs as the body of a function, in sloppy mode as scripts do: `comm = …` without a declaration makes
 * a global, which the documented example relies on. `await` is allowed at its top.
 */
import type { ScriptScope } from "./types.js";

type AsyncBody = (...args: unknown[]) => Promise<unknown>;

// The constructor of async functions has no name of its own.
const AsyncFunction = (async () => {
  await Promise.resolve();
}).constructor as new (...args: string[]) => AsyncBody;

/** Lines that the constructor puts before the body. */
const LINES_BEFORE = new AsyncFunction("").toString().split("\n").length - 2;

let count = 0;

/**
 * Run `code` with the names of `scope` (and `IPython`) in sight. Resolves with what it returns; rejects
 * with what it threw, whose stack names the script's own lines: `script-3.js:2:7`.
 */
export async function run_script(code: string, scope: ScriptScope): Promise<unknown> {
  count += 1;
  const file = `script-${count}.js`;
  const names = inScope(scope);
  try {
    const body = new AsyncFunction(...Object.keys(names), `${code}\n//# sourceURL=${file}`);
    return await body(...Object.values(names));
  } catch (error) {
    if (error instanceof Error && error.stack) error.stack = withOwnLines(error.stack, file);
    throw error;
  }
}

const NAMES = ["Jupyter", "element", "console", "require", "requirejs", "define"] as const;

/** Only these, whatever else the object has: `{ Jupyter, ...make_amd(…) }` has a `load`. */
function inScope(scope: ScriptScope): Record<string, unknown> {
  const given = NAMES.filter((name) => name in scope).map((name) => [name, scope[name]]);
  return { ...(Object.fromEntries(given) as Record<string, unknown>), IPython: scope.Jupyter };
}

/** Count lines from the script's first, not from the function's. */
function withOwnLines(stack: string, file: string): string {
  const position = new RegExp(`(${file}):(\\d+)`.replace(".", "\\."), "g");
  return stack.replace(position, (_all, name: string, line: string) => {
    return `${name}:${Math.max(1, Number(line) - LINES_BEFORE)}`;
  });
}
