/** Terminal text as elements. */
import { make } from "../dom.js";
import { applyOverwrites, parseAnsi, type AnsiColor, type AnsiSegment } from "./ansi.js";

/** Make nodes of terminal text, one per run of one style. */
export function ansiNodes(text: string): (Node | string)[] {
  return parseAnsi(applyOverwrites(text)).map(node);
}

function node({ text, style }: AnsiSegment): Node | string {
  const { fg, bg, ...flags } = style;
  const classes = Object.keys(flags).map((flag) => `ansi-${flag}`);
  if (fg === undefined && bg === undefined && classes.length === 0) return text;
  const span = make("span", {}, text);
  if (fg !== undefined) {
    classes.push(typeof fg === "number" ? "ansi-fg" : "ansi-fixed-fg");
    span.style.setProperty("--ansi-fg", css(fg));
  }
  if (bg !== undefined) {
    classes.push("ansi-bg");
    span.style.setProperty("--ansi-bg", css(bg));
  }
  span.className = classes.join(" ");
  return span;
}

function css(color: AnsiColor): string {
  return typeof color === "number" ? `var(--ansi-${color})` : color;
}
