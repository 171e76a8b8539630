/**
 * Whose code reads a global right now, as far as a page can tell: a script of an HTML output, an event in
 * one, somebody at the browser's console, or a library.
 */

const OUTPUT = ".jp-OutputArea";
const HTML_OUTPUT = ".jp-RenderedHTML";

/** "library": the page's own code or an extension's. "somebody": no output is known. */
export type Asker = Element | "library" | "somebody";

/** Say who asks; an element is in the HTML output whose code asks. `ours` is the URL of this code. */
export function whoAsks(ours: string): Asker {
  const script = document.currentScript;
  if (script?.closest(OUTPUT)) return script.closest(HTML_OUTPUT) ?? "library";
  // Set while a listener runs, as for onclick="…"; nothing else tells which listener that is.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const event = globalThis.event?.target;
  const output = event instanceof Element ? event.closest(HTML_OUTPUT) : null;
  return output ?? (callerIsFile(ours) ? "library" : "somebody");
}

/** Whether the calling function came from a file; those of inline scripts and of the console did not. */
function callerIsFile(ours: string): boolean {
  const lines = (new Error().stack ?? "").split("\n");
  const caller = lines.find((line) => /[:@(<]/.test(line) && !line.includes(ours));
  const url = /\bhttps?:\/\/[^\s):]+(?::\d+)?[^\s):]*/.exec(caller ?? "")?.[0];
  return url !== undefined && !location.href.startsWith(url);
}
