/** Runs a cell in the kernel. Its output arrives by itself, with that of the handlers: see `outputOf`. */
import { ExecutionError, type Frontend } from "tsushin";
import type { RunCode } from "./cell.js";

/** Make the runner of the Python cell. */
export function pythonRunner(frontend: () => Frontend | null): RunCode {
  return async (code, cell) => {
    const kernel = frontend();
    if (!kernel) {
      cell.output.error("Not connected", "there is no kernel to run this in", "");
      return null;
    }
    try {
      const { execution_count } = await kernel.execute(code, { timeout: Infinity });
      return execution_count ?? 0;
    } catch (error) {
      // What the code raised came as an output, with its traceback.
      if (!(error instanceof ExecutionError)) showProblem(error, cell.output);
      return null;
    }
  };
}

function showProblem(
  error: unknown,
  output: { error(name: string, message: string, detail: string): void },
): void {
  if (error instanceof Error) output.error(error.name, error.message, "");
  else output.error("Error", String(error), "");
}
