/** One displayed value: the richest form of it that this page can show safely. */
import type { MimeBundle } from "tsushin";
import { make } from "../dom.js";
import { ansiNodes } from "./ansi_view.js";
import { safeHtml } from "./html.js";

/** Runs displayed JavaScript; what it shows goes into `element`. */
export type RunDisplayed = (code: string, element: HTMLElement) => void;

type Renderer = (value: unknown, run: RunDisplayed) => HTMLElement;

/** Richest first. What is not here is shown as `text/plain`. */
const RENDERERS: readonly (readonly [string, Renderer])[] = [
  ["application/javascript", script],
  ["text/javascript", script],
  ["text/html", (value) => make("div", { class: "output-html" }, safeHtml(text(value)))],
  ["image/svg+xml", (value) => image(`data:image/svg+xml,${encodeURIComponent(text(value))}`)],
  ["image/png", (value) => image(`data:image/png;base64,${text(value)}`)],
  ["image/jpeg", (value) => image(`data:image/jpeg;base64,${text(value)}`)],
  ["image/gif", (value) => image(`data:image/gif;base64,${text(value)}`)],
  ["image/webp", (value) => image(`data:image/webp;base64,${text(value)}`)],
  ["application/json", (value) => make("pre", {}, JSON.stringify(value, null, 2))],
  ["text/plain", (value) => make("pre", {}, ...ansiNodes(text(value)))],
];

/** Make the element of a MIME bundle. */
export function mimeElement(bundle: MimeBundle, run: RunDisplayed): HTMLElement {
  for (const [type, render] of RENDERERS) {
    if (bundle[type] !== undefined) return render(bundle[type], run);
  }
  const types = Object.keys(bundle).join(", ") || "nothing";
  return make("p", { class: "output-note" }, `This page cannot show ${types}.`);
}

function script(value: unknown, run: RunDisplayed): HTMLElement {
  const element = make("div", { class: "output-element" });
  run(text(value), element);
  return element;
}

function image(source: string): HTMLElement {
  return make("img", { src: source, alt: "Image from the kernel" });
}

/** nbformat writes long text as a list of lines. */
function text(value: unknown): string {
  return Array.isArray(value) ? value.join("") : String(value);
}
