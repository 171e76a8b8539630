/** The `console` a script sees: it writes to the script's output, and to the browser's console. */
import { consoleText } from "./inspect.js";
import type { OutputArea } from "./area.js";

export type ScriptConsole = Pick<Console, "log" | "info" | "warn" | "error" | "debug">;

/** Make a console that writes to `area`; whatever it lacks is the browser's own. */
export function scriptConsole(area: OutputArea): Console {
  const to =
    (kind: "log" | "warn" | "console-error", browser: (...values: unknown[]) => void) =>
    (...values: unknown[]): void => {
      area.write(kind, `${consoleText(values)}\n`);
      browser.apply(console, values);
    };
  const ours: ScriptConsole = {
    log: to("log", console.log),
    info: to("log", console.info),
    debug: to("log", console.debug),
    warn: to("warn", console.warn),
    error: to("console-error", console.error),
  };
  return Object.assign(Object.create(console) as Console, ours);
}
