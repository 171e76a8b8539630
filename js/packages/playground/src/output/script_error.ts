/** What went wrong in a script: its words, and where in which script. */

export interface ScriptPlace {
  /** Which script of this page, counted from 1 in the order in which they were run. */
  readonly script: number;
  /** 1-based, in the script's own text. */
  readonly line: number;
  readonly column: number;
}

export interface ScriptError {
  /** `TypeError`, or "Thrown" for a value that is no error. */
  readonly name: string;
  readonly message: string;
  /** The handler that threw, such as `on_msg of comm …`; "" for the script itself. */
  readonly during: string;
  /** Null where the engine does not say. */
  readonly place: ScriptPlace | null;
}

/** How the script runner names scripts in stack traces. */
const FRAME = /script-(\d+)\.js:(\d+):(\d+)/;

/**
 * Describe what was thrown.
 *
 * Args:
 *   thrown: anything; JavaScript throws any value. An error that reports a handler's has it as `cause`.
 *   lines_before: lines that the engine counts before the script's first. The script runner corrects
 *     what a script itself throws; in handlers, which run later, it cannot.
 */
export function scriptError(thrown: unknown, lines_before = 0): ScriptError {
  if (!(thrown instanceof Error)) {
    return { name: "Thrown", message: String(thrown), during: "", place: null };
  }
  const [during, reported] = thrown.message.split(" threw: ", 2);
  if (thrown.cause !== undefined && during !== undefined && reported !== undefined) {
    return { ...scriptError(thrown.cause, lines_before), during };
  }
  const { name, message, stack } = thrown;
  return { name, message, during: "", place: placeIn(stack ?? "", lines_before) };
}

function placeIn(stack: string, lines_before: number): ScriptPlace | null {
  const [, script, line, column] = (FRAME.exec(stack) ?? []).map(Number);
  if (script === undefined || line === undefined || column === undefined) return null;
  return line > lines_before ? { script, line: line - lines_before, column } : null;
}
